"""Compare the stored vectors with the memories (which embedder made them, which are unusable), and renew them."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from sqlite3 import Row

from memchat.core.protocols import Embedder
from memchat.core.types import Memory
from memchat.errors import StoreError
from memchat.storage.database import Database, placeholders
from memchat.storage.memory_rows import COLUMNS, TABLES, to_memory
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.position import begin_epoch
from memchat.storage.results import VectorProblem
from memchat.storage.vectors.codec import decode_vectors, dimension_of
from memchat.text import embedding
from memchat.text.plurals import pluralize

ROWS = 500
"""Rows read at a time."""
SMALL_BATCH = 16
"""Memories embedded behind a chat before others get their turn."""
BATCH = 64
"""Memories embedded and written at a time; an interruption loses at most one batch."""
BUILTIN = "builtin/"
"""Prefix of the fingerprints of the embedders inside the package."""
SLACK = 0.01
"""Tolerated difference of a vector's length from 1."""


_FINGERPRINTS = """
    WITH RECURSIVE chain (name) AS (
        SELECT min(fingerprint) FROM vectors
        UNION ALL
        SELECT (SELECT min(fingerprint) FROM vectors WHERE fingerprint > name) FROM chain WHERE name IS NOT NULL
    )
    SELECT name FROM chain WHERE name IS NOT NULL
"""
"""Takes one step down the index per fingerprint, however many vectors there are: every start runs it."""


def fingerprint_of(database: Database, model: str) -> str | None:
    """Return the fingerprint that most vectors of `model` have in this database, or None."""
    found = [name for name in _fingerprints(database) if name.startswith(f"{model}:")]
    return max(found, key=lambda name: _count(database, name)) if len(found) > 1 else next(iter(found), None)


def dimension_in(database: Database, model: str) -> int | None:
    """Return how many numbers the stored vectors of `model` have, or None."""
    found = fingerprint_of(database, model)
    return None if found is None else dimension_of(found)


def others(database: Database, fingerprint: str) -> dict[str, int]:
    """Count the memories that have vectors of other embedders, by embedder."""
    return {name: _count(database, name) for name in _fingerprints(database) if name != fingerprint}


def _fingerprints(database: Database) -> list[str]:
    return [name for (name,) in database.rows(_FINGERPRINTS)]


def _count(database: Database, fingerprint: str) -> int:
    count: int = database.value("SELECT count(*) FROM vectors WHERE fingerprint = ?", (fingerprint,))
    return count


def others_notice(database: Database, fingerprint: str) -> str | None:
    """Return a notice about vectors of other embedders, if there are any."""
    found = others(database, fingerprint)
    if not found:
        return None
    names = ", ".join(sorted(found))
    what = pluralize(sum(found.values()), "memory was", "memories were")
    if moves_by_itself(fingerprint, found):
        return (
            f"{what} read with an earlier built-in model, of English alone. A chat reads them again in the"
            " background; until then they are found by their words. At once: memchat reindex"
        )
    return (
        f"{what} embedded with {names}, not with {fingerprint.removesuffix(':?')}, and can be found by their"
        " words alone. Run: memchat reindex"
    )


def moves_by_itself(fingerprint: str, others: Iterable[str]) -> bool:
    """Return whether the embedder in use is built in, and all `others` are earlier versions of it."""
    return all(name.startswith(BUILTIN) for name in (fingerprint, *others))


def vector_problems(database: Database, fingerprint: str) -> Generator[tuple[int, VectorProblem]]:
    """Yield the numbers of the memories that vector search cannot find, ascending, with the reason."""
    last = -1
    while rows := database.rows(
        "SELECT m.number, v.fingerprint, v.kinds, v.rows FROM memories AS m"
        " LEFT JOIN vectors AS v ON v.number = m.number WHERE m.number > ? ORDER BY m.number LIMIT ?",
        (last, ROWS),
    ):
        last = rows[-1]["number"]
        for row in rows:
            if (fault := _fault(row, fingerprint)) is not None:
                yield row["number"], fault


def _fault(row: Row, fingerprint: str) -> VectorProblem | None:
    if row["fingerprint"] is None:
        return VectorProblem.MISSING
    if row["fingerprint"] != fingerprint:
        return VectorProblem.FOREIGN
    embedded = decode_vectors(row["kinds"], row["rows"], fingerprint)
    if embedded is None:
        return VectorProblem.UNUSABLE
    import numpy as np

    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(embedded.rows, axis=1)
    is_unit = np.isfinite(lengths).all() and (abs(lengths - 1) < SLACK).all()
    return None if is_unit else VectorProblem.UNUSABLE


class Reembedding:
    """Renew the vectors of `memories`. After an interruption at any point, the rest can be done later."""

    def __init__(self, memories: MemoryRepository) -> None:
        self._memories = memories
        self._db = memories.database

    def renew(
        self, numbers: Sequence[int], embedder: Embedder, on_progress: Callable[[int], None] = lambda done: None
    ) -> int:
        """Embed the memories `numbers` again and return how many were; skips those that are gone or unreadable.

        `on_progress` is called with the number done so far.
        """
        done = 0
        try:
            for start in range(0, len(numbers), BATCH):
                done += self._renew(numbers[start : start + BATCH], embedder)
                on_progress(min(start + BATCH, len(numbers)))
        finally:
            if done:
                self.invalidate_caches()
        return done

    def renew_outdated(self, embedder: Embedder) -> Generator[int]:
        """Embed again, newest first, the memories that an earlier built-in embedder read; yields each batch's count.

        If it is closed or interrupted in between, the rest is done the next time. Skips unreadable memories.
        """
        fingerprint = self._memories.fingerprint
        outdated = [name for name in others(self._db, fingerprint) if moves_by_itself(fingerprint, [name])]
        marks = placeholders(outdated)
        sql = f"SELECT number FROM vectors WHERE fingerprint IN ({marks}) ORDER BY number DESC"
        numbers = [number for (number,) in self._db.rows(sql, outdated)] if outdated else []
        for start in range(0, len(numbers), SMALL_BATCH):
            yield self._renew(numbers[start : start + SMALL_BATCH], embedder)
        if numbers:
            self.invalidate_caches()

    def invalidate_caches(self) -> None:
        """Make every process read all vectors again, since no row of `changes` says that they are new."""
        with self._db.transaction():
            begin_epoch(self._db)

    def _renew(self, numbers: Sequence[int], embedder: Embedder) -> int:
        found: dict[int, Memory] = {}
        for number in numbers:
            with suppress(StoreError):
                row = self._db.row(f"SELECT {COLUMNS} FROM {TABLES} WHERE m.number = ?", (number,))
                if row is not None:
                    found[number] = to_memory(row)
        memories = list(found.values())
        embedded = embedding.embed(embedder, memories, [self._memories.turn_before(memory) for memory in memories])
        written = 0
        with self._db.transaction():
            for (number, memory), vectors in zip(found.items(), embedded, strict=True):
                # Another process may have edited or deleted it meanwhile.
                sql = "SELECT 1 FROM memories WHERE number = ? AND id = ? AND text = ?"
                if self._db.row(sql, (number, memory.id, memory.text)) is not None:
                    self._memories.write_vectors(number, vectors)
                    written += 1
        return written


class StoredVectors:
    """Compare the vectors of `memories` with the embedder in use, and renew them."""

    def __init__(self, memories: MemoryRepository) -> None:
        self._memories = memories
        self._db = memories.database

    def others_notice(self, fingerprint: str) -> str | None:
        """Return a notice about vectors of other embedders, if there are any."""
        return others_notice(self._db, fingerprint)

    def renew_outdated(self, embedder: Embedder) -> Generator[int]:
        """Embed again, in small batches, the memories that an earlier built-in embedder read; yields each count."""
        return Reembedding(self._memories).renew_outdated(embedder)

    def renew(
        self, fingerprint: str, embedder: Embedder, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> int:
        """Make the vectors that are missing or not of `fingerprint`; return how many memories got new ones.

        `on_progress(done, total)` counts memories. Every process reads all vectors again afterwards.
        """
        reembedding = Reembedding(MemoryRepository(self._db, self._memories.clock, fingerprint))
        numbers = [number for number, _ in vector_problems(self._db, fingerprint)]
        done = reembedding.renew(numbers, embedder, lambda done: on_progress(done, len(numbers)))
        if not done:
            # The process that holds the index rebuilds it all the same; after writing, `renew` did this itself.
            reembedding.invalidate_caches()
        return done
