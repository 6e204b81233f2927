"""The rows of the last list a user saw: `memchat forget @2` means its second row.

They are stored in a small file in memchat's home that only its owner can read. It contains digests instead of ids,
names and texts, so that deleted memories leave nothing behind in it.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from memchat.config import Settings
from memchat.errors import NotFound, UsageError
from memchat.private_files import write_private

MOST_ROWS = 1_000
_ROW = re.compile(r"@(\d{1,4})")


class LastList:
    """The last list of one `kind` ("memories" or "conversations") that the user of `settings` saw."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self._file = settings.home / "last_list.json"
        self._key = f"{kind} {_digest(settings.user)}"
        self._kind = kind

    def save(self, ids: Sequence[str]) -> None:
        """Store the ids of the rows, numbered from 1. Failing to write the file is not an error."""
        lists = _read(self._file) | {self._key: [_digest(id_) for id_ in ids[:MOST_ROWS]]}
        with suppress(OSError):
            write_private(self._file, json.dumps(lists))

    def id_of(self, given: str, known: Iterable[str]) -> str:
        """Resolve @N to one of the `known` ids; any other text is returned unchanged. Raises UsageError, NotFound."""
        match = _ROW.fullmatch(given)
        if match is None:
            return given
        rows = _read(self._file).get(self._key, [])
        number = int(match[1])
        if not rows:
            hint = f"Use an id, or list your {self._kind} first."
            raise UsageError(f"{given} refers to a list of {self._kind}, and none was shown yet.", hint=hint)
        if not 1 <= number <= len(rows):
            raise UsageError(f"The last list of {self._kind} has no row {number}, only 1 to {len(rows)}.")
        found = next((id_ for id_ in known if _digest(id_) == rows[number - 1]), None)
        if found is None:
            raise NotFound(f"Row {number} of the last list no longer exists.")
        return found


def save_numbered(
    settings: Settings, kind: str, ids: Sequence[str], short: Mapping[str, str] | None
) -> dict[str, str] | None:
    """Save the list, and map each id to its number and `short` id as shown. None if stdout is not a terminal."""
    if short is None or not sys.stdout.isatty():
        return None
    LastList(settings, kind).save(ids)
    width = len(str(len(ids))) + 1
    return {id_: f"{f'@{number}':<{width}} {short.get(id_, id_)}" for number, id_ in enumerate(ids, 1)}


def _read(file: Path) -> dict[str, list[str]]:
    try:
        lists = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return lists if isinstance(lists, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
