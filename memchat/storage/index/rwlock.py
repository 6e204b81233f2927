"""A lock for many readers and one closer."""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class ReadWriteLock:
    """Open at first. Writing waits until all readers have left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._open = True

    @contextmanager
    def read(self) -> Generator[bool]:
        """Yield whether the lock is open. While the block runs, no writer can enter."""
        with self._changed:
            entered = self._open
            self._inside += entered
        try:
            yield entered
        finally:
            with self._changed:
                self._inside -= entered
                self._changed.notify_all()

    @contextmanager
    def write(self) -> Generator[None]:
        """Keep all readers out while the block runs. The lock stays closed if the block fails."""
        self.close()
        yield
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Close the lock permanently."""
        with self._changed:
            self._open = False
            self._changed.wait_for(lambda: self._inside == 0)
