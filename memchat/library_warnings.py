"""Silence Python warnings from libraries: they are never printed and never raised, even under `-W error`.

They are meant for developers. Warnings that memchat itself causes are errors in its tests.
"""

import logging
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_ignoring = ContextVar("ignoring", default=False)
_changing = threading.Lock()


def silence_library_warnings() -> None:
    """Ignore every warning in this process, even with -W or PYTHONWARNINGS. Only for memchat's own programs.

    Warnings that pass the filter, because a library inserted its own before it, go to the log.
    """
    warnings.simplefilter("ignore")
    logging.captureWarnings(True)


@contextmanager
def ignore_library_warnings() -> Generator[None]:
    """Ignore warnings in this thread or task within the block. The embedding program's warnings stay as they are.

    `warnings.catch_warnings` replaces the filters of all threads: two overlapping blocks leave the wrong ones behind.
    """
    _put_filter_first()
    token = _ignoring.set(True)
    try:
        yield
    finally:
        _ignoring.reset(token)


class _WhileIgnoring:
    """A filter's message pattern that matches everything while the current thread or task ignores warnings."""

    def match(self, text: str) -> bool:
        return _ignoring.get()


_FILTER: Any = ("ignore", _WhileIgnoring(), Warning, None, 0)


def _put_filter_first() -> None:
    """Move our filter to the front again: filters added since the last call come before it."""
    filters: Any = warnings.filters
    if filters and filters[0] is _FILTER:
        return
    with _changing:
        filters.insert(0, _FILTER)
        for index in range(len(filters) - 1, 0, -1):
            if filters[index] is _FILTER:
                del filters[index]
