"""Convert rows of memories and changes to values, and times to their stored form."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, wraps
from sqlite3 import Row
from typing import ParamSpec, TypeVar

from memchat.core.protocols import Candidate, Embedded
from memchat.core.types import Change, Event, Evidence, Memory, Owner, Scope, Source
from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.storage.vectors.codec import decode_vectors
from memchat.text.normalize import fix_surrogates

COLUMNS = """
    m.*, o.kind AS owner_kind, o.name AS owner_name,
    (SELECT json_group_array(former.id) FROM memories AS former WHERE former.superseded_by = m.id) AS supersedes
"""


TABLES = "memories AS m JOIN owners AS o ON o.id = m.owner"


def format_time(moment: datetime) -> str:
    """Format a moment as it is stored: UTC, microseconds, sortable as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_column(value: object) -> str:
    """Format `value` as it is stored in a column of JSON."""
    return fix_surrogates(json.dumps(value, ensure_ascii=False))


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def owner_number(database: Database, owner: Owner) -> int | None:
    """Return the number of `owner` in this database, or None if nothing was ever stored for it."""
    found = database.value("SELECT id FROM owners WHERE kind = ? AND name = ?", (owner.kind, owner.name))
    return None if found is None else int(found)


def ensure_owner(database: Database, owner: Owner) -> int:
    """Return the number of `owner` in this database, which is stored if it is new."""
    number = owner_number(database, owner)
    if number is None:
        number = database.insert("INSERT INTO owners (kind, name) VALUES (?, ?)", (owner.kind, owner.name))
    return number


def with_versions(database: Database, ids: Sequence[str]) -> list[str]:
    """Return `ids` with every version that they superseded."""
    return [row[0] for row in database.rows(_WITH_VERSIONS, (json.dumps(list(ids)),))]


_WITH_VERSIONS = """
    WITH RECURSIVE chain (id) AS (
        SELECT value FROM json_each(?) UNION SELECT m.id FROM memories AS m JOIN chain ON m.superseded_by = chain.id
    ) SELECT id FROM chain
"""


Given = ParamSpec("Given")


Read = TypeVar("Read")


def raises_on_corruption(read: Callable[Given, Read]) -> Callable[Given, Read]:
    """Wrap `read` so that a row with damaged values raises StoreError."""

    @wraps(read)
    def reading(*args: Given.args, **kwargs: Given.kwargs) -> Read:
        try:
            return read(*args, **kwargs)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise StoreError(
                "The database is damaged: a row in it cannot be read.",
                hint="Run memchat doctor to see which, or restore a backup.",
            ) from error

    return reading


@raises_on_corruption
def to_memory(row: sqlite3.Row) -> Memory:
    """Convert a row of COLUMNS."""
    return Memory(
        id=row["id"],
        owner=Owner(Scope(row["owner_kind"]), row["owner_name"]),
        text=row["text"],
        scope=Scope(row["scope"]),
        category=row["category"],
        created_at=parse_time(row["created_at"]),
        updated_at=parse_time(row["updated_at"]),
        session_id=row["session_id"] or None,
        agent=row["agent"],
        metadata={} if row["metadata"] == "{}" else dict(json.loads(row["metadata"])),
        valid_from=to_day(row["valid_from"]),
        valid_to=to_day(row["valid_to"]),
        expires_at=_moment(row["expires_at"]),
        confirmed_at=_moment(row["confirmed_at"]),
        last_used_at=_moment(row["last_used_at"]),
        supersedes=to_items(row["supersedes"]),
        superseded_by=row["superseded_by"],
        mistaken=bool(row["mistaken"]),
        doubtful=bool(row["doubtful"]),
        standing=bool(row["standing"]),
        verbatim=bool(row["verbatim"]),
        source=Source(row["source"]),
        cues=to_items(row["cues"]),
        evidence=None
        if row["message_id"] is None
        else Evidence(row["message_id"], row["evidence_session"] or "", row["quote"] or "", row["model"] or ""),
    )


@lru_cache(maxsize=4_096)
def to_items(text: str) -> tuple[str, ...]:
    """Parse a JSON list. Cached, since recall reads those of the same few hundred memories every turn."""
    return tuple(json.loads(text))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def to_day(text: str | None) -> date | None:
    """Parse a stored day."""
    return None if text is None else date.fromisoformat(text)


@raises_on_corruption
def to_change(row: Row) -> Change:
    """Convert a row of `changes`."""
    return Change(
        row["seq"],
        row["memory_id"],
        Event(row["event"]),
        parse_time(row["at"]),
        row["old_text"],
        row["new_text"],
        row["reason"],
        to_day(row["planned_end"]),
    )


@raises_on_corruption
def to_candidate(row: Row, fingerprint: str) -> Candidate:
    """Convert a row of `MemoryReader.candidates`; unusable vectors are left out."""
    import numpy as np

    embedded = decode_vectors(row["kinds"], row["vectors"], fingerprint)
    return Candidate(
        id=row["id"],
        text=row["text"],
        cues=to_items(row["cues"]),
        day=date.fromisoformat(row["day"]),
        valid_to=to_day(row["valid_to"]),
        doubtful=bool(row["doubtful"]),
        verbatim=bool(row["verbatim"]),
        session_id=row["session_id"] or None,
        embedded=embedded or Embedded((), np.zeros((0, 0), dtype=np.float32)),
        previous=row["previous"],
        following=row["following"],
    )
