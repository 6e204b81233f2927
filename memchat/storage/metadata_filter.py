"""Whether a memory's metadata has the pairs a reader asks for: the SQL function `holds`."""

import json
from functools import lru_cache
from typing import Any


def metadata_contains(metadata: str, wanted: str) -> bool:
    """Whether the JSON object `metadata` has every pair of the JSON object `wanted`.

    Values are the same when they are equal numbers or read the same as text, for a command line knows only text.
    """
    held = json.loads(metadata)
    return all(key in held and _same(held[key], value) for key, value in _pairs(wanted))


@lru_cache(maxsize=64)
def _pairs(wanted: str) -> tuple[tuple[str, Any], ...]:
    return tuple(json.loads(wanted).items())


def _same(one: object, other: object) -> bool:
    if _is_number(one) and _is_number(other):
        return one == other
    return _as_text(one) == _as_text(other)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
