"""Repairs of `memchat doctor --fix`: everything that can be made again from the memories themselves."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence

from memchat.core.protocols import Embedder
from memchat.doctor.database import complaints, missing_from_fulltext, only_indexes, pluralize
from memchat.errors import StoreError
from memchat.storage.memory_rows import COLUMNS, TABLES, to_memory
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.migrations import MIGRATIONS
from memchat.storage.vectors.reembedding import Reembedding, VectorProblem, vector_problems

_WORDS = re.compile(r"CREATE VIRTUAL TABLE words [^;]+")


class Repairs:
    """Repairs the rows of `memories`, with vectors of its fingerprint."""

    def __init__(self, memories: MemoryRepository) -> None:
        self._memories = memories
        self._db = memories.database
        self._reembedding = Reembedding(memories)

    def all(self, embedder: Callable[[], Embedder]) -> Iterator[str]:
        """Repair what can be repaired, step by step. Returns a sentence for each repair.

        What the damage prevents is left for the next check to name. Raises ModelError when vectors are missing and the
        embedder fails.
        """
        for step in (self._indexes, self._strays, self._words, lambda: self._vectors(embedder)):
            try:
                done = step()
            except (StoreError, sqlite3.Error):
                continue
            if done:
                yield done

    def _indexes(self) -> str | None:
        found = complaints(self._db)
        if not found or not only_indexes(found):
            return None
        # Where table and index differ, the index may be right.
        copy = self._db.path.with_name(f"{self._db.path.name}.version{len(MIGRATIONS)}.unmended")
        self._db.backup(copy)
        self._db.execute("REINDEX")
        return f"SQLite's indexes were built anew; the database as it was is kept as {copy.name}."

    def _strays(self) -> str | None:
        """Remove vectors and jobs of what is gone, and vectors under the wrong owner."""
        with self._db.transaction():
            gone = self._db.execute("DELETE FROM vectors WHERE number NOT IN (SELECT number FROM memories)")
            gone += self._db.execute(
                "DELETE FROM work WHERE session_id NOT IN (SELECT id FROM sessions)"
                " OR user_message_id NOT IN (SELECT id FROM messages)"
            )
            moved = self._db.execute(
                "UPDATE vectors SET owner = (SELECT owner FROM memories AS m WHERE m.number = vectors.number)"
                " WHERE owner <> (SELECT owner FROM memories AS m WHERE m.number = vectors.number)"
            )
            if moved:
                self._reembedding.invalidate_caches()
        return f"Rows that belonged to nothing, removed or given back: {gone + moved}." if gone or moved else None

    def _words(self) -> str | None:
        with self._db.transaction():
            try:
                self._db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
                extra = self._db.execute("DELETE FROM words WHERE rowid NOT IN (SELECT number FROM memories)")
            except StoreError:
                self._db.execute("DROP TABLE IF EXISTS words")
                self._db.execute(_first_schema())
                extra = 1
            numbers = missing_from_fulltext(self._db)
            self._index_words(numbers)
        return f"The index of words was put right, for {pluralize(len(numbers))}." if numbers or extra else None

    def _index_words(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            row = self._db.row(f"SELECT {COLUMNS} FROM {TABLES} WHERE m.number = ?", (number,))
            if row is not None:
                self._memories.write_words(number, to_memory(row))

    def _vectors(self, embedder: Callable[[], Embedder]) -> str | None:
        """Make missing vectors. Those of another embedder are left to `memchat reindex`, which may cost money."""
        numbers = [
            number
            for number, fault in vector_problems(self._db, self._memories.fingerprint)
            if fault is not VectorProblem.FOREIGN
        ]
        done = self._reembedding.renew(numbers, embedder()) if numbers else 0
        return f"New vectors for {pluralize(done)}." if done else None


def _first_schema() -> str:
    return next(found[0] for _, script in MIGRATIONS if (found := _WORDS.search(script)))
