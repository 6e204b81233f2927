"""The state of the terminal while a chat runs: what is typed before the first prompt, and between prompts."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_early: list[bytes] = []
"""What was typed before `no_echo` was first entered."""


_keeping: list[Callable[[], None]] = []
"""What brings the present `no_echo` back, the innermost last."""


def keep_no_echo() -> None:
    """Bring `no_echo` back where a shell took it away while the program was stopped.

    For what runs beside a main thread that waits for the model, which handles signals only when something arrives.
    """
    for change in _keeping[-1:]:
        change()


def take_early_keys() -> str:
    """What was typed before the chat could listen, Enter as Enter; once."""
    keys = b"".join(_early).decode("utf-8", errors="replace")
    _early.clear()
    return keys.replace("\n", "\r")


@contextmanager
def no_echo(descriptor: int | None = None) -> Iterator[None]:
    """Between prompts, keys are not shown and wait for the next prompt as they were typed; Ctrl-C stays a signal.

    Without this they would appear in the middle of a reply, and Enter would reach the prompt as a line feed.
    """
    try:
        import termios
    except ImportError:
        yield
        return
    try:
        terminal = sys.stdin.fileno() if descriptor is None else descriptor
        former = termios.tcgetattr(terminal)
    except (termios.error, OSError, ValueError):
        yield
        return
    changed = list(former)
    changed[0] &= ~termios.ICRNL
    changed[3] &= ~(termios.ECHO | termios.ICANON)

    def change() -> None:
        with suppress(termios.error):
            if termios.tcgetattr(terminal)[3] & termios.ECHO:
                termios.tcsetattr(terminal, termios.TCSANOW, changed)

    try:
        termios.tcsetattr(terminal, termios.TCSANOW, changed)
        if former[0] & termios.ICRNL:
            _early.append(_typed_already(terminal))
        with _again_after_suspension(change):
            yield
    finally:
        with suppress(termios.error):  # A terminal that is gone needs no restoring.
            termios.tcsetattr(terminal, termios.TCSANOW, former)


def _typed_already(terminal: int) -> bytes:
    """What waits in the terminal, where Enter has become a line feed already."""
    keys = b""
    while select.select([terminal], [], [], 0)[0] and (more := os.read(terminal, 4096)):
        keys += more
    return keys


@contextmanager
def _again_after_suspension(change: Callable[[], None]) -> Iterator[None]:
    """The shell has its own way with the terminal while a program is stopped."""
    former = None
    _keeping.append(change)
    with suppress(ValueError):  # Not the main thread, which alone may handle signals.
        former = signal.signal(signal.SIGCONT, lambda number, frame: change())
    try:
        yield
    finally:
        _keeping.pop()
        if former is not None:
            signal.signal(signal.SIGCONT, former)
