"""A spinner for the time before the reply: one dim line, cleared before anything else is printed."""

import shutil
import threading
import time
from collections.abc import Callable

from memchat.repl.terminal_modes import keep_no_echo

QUIET_S = 0.6
"""Time before the spinner appears, in seconds."""
TICK_S = 1.0
WIPE = "\r\x1b[K"
"""Control sequence that clears the current line."""


class Spinner:
    """Shows `label(seconds waited)` after QUIET_S and then every second, until `end` clears it.

    `end` may be called more than once.
    """

    def __init__(self, write: Callable[[str], None], label: Callable[[float], str]) -> None:
        self._write = write
        self._label = label
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._shown = False
        threading.Thread(target=self._run, name="spinner", daemon=True).start()

    def _run(self) -> None:
        pause_s = QUIET_S
        while not self._over.wait(pause_s):
            keep_no_echo()
            with self._lock:
                if self._over.is_set():
                    return
                width = max(shutil.get_terminal_size().columns - 1, 1)
                line = self._label(time.monotonic() - self._began)[:width]
                self._write(f"{WIPE if self._shown else ''}\x1b[2m{line}\x1b[0m")
                self._shown = True
            pause_s = TICK_S

    def end(self) -> None:
        with self._lock:
            if self._shown and not self._over.is_set():
                self._write(WIPE)
            self._over.set()


def waiting_label(what: str = "") -> Callable[[float], str]:
    """Return a label with what is waited for, the seconds so far, and how to stop it."""
    return lambda waited_s: " · ".join([f"{what}… {waited_s:.0f} s" if waited_s >= 1 else f"{what}…", "Ctrl-C stops"])


def countdown_label(what: str, wait_s: float) -> Callable[[float], str]:
    """Return a label that counts down to `what`, from `wait_s` seconds."""
    from memchat.repl.layout import duration

    return lambda waited_s: f"{what} in {duration(max(wait_s - waited_s, 0))} · Ctrl-C stops"
