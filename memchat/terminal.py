"""Tell what a terminal can show, and style text for those that can."""

import os
from collections.abc import Mapping
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "yellow": "33"}


def is_dumb(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the terminal does not support escape sequences, by its name in TERM."""
    return environ.get("TERM", "dumb").lower() in {"dumb", "unknown"}


def styled(text: str, style: str, stream: TextIO, environ: Mapping[str, str] = os.environ) -> str:
    """Style `text` ("bold", "dim", "red", "yellow"; "" for none) if `stream` is a terminal that supports it."""
    plain = not style or not stream.isatty() or environ.get("NO_COLOR") or is_dumb(environ)
    return text if plain else f"\x1b[{_CODES[style]}m{text}\x1b[0m"
