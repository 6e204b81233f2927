"""Tell what a terminal can show, and style text for those that can."""

import os
import sys
from collections.abc import Mapping
from typing import TextIO

NARROWEST = 24
"""Minimum width of a last column, in cells; a narrower one moves to lines of its own."""
_CODES = {"bold": "1", "dim": "2", "red": "31", "yellow": "33"}


def is_dumb(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the terminal does not support escape sequences, by its name in TERM."""
    return environ.get("TERM", "dumb").lower() in {"dumb", "unknown"}


def styled(text: str, style: str, stream: TextIO, environ: Mapping[str, str] = os.environ) -> str:
    """Style `text` ("bold", "dim", "red", "yellow"; "" for none) if `stream` is a terminal that supports it."""
    plain = not style or not stream.isatty() or environ.get("NO_COLOR") or is_dumb(environ)
    return text if plain else f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def cells(text: str) -> int:
    """Return the number of terminal cells that one line of text takes."""
    if text.isascii():
        return len(text)
    # A chat loads prompt_toolkit before its first prompt; loading rich as well would delay that prompt.
    if (loaded := sys.modules.get("prompt_toolkit.utils")) is not None:
        width: int = loaded.get_cwidth(text)
        return width
    from rich.cells import cell_len

    return cell_len(text)
