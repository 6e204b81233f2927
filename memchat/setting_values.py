"""Parsers of setting values. Each raises ValueError with the reason, for example "it must be on or off"."""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from memchat.core.types import MetadataValue

Choice = TypeVar("Choice", bound=StrEnum)

SWITCH_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("1", "true", "yes"), "on"),
    **dict.fromkeys(("0", "false", "no"), "off"),
}
"""Other words for on and off."""


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be text")
    return value


def nonblank_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it must be text that is not empty")
    return value.strip()


def switch(value: object) -> bool:
    word = str(value).strip().lower()
    word = SWITCH_WORDS.get(word, word)
    if word not in {"on", "off"}:
        raise ValueError("it must be on or off")
    return word == "on"


def choice(kind: type[Choice], synonyms: Mapping[str, str] | None = None) -> Callable[[object], Choice]:
    """Create a parser for the values of an enumeration, ignoring case."""

    def parse(value: object) -> Choice:
        word = str(value).strip().lower()
        try:
            return kind((synonyms or {}).get(word, word))
        except ValueError:
            *others, last = kind
            raise ValueError(f"it must be {', '.join(others)} or {last}") from None

    return parse


def count(least: int) -> Callable[[object], int]:
    """Create a parser for whole numbers from `least` on."""

    def parse(value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError("it must be a whole number") from None
        if number < least:
            raise ValueError(f"it must be at least {least}")
        return number

    return parse


def seconds(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError("it must be a number of seconds") from None
    if not 0 < number < 86_400:
        raise ValueError("it must be between 0 and 86400 seconds")
    return number


def words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError("it must be a list of words")
    return tuple(value)


def pairs(value: object) -> dict[str, MetadataValue]:
    """Parse a table of plain values, as metadata."""
    if not isinstance(value, dict) or not all(isinstance(v, str | int | float | bool) for v in value.values()):
        raise ValueError("it must be a table of plain values")
    if not all(math.isfinite(v) for v in value.values() if isinstance(v, float)):
        raise ValueError("its numbers must be finite")
    return value
