"""Signals during a chat: Ctrl-C stops one operation, SIGTERM and SIGHUP end the program cleanly."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals by which another process ends this one."""


@contextmanager
def signal_handlers(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """Install `handlers`, by signal number, within the block. Ignored signals, as under nohup, stay ignored."""
    installed = {number: own for number, own in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN}
    previous = {number: signal.signal(number, own) for number, own in installed.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


RETRY_DELAY_S = 0.02
"""Delay before a Ctrl-C that arrived during an import is delivered again, in seconds."""


class Signals:
    """Signal handlers that are installed within a `with handled()` block, on the main thread.

    Ctrl-C raises KeyboardInterrupt only within `interruptible`, and only once: a second Ctrl-C must not interrupt the
    code that records what the first one stopped. SIGTERM and SIGHUP raise `SystemExit(128 + number)`, so that every
    `finally` runs. If `on_terminate` is set and returns True, the program ends itself and nothing is raised.
    """

    def __init__(self) -> None:
        self.ended: int | None = None
        self.on_terminate: Callable[[int], bool] | None = None
        self._armed = False

    @contextmanager
    def handled(self) -> Iterator["Signals"]:
        with signal_handlers({signal.SIGINT: self._interrupt, **dict.fromkeys(ENDING, self._end)}):
            yield self

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._armed:
            return
        if any(f.f_code.co_filename.startswith("<frozen importlib") for f, _ in traceback.walk_stack(frame)):
            # A library whose import is interrupted cannot be imported again in this process.
            threading.Timer(RETRY_DELAY_S, os.kill, (os.getpid(), number)).start()
            return
        self._armed = False
        raise KeyboardInterrupt

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.ended is not None:
            return
        self.ended = 128 + number
        if self.on_terminate is None or not self.on_terminate(self.ended):
            raise SystemExit(self.ended)
