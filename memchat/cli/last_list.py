"""The rows of the list that a user saw last: `memchat forget @2` means its second row.

A small file in memchat's home, readable by its owner alone, which holds no id, no name and no text, only digests: what
is forgotten leaves nothing there to be found.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from memchat.config import Settings
from memchat.errors import NotFound, UsageError

MOST_ROWS = 1_000
_ROW = re.compile(r"@(\d{1,4})")


class LastList:
    """The last list of one `kind`, memories or conversations, of the user of `settings`."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self._file = settings.home / "last_list.json"
        self._key = f"{kind} {_digest(settings.user)}"
        self._kind = kind

    def save(self, ids: Sequence[str]) -> None:
        """Number these rows from 1 on. A list that cannot be saved is still a list."""
        lists = _read(self._file) | {self._key: [_digest(id_) for id_ in ids[:MOST_ROWS]]}
        fresh = self._file.with_name(".last_list.new")
        with suppress(OSError):
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(lists, file)
            fresh.replace(self._file)

    def id_of(self, given: str, known: Iterable[str]) -> str:
        """The id among `known` that `given` means as @N; else `given` itself. UsageError, NotFound."""
        match = _ROW.fullmatch(given)
        if match is None:
            return given
        rows = _read(self._file).get(self._key, [])
        number = int(match[1])
        if not rows:
            raise UsageError(f"No list of {self._kind} was shown yet that {given} could mean.")
        if not 1 <= number <= len(rows):
            raise UsageError(f"The last list of {self._kind} has no row {number}, only 1 to {len(rows)}.")
        found = next((id_ for id_ in known if _digest(id_) == rows[number - 1]), None)
        if found is None:
            raise NotFound(f"What row {number} of the last list showed is gone.")
        return found


def numbered(
    settings: Settings, kind: str, ids: Sequence[str], short: Mapping[str, str] | None
) -> dict[str, str] | None:
    """How a terminal shows the ids of a list, each with its number, which is kept; None where no terminal shows it."""
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
