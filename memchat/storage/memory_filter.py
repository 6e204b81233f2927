"""A `MemoryFilter` as SQL: one table says what each field asks of a memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memchat.core.conditions import to_json
from memchat.core.protocols import MemoryFilter
from memchat.storage.database import placeholders
from memchat.storage.memory_rows import format_time, json_column
from memchat.storage.metadata_filter import FIELDS as CONDITION_FIELDS

SINCE = "coalesce(m.valid_from, date(m.created_at, 'localtime'))"
"""The day shown as SINCE: when a memory became true, or else the local day of its creation."""

Clause = tuple[str, Sequence[Any]]
"""A condition over `memories AS m`, with its parameters."""


@dataclass(frozen=True, slots=True)
class FilterField:
    """One field of a `MemoryFilter`, or two that belong together, as a condition on memories.

    `clause` makes the condition for a view and the present moment; None where the view asks for nothing. With `narrows`
    a value other than the default needs the list of the memories that are shown. The others hide memories of other
    sessions and expired ones, which an index of their own lists.
    """

    names: tuple[str, ...]
    clause: Callable[[MemoryFilter, datetime], Clause | None]
    narrows: bool = True


def _compared(name: str, sql: str) -> FilterField:
    """Return the field `name`, whose value, if set, is the parameter of `sql`."""

    def clause(view: MemoryFilter, now: datetime) -> Clause | None:
        value = getattr(view, name)
        return None if value is None else (sql, [str(value)])

    return FilterField((name,), clause)


def _versions(view: MemoryFilter, now: datetime) -> Clause | None:
    if view.as_of is None:
        return None if view.superseded else ("m.superseded_by IS NULL", [])
    day = view.as_of.isoformat()
    held = """m.mistaken = 0 AND coalesce(m.valid_from, substr(m.created_at, 1, 10)) <= ?
        AND (m.valid_to IS NULL OR m.valid_to > ?)"""
    return held, [day, day]


FIELDS = (
    FilterField(
        ("session_id", "all_sessions"),
        lambda view, now: (
            None if view.all_sessions else ("(m.session_id = '' OR m.session_id = ?)", [view.session_id or ""])
        ),
        narrows=False,
    ),
    _compared("scope", "m.scope = ?"),
    _compared("agent", "m.agent = ?"),
    FilterField(
        ("categories",),
        lambda view, now: (
            (f"m.category IN ({placeholders(view.categories)})", view.categories) if view.categories else None
        ),
    ),
    FilterField(
        ("where",),
        lambda view, now: (
            ("m.metadata <> '{}' AND holds(m.metadata, ?)", [json_column(dict(view.where))]) if view.where else None
        ),
    ),
    FilterField(
        ("condition",),
        lambda view, now: (
            None
            if view.condition is None
            else (
                f"satisfies(?, m.metadata, m.category, {', '.join(f'm.{name}' for name in CONDITION_FIELDS)})",
                [json_column(to_json(view.condition))],
            )
        ),
    ),
    _compared("since", f"{SINCE} >= ?"),
    _compared("until", f"{SINCE} <= ?"),
    FilterField(("superseded", "as_of"), _versions),
    FilterField(
        ("expired",),
        lambda view, now: None if view.expired else ("(m.expires_at IS NULL OR m.expires_at > ?)", [format_time(now)]),
        narrows=False,
    ),
)
"""Every field of a `MemoryFilter` but its owners. SQL, counts and vector search all read this table."""


def where_clause(view: MemoryFilter, owners: Sequence[int], now: datetime) -> Clause:
    """Build the WHERE clause over `memories AS m` for `view`, with its parameters."""
    asked = [clause for field in FIELDS if (clause := field.clause(view, now)) is not None]
    clauses = [(f"m.owner IN ({placeholders(owners)})", owners), *asked]
    return " AND ".join(sql for sql, _ in clauses), [value for _, values in clauses for value in values]


def narrows(view: MemoryFilter) -> bool:
    """Return whether `view` excludes current memories by more than session and expiry, or includes other memories."""
    everything = MemoryFilter(view.owners)
    names = (name for field in FIELDS if field.narrows for name in field.names)
    return any(getattr(view, name) != getattr(everything, name) for name in names)
