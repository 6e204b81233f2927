"""Signals of a chat: Ctrl-C stops one thing at a time, SIGTERM and SIGHUP end everything in good order."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that end a program from outside."""


@contextmanager
def signal_handlers(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """Install these handlers, by signal, while the block lasts. Ignored signals, as under nohup, stay ignored."""
    heard = {number: own for number, own in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN}
    former = {number: signal.signal(number, own) for number, own in heard.items()}
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)


AGAIN_S = 0.02
"""How soon a Ctrl-C that came at a bad moment is tried again, in seconds."""


class Signals:
    """Handlers in force within the `with` block of `handled`, on the main thread.

    Ctrl-C raises KeyboardInterrupt only within `interruptible`, and once: a second one cannot interrupt the recording
    of what the first one stopped. SIGTERM and SIGHUP raise `SystemExit(128 + number)`, so that every `finally` runs.
    `on_terminate`, if it is set and returns True, replaces that for code with its own way out.
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
        if self._armed and _is_importing(frame):
            # A library whose import is interrupted cannot be imported again in this process.
            threading.Timer(AGAIN_S, os.kill, (os.getpid(), number)).start()
        elif self._armed:
            self._armed = False
            raise KeyboardInterrupt

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.ended is not None:
            return
        self.ended = 128 + number
        if self.on_terminate is None or not self.on_terminate(self.ended):
            raise SystemExit(self.ended)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
