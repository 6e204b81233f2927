"""A home of its own with rows written straight into the tables, for the tests of scan and index."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memchat.storage.database import Database
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.indexer import Indexer
from memchat.storage.position import begin_epoch
from memchat.storage.results import Phase
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.search import VectorSearch

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

DIM = 24
FINGERPRINT = "test/24"
NOW = "2026-03-01T12:00:00.000000+00:00"


def place_in(home: Path, fingerprint: str = FINGERPRINT, index_from: int = 0) -> IndexConfig:
    return IndexConfig(home / "index", home / "index.lock", home / "memchat.db", fingerprint, index_from)


def directions(count: int, seed: int = 0, dim: int = DIM) -> "Vectors":
    """Unit vectors in loose clusters, shape `(count, dim)`."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // 20), dim))
    rows = centres[random.integers(0, len(centres), count)] + 0.6 * random.standard_normal((count, dim))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


class Rows:
    """Memories, changes and erasures, one transaction a call."""

    def __init__(self, database: Database, fingerprint: str = FINGERPRINT) -> None:
        self.database = database
        self.fingerprint = fingerprint

    def owner(self, number: int) -> None:
        sql = "INSERT OR IGNORE INTO owners (id, kind, name) VALUES (?, 'user', ?)"
        self.database.execute(sql, (number, f"person {number}"))

    def learn(self, owner: int, vectors: Sequence["Vectors"], texts: Sequence[str] | None = None) -> list[int]:
        """One memory for each entry of `vectors`, shape `(n, dim)` or `(dim,)`; returns their numbers."""
        said = texts or [f"fact {uuid.uuid4()}" for _ in vectors]
        with self.database.transaction():
            self.owner(owner)
            return [self._add(owner, text, np.atleast_2d(rows)) for text, rows in zip(said, vectors, strict=True)]

    def supersede(self, number: int, by: str = "another") -> None:
        with self.database.transaction():
            self.database.execute("UPDATE memories SET superseded_by = ? WHERE number = ?", (by, number))
            self._changed(number)

    def restore(self, number: int) -> None:
        with self.database.transaction():
            self.database.execute("UPDATE memories SET superseded_by = NULL WHERE number = ?", (number,))
            self._changed(number)

    def rewrite(self, number: int, rows: "Vectors") -> None:
        """Other vectors for the same memory."""
        with self.database.transaction():
            self._vectors(number, np.atleast_2d(rows))
            self._changed(number)

    def erase(self, *numbers: int) -> int:
        """Remove memories and their history; returns the erasure's id."""
        with self.database.transaction():
            for number in numbers:
                self.database.execute(
                    "DELETE FROM changes WHERE memory_id = (SELECT id FROM memories WHERE number = ?)", (number,)
                )
                self.database.execute("DELETE FROM memories WHERE number = ?", (number,))
            return self.database.insert(
                "INSERT INTO erasures (id, asked_at) VALUES (?, ?)", (begin_epoch(self.database), NOW)
            )

    def _add(self, owner: int, text: str, rows: "Vectors") -> int:
        number = self.database.insert(
            "INSERT INTO memories (id, owner, scope, text, said, category, source, created_at, updated_at)"
            " VALUES (?, ?, 'user', ?, ?, 'other', 'told', ?, ?)",
            (str(uuid.uuid4()), owner, text, text.lower(), NOW, NOW),
        )
        self._vectors(number, rows)
        self._changed(number)
        return number

    def _vectors(self, number: int, rows: "Vectors") -> None:
        kinds = ["text"] + ["cue"] * (len(rows) - 1)
        self.database.execute(
            "INSERT OR REPLACE INTO vectors (number, owner, fingerprint, kinds, rows)"
            " SELECT number, owner, ?, ?, ? FROM memories WHERE number = ?",
            (self.fingerprint, json.dumps(kinds), rows.astype(np.float32).tobytes(), number),
        )

    def _changed(self, number: int) -> None:
        self.database.execute(
            "INSERT INTO changes (memory_id, owner, event, at) SELECT id, owner, 'UPDATE', ? FROM memories"
            " WHERE number = ?",
            (NOW, number),
        )


def answers(keeper: Indexer, scan: ExactSearch, owner: int, query: "Vectors", limit: int = 5) -> list[int] | None:
    """Numbers from the index alone, or None where it does not answer."""
    found = keeper.nearest(owner, query, limit, scan.position(owner))
    if found is None:
        return None
    known = {row["id"]: row["number"] for row in scan.database.rows("SELECT id, number FROM memories")}
    return [known[memory_id] for memory_id, _ in found]


def numbers(dense: VectorSearch | ExactSearch, owner: int, query: "Vectors", limit: int = 5) -> list[int]:
    return [number for number, _ in dense.nearest(owner, query, limit)]


def until(true: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait for something another thread or process brings about."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def until_ready(keeper: Indexer) -> None:
    until(lambda: keeper.state().phase is Phase.READY)


@contextmanager
def kept(place: IndexConfig) -> Iterator[Indexer]:
    """A keeper at work, closed at the end."""
    keeper = Indexer(place)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.close()


def right(keeper: Indexer, scan: ExactSearch, owner: int, queries: "Vectors") -> bool:
    """Whether the index answers, and as the scan does."""
    return all(
        answers(keeper, scan, owner, queries[i : i + 1]) == numbers(scan, owner, queries[i : i + 1])
        for i in range(len(queries))
    )
