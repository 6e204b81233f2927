"""Repairs of the database: what can be made again from the memories themselves."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from memchat.core.protocols import Embedder
from memchat.errors import StoreError
from memchat.storage.inspection import DatabaseInspection, missing_from_fulltext
from memchat.storage.memory_rows import COLUMNS, TABLES, to_memory
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.message_index import unsearchable
from memchat.storage.migrations import MIGRATIONS
from memchat.storage.results import VectorProblem
from memchat.storage.vectors.reembedding import Reembedding, vector_problems

_FULLTEXT_TABLE = re.compile(r"CREATE VIRTUAL TABLE words [^;]+")
_MESSAGE_WORDS_TABLE = re.compile(r"CREATE VIRTUAL TABLE message_words\s[^;]*")


class DatabaseRepairs:
    """Repairs the rows of `memories`, with vectors of its fingerprint."""

    def __init__(self, memories: MemoryRepository) -> None:
        self._memories = memories
        self._db = memories.database
        self._reembedding = Reembedding(memories)
        self._inspection = DatabaseInspection(self._db)

    def damage_as_store_error(self) -> AbstractContextManager[None]:
        """Raise StoreError for what damaged rows make SQLite or Python raise."""
        return self._inspection.damage_as_store_error()

    def rebuild_indexes(self) -> str | None:
        """Rebuild SQLite's indexes if nothing else is damaged; return the name of the copy made before."""
        found = self._inspection.complaints()
        if not found or not self._inspection.only_indexes(found):
            return None
        # Where table and index differ, the index may be right.
        copy = self._db.path.with_name(f"{self._db.path.name}.version{len(MIGRATIONS)}.unmended")
        self._db.backup(copy)
        self._db.execute("REINDEX")
        return copy.name

    def remove_strays(self) -> int:
        """Remove vectors, jobs and sizes of what is gone; give vectors under another owner's name back; how many."""
        with self._db.transaction():
            gone = self._db.execute("DELETE FROM vectors WHERE number NOT IN (SELECT number FROM memories)")
            gone += self._db.execute(
                "DELETE FROM work WHERE session_id NOT IN (SELECT id FROM sessions)"
                " OR user_message_id NOT IN (SELECT id FROM messages) OR memory_id NOT IN (SELECT id FROM memories)"
            )
            gone += self._db.execute("DELETE FROM conversation_sizes WHERE session_id NOT IN (SELECT id FROM sessions)")
            moved = self._db.execute(
                "UPDATE vectors SET owner = (SELECT owner FROM memories AS m WHERE m.number = vectors.number)"
                " WHERE owner <> (SELECT owner FROM memories AS m WHERE m.number = vectors.number)"
            )
            if moved:
                self._reembedding.invalidate_caches()
        return gone + moved

    def rebuild_fulltext(self) -> int | None:
        """Repair the full-text index; return the number of memories repaired, or None if nothing was wrong."""
        with self._db.transaction():
            try:
                self._db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
                extra = self._db.execute("DELETE FROM words WHERE rowid NOT IN (SELECT number FROM memories)")
            except StoreError:
                self._db.execute("DROP TABLE IF EXISTS words")
                self._db.execute(
                    next(found[0] for _, script in MIGRATIONS if (found := _FULLTEXT_TABLE.search(script)))
                )
                extra = 1
            numbers = missing_from_fulltext(self._db)
            for number in numbers:
                row = self._db.row(f"SELECT {COLUMNS} FROM {TABLES} WHERE m.number = ?", (number,))
                if row is not None:
                    self._memories.write_words(number, to_memory(row))
        return len(numbers) if numbers or extra else None

    def requeue_messages(self) -> int:
        """Put messages that cannot be found as they should back into the backlog; how many entries were wrong."""
        with self._db.transaction():
            try:
                self._db.execute("INSERT INTO message_words (message_words) VALUES ('integrity-check')")
                gone = "DELETE FROM message_words WHERE rowid NOT IN (SELECT number FROM messages)"
                wrong = self._db.execute(gone)
            except StoreError:
                self._db.execute("DROP TABLE IF EXISTS message_words")
                self._db.execute(
                    next(found[0] for _, script in MIGRATIONS if (found := _MESSAGE_WORDS_TABLE.search(script)))
                )
                wrong = 1
            wrong += self._db.execute(
                "DELETE FROM message_vectors WHERE number NOT IN (SELECT number FROM messages WHERE private = 0)"
            )
            numbers = unsearchable(self._db)
            for number in numbers:
                self._db.execute("DELETE FROM message_vectors WHERE number = ?", (number,))
                self._db.execute(
                    """INSERT OR IGNORE INTO message_backlog (number, user) SELECT m.number, s.user
                        FROM messages AS m JOIN sessions AS s ON s.id = m.session_id WHERE m.number = ?""",
                    (number,),
                )
            if wrong or numbers:
                self._reembedding.invalidate_caches()
        return wrong + len(numbers)

    def renew_vectors(self, embedder: Callable[[], Embedder]) -> int:
        """Make missing and unusable vectors again; how many. Vectors of another embedder stay as they are."""
        problems = vector_problems(self._db, self._memories.fingerprint)
        numbers = [number for number, found in problems if found is not VectorProblem.FOREIGN]
        return self._reembedding.renew(numbers, embedder()) if numbers else 0
