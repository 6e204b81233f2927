"""Test the metadata of a memory: the SQL functions `holds` and `satisfies`."""

import json
from functools import lru_cache
from typing import Any

from memchat.core.conditions import Condition, from_json, holds, same

FIELDS = ("created_at", "updated_at", "expires_at", "valid_from", "valid_to")
"""The columns beside metadata and category that a condition may ask about, in the order `satisfies` takes them."""


def metadata_contains(metadata: str, wanted: str) -> bool:
    """Return whether the JSON object `metadata` has every pair of the JSON object `wanted`.

    Values are the same when they are equal numbers or read the same as text, since a command line has only text.
    """
    held = json.loads(metadata)
    return all(key in held and same(held[key], value) for key, value in _parsed(wanted).items())


_parsed = lru_cache(maxsize=64)(json.loads)
"""Parse what is wanted once, not for every row."""


def satisfies(condition: str, metadata: str, category: str, *times: str | None) -> bool:
    """Return whether `condition`, as JSON, is true of a memory with these columns."""
    held = json.loads(metadata)
    fields: dict[str, tuple[Any, ...]] = {name: (value,) for name, value in held.items()}
    others = [name.strip() for name in str(held.get("categories", "")).split(",") if name.strip()]
    fields |= {"category": (category,), "categories": (category, *others)}
    named = zip(FIELDS, times, strict=True)
    fields |= {_NAMES.get(name, name): (value,) for name, value in named if value is not None}
    return holds(_condition(condition), fields)


_NAMES = {"expires_at": "expiration_date"}


@lru_cache(maxsize=64)
def _condition(text: str) -> Condition:
    return from_json(json.loads(text))
