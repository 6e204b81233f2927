"""A thing many threads use at once, until one of them has to close it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class ReadWriteLock:
    """Open from the start. Shutting it waits until everybody who is in has left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._open = True

    @contextmanager
    def read(self) -> Generator[bool]:
        """Yields whether the gate is open; while the block runs, it then cannot be shut."""
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
        """Keep everybody out while the block runs; it stays shut if the block fails."""
        self.close()
        yield
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Shut it for good."""
        with self._changed:
            self._open = False
            self._changed.wait_for(lambda: self._inside == 0)
