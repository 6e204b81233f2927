"""Inspect the database for damage: whether the file is whole, and whether its rows agree with each other."""

import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from sqlite3 import Row

from memchat.core.types import Event, JobState, MessageStatus, Role
from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.storage.fulltext import terms
from memchat.storage.memory_rows import COLUMNS, TABLES, to_memory
from memchat.storage.message_index import unsearchable
from memchat.storage.results import JobSummary, Unreadable, VectorProblem
from memchat.storage.vectors.reembedding import vector_problems

ROWS = 500
"""Rows read at a time."""


class DatabaseInspection:
    """Reads one database for damage. Raises StoreError if it cannot be read at all."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.name = str(database.path)

    @property
    def version(self) -> int:
        """The number of migrations applied to the database."""
        return int(self._db.value("PRAGMA user_version"))

    def complaints(self) -> list[str]:
        """Return what SQLite's own check finds wrong; nothing for an intact file."""
        told = "\n".join(row[0] for row in self._db.rows("PRAGMA integrity_check(100)"))
        return [line for line in told.splitlines() if line != "ok" and not line.startswith("***")]

    def broken_references(self) -> dict[str, int]:
        """Count the rows that refer to missing rows, by table."""
        return dict(Counter(row["table"] for row in self._db.rows("PRAGMA foreign_key_check")))

    def unreadable_memories(self) -> Unreadable:
        count, lost = 0, []
        for number, row in readable(self._db, COLUMNS, TABLES, "m.number"):
            count += 1
            if not _reads(row):
                memory_id = f"number {number}"
                with suppress(StoreError):
                    memory_id = str(self._db.value("SELECT id FROM memories WHERE number = ?", (number,)))
                lost.append(memory_id)
        return Unreadable(count, tuple(lost))

    def unreadable_messages(self) -> Unreadable:
        lost = []
        for _, row in readable(self._db, "m.*", "messages AS m", "m.number"):
            if row is None:
                lost.append("?")
                continue
            with suppress(ValueError):
                datetime.fromisoformat(row["created_at"])
                if row["role"] in set(Role) and row["status"] in set(MessageStatus):
                    continue
            lost.append(str(row["id"]))
        return Unreadable(int(self._db.value("SELECT count(*) FROM messages")), tuple(lost))

    def conversations(self) -> int:
        """Count the conversations whose times can be read."""
        return int(self._db.value("SELECT count(*) FROM sessions WHERE julianday(last_at) IS NOT NULL"))

    def check_fulltext(self) -> tuple[int, int]:
        """Count the memories that the full-text index lacks, and its surplus entries."""
        self._db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        extra = self._db.value("SELECT count(*) FROM words WHERE rowid NOT IN (SELECT number FROM memories)")
        return len(missing_from_fulltext(self._db)), int(extra)

    def check_message_index(self) -> tuple[int, int]:
        """Count the messages that search cannot find, and the entries whose messages are gone."""
        self._db.execute("INSERT INTO message_words (message_words) VALUES ('integrity-check')")
        extra = self._db.value("SELECT count(*) FROM message_words WHERE rowid NOT IN (SELECT number FROM messages)")
        return len(unsearchable(self._db)), int(extra)

    def vector_problems(self, fingerprint: str) -> dict[VectorProblem, int]:
        """Count the memories that vector search cannot find, by reason."""
        return dict(Counter(fault for _, fault in vector_problems(self._db, fingerprint)))

    def misowned_vectors(self) -> int:
        """Count the memories whose vectors are stored under another owner."""
        sql = "SELECT count(*) FROM vectors AS v JOIN memories AS m USING (number) WHERE v.owner <> m.owner"
        return int(self._db.value(sql))

    def replaced_by_missing(self) -> list[str]:
        """List the ids of memories that were replaced by a missing one."""
        missing = "superseded_by NOT IN (SELECT id FROM memories)"
        sql = f"SELECT id FROM memories WHERE superseded_by IS NOT NULL AND {missing}"
        return [row[0] for row in self._db.rows(sql)]

    def history_of_missing(self) -> int:
        """Count the missing memories that the history names."""
        sql = "SELECT count(DISTINCT memory_id) FROM changes WHERE memory_id NOT IN (SELECT id FROM memories)"
        return int(self._db.value(sql))

    def unknown_events(self) -> list[str]:
        known = set(Event)
        return [row[0] for row in self._db.rows("SELECT DISTINCT event FROM changes") if row[0] not in known]

    def unknown_job_states(self) -> list[str]:
        known = set(JobState)
        return [row[0] for row in self._db.rows("SELECT DISTINCT state FROM work") if row[0] not in known]

    def jobs(self) -> list[JobSummary]:
        """List the pending learning jobs, oldest first."""
        rows = self._db.rows("SELECT user, attempts, created_at, error FROM work ORDER BY id")
        return [JobSummary(row["user"], row["attempts"], row["created_at"], row["error"]) for row in rows]

    def unfinished_erasures(self) -> int:
        return int(self._db.value("SELECT count(*) FROM erasures WHERE finished = 0"))

    @contextmanager
    def damage_as_store_error(self) -> Generator[None]:
        """Raise StoreError for what damaged rows make SQLite or Python raise."""
        try:
            yield
        except (sqlite3.Error, LookupError, ValueError, TypeError) as error:
            raise StoreError(f"{self.name} is damaged: {error}.") from error

    @staticmethod
    def is_external(error: Exception) -> bool:
        """Return whether the cause is the disk or another program rather than the content of the file."""
        text = str(error.__cause__)
        reasons = ("readonly", "unable to open", "full", "disk I/O", "locked", "busy")
        return isinstance(error.__cause__, sqlite3.OperationalError) and any(reason in text for reason in reasons)

    @staticmethod
    def only_indexes(found: Iterable[str]) -> bool:
        """Return whether SQLite can repair all that its check found: indexes, not the rows they point to."""
        return all("index" in line and "malformed" not in line and "Page" not in line for line in found)


def missing_from_fulltext(database: Database) -> list[int]:
    """List the numbers of the memories whose full-text entry is missing or wrong."""
    columns = f"{COLUMNS}, w.terms AS terms"
    tables = f"{TABLES} LEFT JOIN words AS w ON w.rowid = m.number"
    return [
        number
        for number, row in readable(database, columns, tables, "m.number")
        if row is not None and _reads(row) and row["terms"] != terms(row["owner"], to_memory(row))
    ]


def readable(database: Database, columns: str, tables: str, number: str) -> Iterator[tuple[int, Row | None]]:
    """Yield the rows of `tables` by ascending `number`, and None for each that cannot be read."""
    last = -1
    while keys := database.rows(
        f"SELECT {number} AS place FROM {tables} WHERE {number} > ? ORDER BY 1 LIMIT ?", (last, ROWS)
    ):
        first, last = keys[0]["place"], keys[-1]["place"]
        between = f"SELECT {number} AS place, {columns} FROM {tables} WHERE {number} BETWEEN ? AND ? ORDER BY 1"
        try:
            found: dict[int, Row | None] = {row["place"]: row for row in database.rows(between, (first, last))}
        except StoreError:
            found = {}
            for (place,) in keys:
                with suppress(StoreError):
                    found[place] = database.row(between, (place, place))
        yield from ((place, found.get(place)) for (place,) in keys)


def _reads(row: Row | None) -> bool:
    try:
        return row is not None and bool(to_memory(row).id)
    except StoreError:
        return False
