"""Terminal modes during a chat: keys typed before the first prompt and between prompts are kept and not echoed."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_early: list[bytes] = []
"""Keys typed before `no_echo` was first entered."""


_active: list[Callable[[], None]] = []
"""Functions that set the terminal mode of each `no_echo` in force again, innermost last."""


def keep_no_echo() -> None:
    """Set the mode of `no_echo` again if a shell has changed it while the program was suspended.

    Call it from a thread beside the main thread, which handles signals only when the model sends something.
    """
    for set_mode in _active[-1:]:
        set_mode()


def take_early_keys() -> str:
    """Return the keys typed before the chat read any, with Enter as a carriage return. Later calls return nothing."""
    keys = b"".join(_early).decode("utf-8", errors="replace")
    _early.clear()
    return keys.replace("\n", "\r")


@contextmanager
def no_echo(descriptor: int | None = None) -> Iterator[None]:
    """Keep keys typed within the block for the next prompt, without echo; Ctrl-C stays a signal.

    Otherwise they would appear in the middle of a reply, and Enter would reach the prompt as a line feed.
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

    def set_mode() -> None:
        with suppress(termios.error):
            if termios.tcgetattr(terminal)[3] & termios.ECHO:
                termios.tcsetattr(terminal, termios.TCSANOW, changed)

    try:
        termios.tcsetattr(terminal, termios.TCSANOW, changed)
        if former[0] & termios.ICRNL:
            # These keys were typed while Enter still became a line feed.
            while select.select([terminal], [], [], 0)[0] and (keys := os.read(terminal, 4096)):
                _early.append(keys)
        with _reset_after_suspension(set_mode):
            yield
    finally:
        with suppress(termios.error):  # A terminal that is gone needs no restoring.
            termios.tcsetattr(terminal, termios.TCSANOW, former)


@contextmanager
def _reset_after_suspension(set_mode: Callable[[], None]) -> Iterator[None]:
    """Call `set_mode` when the program continues: the shell changes the terminal while it is suspended."""
    former = None
    _active.append(set_mode)
    with suppress(ValueError):  # Only the main thread may handle signals.
        former = signal.signal(signal.SIGCONT, lambda number, frame: set_mode())
    try:
        yield
    finally:
        _active.pop()
        if former is not None:
            signal.signal(signal.SIGCONT, former)
