"""Names and ids for the completion of a shell, read straight from the database file.

Nothing is created, migrated or locked, and no failure is told: a shell that completes must not print an error.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from memchat.storage.database import DATABASE, address_to_read
from memchat.storage.short_ids import is_generated, short_ids

MOST = 200
"""Maximum number of suggestions, newest first."""
_PATIENCE_S = 0.2

Named = tuple[str, str]
"""A suggestion, with words that describe it."""


class CompletionReader:
    """Read suggestions from the database in `home`; there are none if it cannot be read."""

    def __init__(self, home: Path) -> None:
        self._path = home / DATABASE

    def memories(self, user: str, agent: str | None, typed: str) -> list[Named]:
        """List the ids of the memories of `user`, and of `agent` if given, with their text."""
        owners = [("user", user), *([("agent", agent)] if agent else [])]
        marks = ", ".join(["(?, ?)"] * len(owners))
        found = self._rows(
            f"""SELECT m.id, m.text FROM memories AS m JOIN owners AS o ON o.id = m.owner
            WHERE (o.kind, o.name) IN (VALUES {marks}) AND m.superseded_by IS NULL ORDER BY m.number DESC""",
            [part for owner in owners for part in owner],
        )
        return _by_id(found, typed)

    def sessions(self, user: str, typed: str) -> list[Named]:
        """List the ids and names of the conversations of `user`, with their titles."""
        return _by_id(self._rows("SELECT id, title FROM sessions WHERE user = ? ORDER BY last_at DESC", [user]), typed)

    def users(self) -> list[str]:
        """List the users with memories or conversations."""
        sql = "SELECT name FROM owners WHERE kind = 'user' UNION SELECT user FROM sessions ORDER BY 1"
        return [name for (name,) in self._rows(sql)][:MOST]

    def agents(self) -> list[str]:
        """List the agents with memories or conversations."""
        sql = """SELECT name FROM owners WHERE kind = 'agent'
            UNION SELECT agent FROM sessions WHERE agent IS NOT NULL ORDER BY 1"""
        return [name for (name,) in self._rows(sql)][:MOST]

    def _rows(self, sql: str, parameters: Sequence[str] = ()) -> list[tuple[str, ...]]:
        if not self._path.is_file():
            return []
        try:
            with closing(sqlite3.connect(address_to_read(self._path), uri=True, timeout=_PATIENCE_S)) as connection:
                return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error:
            return []


def _by_id(rows: Sequence[tuple[str, ...]], typed: str) -> list[Named]:
    """Return the short ids that begin with `typed`, else the whole ones. Names given by people are never shortened."""
    short = short_ids([id_ for id_, _ in rows if is_generated(id_)])
    shown = [(short.get(id_, id_), words) for id_, words in rows]
    found = [pair for pair in shown if pair[0].startswith(typed)]
    if not found:
        found = [(id_, words) for id_, words in rows if id_.startswith(typed)]
    return found[:MOST]
