"""Read many memories fast: only what a list shows, or JSON that SQLite writes itself."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from memchat.core.protocols import MemoryFilter
from memchat.storage.database import Database
from memchat.storage.memory_filter import SINCE, where_clause
from memchat.storage.memory_rows import TABLES, owner_number
from memchat.storage.results import MemoryListItem, Sort

_ORDER = {
    Sort.CREATED: "",
    Sort.UPDATED: "m.updated_at DESC, ",
    Sort.SINCE: f"{SINCE} DESC, ",
    Sort.CATEGORY: "m.category, ",
    Sort.TEXT: "m.text COLLATE NOCASE, ",
}

_SHOWN = f"""m.id, coalesce({SINCE}, '?'), m.category, m.text, m.scope, o.name, m.valid_to,
    m.superseded_by IS NOT NULL, m.mistaken, m.doubtful"""

_JSON = """json_object(
    'id', m.id,
    'text', m.text,
    'owner', json_object('kind', o.kind, 'name', o.name),
    'scope', m.scope,
    'category', m.category,
    'agent', m.agent,
    'session', nullif(m.session_id, ''),
    'metadata', json(m.metadata),
    'cues', json(m.cues),
    'standing', json(iif(m.standing, 'true', 'false')),
    'verbatim', json(iif(m.verbatim, 'true', 'false')),
    'source', m.source,
    'valid_from', m.valid_from,
    'valid_to', m.valid_to,
    'created_at', m.created_at,
    'updated_at', m.updated_at,
    'expires_at', m.expires_at,
    'confirmed_at', m.confirmed_at,
    'last_used_at', m.last_used_at,
    'supersedes', json((SELECT json_group_array(former.id) FROM memories AS former WHERE former.superseded_by = m.id)),
    'superseded_by', m.superseded_by,
    'mistaken', json(iif(m.mistaken, 'true', 'false')),
    'doubtful', json(iif(m.doubtful, 'true', 'false')),
    'evidence', CASE WHEN m.message_id IS NOT NULL THEN json_object(
        'message', m.message_id,
        'session', coalesce(m.evidence_session, ''),
        'quote', coalesce(m.quote, ''),
        'model', coalesce(m.model, '')) END)"""


def listed(
    database: Database, view: MemoryFilter, now: datetime, limit: int | None = None, sort: Sort = Sort.CREATED
) -> Iterator[MemoryListItem]:
    """Yield the memories of `view`, ordered by `sort`."""
    for row in _rows(database, _SHOWN, view, now, limit, sort):
        yield MemoryListItem(*row)


def listed_json(
    database: Database, view: MemoryFilter, now: datetime, limit: int | None = None, sort: Sort = Sort.CREATED
) -> Iterator[str]:
    """Yield the same as JSON objects, with the keys of `serialization.memory_json`."""
    for (text,) in _rows(database, _JSON, view, now, limit, sort):
        yield text


def _rows(
    database: Database, columns: str, view: MemoryFilter, now: datetime, limit: int | None, sort: Sort
) -> list[sqlite3.Row]:
    numbers = [number for owner in view.owners if (number := owner_number(database, owner)) is not None]
    if not numbers:
        return []
    where, values = where_clause(view, numbers, now)
    parameters: list[Any] = [*values, -1 if limit is None else limit]
    order = f"{_ORDER[sort]}m.number DESC"
    return database.rows(f"SELECT {columns} FROM {TABLES} WHERE {where} ORDER BY {order} LIMIT ?", parameters)
