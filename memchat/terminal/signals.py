"""What signals do to a chat: Ctrl-C stops one thing at a time, SIGTERM and SIGHUP end everything in good order."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Signals:
    """Handlers in force within the `with` block of `handled`, on the main thread.

    Ctrl-C raises KeyboardInterrupt within `interruptible` alone, and once: a second one cannot break off the recording
    of what the first one cut short. SIGTERM and SIGHUP raise `SystemExit(128 + number)`, so that every `finally` runs;
    `deliver`, where it is set and returns True, takes that over, for code that has its own way out.
    """

    def __init__(self) -> None:
        self.ended: int | None = None
        self.deliver: Callable[[int], bool] | None = None
        self._armed = False

    @contextmanager
    def handled(self) -> Iterator["Signals"]:
        former: dict[int, Any] = {number: signal.signal(number, self._end) for number in _ENDING}
        former[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise KeyboardInterrupt

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.ended is not None:
            return
        self.ended = 128 + number
        if self.deliver is None or not self.deliver(self.ended):
            raise SystemExit(self.ended)
