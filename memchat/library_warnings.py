"""Python's warnings of the libraries below memchat: never printed, and never failures, also where warnings are errors.

They are for developers. Those that memchat itself causes are errors in its tests.
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
    """For a program that is memchat's alone: ignore every warning, over what -W and PYTHONWARNINGS say.

    The log takes those that get past the filter, as a library may put one of its own in front.
    """
    warnings.simplefilter("ignore")
    logging.captureWarnings(True)


@contextmanager
def ignore_library_warnings() -> Generator[None]:
    """Ignore warnings in this thread or task within the block. Those of the program around memchat stay as they are.

    `warnings.catch_warnings` swaps the filters of all threads: two that overlap leave the wrong ones behind.
    """
    _put_filter_first()
    token = _ignoring.set(True)
    try:
        yield
    finally:
        _ignoring.reset(token)


class _WhileIgnoring:
    """Stands for the pattern of a filter, and matches every message while its thread or task ignores warnings."""

    def match(self, text: str) -> bool:
        return _ignoring.get()


_FILTER: Any = ("ignore", _WhileIgnoring(), Warning, None, 0)


def _put_filter_first() -> None:
    """Filters that were added, or put in place of all others, since the last time come before it."""
    filters: Any = warnings.filters
    if filters and filters[0] is _FILTER:
        return
    with _changing:
        filters.insert(0, _FILTER)
        for place in range(len(filters) - 1, 0, -1):
            if filters[place] is _FILTER:
                del filters[place]
