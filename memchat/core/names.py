"""One spelling for each name of a user, an agent or a conversation: letters with accents have two forms in Unicode."""

import unicodedata
from typing import overload
from urllib.parse import quote, unquote


@overload
def composed(name: str) -> str: ...
@overload
def composed(name: None) -> None: ...
def composed(name: str | None) -> str | None:
    """Return `name` in normal form C, which keyboards produce; macOS file names and some programs use form D."""
    return name if name is None or name.isascii() else unicodedata.normalize("NFC", name)


def composed_id(session_id: str) -> str:
    """Return `session_id` with the names in it in normal form C; see `core.types.run_session`."""
    name, at, whose = session_id.rpartition("@")
    prefix = "/" if whose.startswith("/") else ""
    return f"{_requote(name, ' :.')}{at}{prefix}{_requote(whose.removeprefix('/'), '')}"


def _requote(part: str, safe: str) -> str:
    plain = unquote(part)
    return quote(composed(plain), safe=safe) if quote(plain, safe=safe) == part else composed(part)
