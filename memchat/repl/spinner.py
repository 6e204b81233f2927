"""A sign of life while nothing has arrived yet: one dim mark, gone before anything is printed."""

import threading
from collections.abc import Callable

QUIET_S = 0.6
"""How long a person waits without wondering, in seconds."""
_MARK, _WIPE = "\x1b[2m…\x1b[0m", "\r\x1b[K"


class Spinner:
    """Shows the mark after QUIET_S unless `end` comes first; `end` wipes it and may be called more than once."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._over = self._shown = False
        self._timer = threading.Timer(QUIET_S, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        with self._lock:
            if not self._over:
                self._shown = True
                self._write(_MARK)

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            if self._shown and not self._over:
                self._write(_WIPE)
            self._over = True
