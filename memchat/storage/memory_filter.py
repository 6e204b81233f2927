"""A `MemoryFilter` as SQL: one table says what each field asks of a memory."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Evidence, Memory, Owner, Scope, Source
from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.text.normalize import fix_surrogates

COLUMNS = """
    m.*, o.kind AS owner_kind, o.name AS owner_name,
    (SELECT json_group_array(former.id) FROM memories AS former WHERE former.superseded_by = m.id) AS supersedes
"""
TABLES = "memories AS m JOIN owners AS o ON o.id = m.owner"


def format_time(moment: datetime) -> str:
    """A moment as it is stored: UTC, microseconds, sortable as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def owner_number(database: Database, owner: Owner) -> int | None:
    """The number of `owner` in this database, or None when nothing was ever stored for it."""
    found = database.value("SELECT id FROM owners WHERE kind = ? AND name = ?", (owner.kind, owner.name))
    return None if found is None else int(found)


def with_versions(database: Database, ids: Sequence[str]) -> list[str]:
    """`ids` and every version that they superseded."""
    return [row[0] for row in database.rows(_WITH_VERSIONS, (json.dumps(list(ids)),))]


_WITH_VERSIONS = """
    WITH RECURSIVE chain (id) AS (
        SELECT value FROM json_each(?) UNION SELECT m.id FROM memories AS m JOIN chain ON m.superseded_by = chain.id
    ) SELECT id FROM chain
"""


SINCE = "coalesce(m.valid_from, date(m.created_at, 'localtime'))"
"""The day a list shows as SINCE: when a memory became true, or else the local day on which it was created."""

Clause = tuple[str, Sequence[Any]]
"""A condition over `memories AS m`, with its parameters."""


@dataclass(frozen=True, slots=True)
class FilterField:
    """What one field of a `MemoryFilter`, or two that only mean something together, ask of a memory.

    `clause` makes the condition for a view and the present moment; None where the view asks for nothing. With `narrows`
    a value other than the default needs the list of the memories that are shown. The others hide memories of other
    sessions and expired ones, which an index of their own lists.
    """

    names: tuple[str, ...]
    clause: Callable[[MemoryFilter, datetime], Clause | None]
    narrows: bool = True


def _session(view: MemoryFilter, now: datetime) -> Clause | None:
    return None if view.all_sessions else ("(m.session_id = '' OR m.session_id = ?)", [view.session_id or ""])


def _scope(view: MemoryFilter, now: datetime) -> Clause | None:
    return None if view.scope is None else ("m.scope = ?", [view.scope])


def _agent(view: MemoryFilter, now: datetime) -> Clause | None:
    return None if view.agent is None else ("m.agent = ?", [view.agent])


def _categories(view: MemoryFilter, now: datetime) -> Clause | None:
    marks = ",".join("?" * len(view.categories))
    return (f"m.category IN ({marks})", view.categories) if view.categories else None


def _metadata(view: MemoryFilter, now: datetime) -> Clause | None:
    wanted = fix_surrogates(json.dumps(dict(view.where), ensure_ascii=False))
    return ("m.metadata <> '{}' AND holds(m.metadata, ?)", [wanted]) if view.where else None


def _since(view: MemoryFilter, now: datetime) -> Clause | None:
    return None if view.since is None else (f"{SINCE} >= ?", [view.since.isoformat()])


def _until(view: MemoryFilter, now: datetime) -> Clause | None:
    return None if view.until is None else (f"{SINCE} <= ?", [view.until.isoformat()])


def _versions(view: MemoryFilter, now: datetime) -> Clause | None:
    if view.as_of is None:
        return None if view.superseded else ("m.superseded_by IS NULL", [])
    day = view.as_of.isoformat()
    held = """m.mistaken = 0 AND coalesce(m.valid_from, substr(m.created_at, 1, 10)) <= ?
        AND (m.valid_to IS NULL OR m.valid_to > ?)"""
    return held, [day, day]


def _expired(view: MemoryFilter, now: datetime) -> Clause | None:
    return None if view.expired else ("(m.expires_at IS NULL OR m.expires_at > ?)", [format_time(now)])


FIELDS = (
    FilterField(("session_id", "all_sessions"), _session, narrows=False),
    FilterField(("scope",), _scope),
    FilterField(("agent",), _agent),
    FilterField(("categories",), _categories),
    FilterField(("where",), _metadata),
    FilterField(("since",), _since),
    FilterField(("until",), _until),
    FilterField(("superseded", "as_of"), _versions),
    FilterField(("expired",), _expired, narrows=False),
)
"""Every field of a `MemoryFilter` but its owners. SQL, counts and vector search all read this table."""


def where_clause(view: MemoryFilter, owners: Sequence[int], now: datetime) -> Clause:
    """The WHERE clause over `memories AS m` for `view`, with its parameters."""
    asked = [clause for field in FIELDS if (clause := field.clause(view, now)) is not None]
    clauses = [(f"m.owner IN ({','.join('?' * len(owners))})", owners), *asked]
    return " AND ".join(sql for sql, _ in clauses), [value for _, values in clauses for value in values]


def narrows(view: MemoryFilter) -> bool:
    """Whether `view` chooses among an owner's current memories by more than session and expiry, or shows others too."""
    everything = MemoryFilter(view.owners)
    names = (name for field in FIELDS if field.narrows for name in field.names)
    return any(getattr(view, name) != getattr(everything, name) for name in names)


Given = ParamSpec("Given")
Read = TypeVar("Read")


def raises_on_corruption(read: Callable[Given, Read]) -> Callable[Given, Read]:
    """`read` with StoreError for a row whose values were damaged on the disk."""

    @wraps(read)
    def reading(*args: Given.args, **kwargs: Given.kwargs) -> Read:
        try:
            return read(*args, **kwargs)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise StoreError(
                "The database is damaged: a row in it cannot be read.",
                hint="memchat doctor says which; a backup can be put in its place.",
            ) from error

    return reading


@raises_on_corruption
def to_memory(row: sqlite3.Row) -> Memory:
    """A row of COLUMNS as a value."""
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
        evidence=_evidence(row),
    )


def _evidence(row: sqlite3.Row) -> Evidence | None:
    if row["message_id"] is None:
        return None
    return Evidence(row["message_id"], row["evidence_session"] or "", row["quote"] or "", row["model"] or "")


def to_items(text: str) -> tuple[str, ...]:
    """A JSON list. Most are empty, and recall reads hundreds of them."""
    return () if text == "[]" else tuple(json.loads(text))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def to_day(text: str | None) -> date | None:
    """A day as it is stored."""
    return None if text is None else date.fromisoformat(text)
