"""Vector search without an index, and the cache of vectors: compare the query with every vector of an owner.

The vectors stay in memory once they have been used, and are updated from the table of changes.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memchat.storage.database import Database
from memchat.storage.position import Position, position
from memchat.storage.vectors.codec import dimension_of, searched_bytes
from memchat.text.embedding import with_dimension

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors
    from memchat.storage.vectors.matrix import VectorMatrix

CACHE_BYTES = 256 * 2**20
"""Upper bound for the cached vectors of all owners except the one used last."""
LARGEST_BYTES = 1024 * 2**20
"""The vectors of a larger owner are read from the database for every query."""
CHUNK = 2_000
"""Memories read at a time: a few megabytes of vectors."""


@dataclass(slots=True)
class _Entry:
    vectors: "VectorMatrix"
    position: Position


class VectorCache:
    """Vectors by owner; the least recently used are dropped first. Several threads may share it."""

    def __init__(self, limit_bytes: int = CACHE_BYTES, largest_bytes: int = LARGEST_BYTES) -> None:
        self.largest_bytes = largest_bytes
        self.lock = threading.RLock()
        self._limit = limit_bytes
        self._entries: OrderedDict[tuple[int, str], _Entry] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        with self.lock:
            return sum(entry.vectors.size_bytes for entry in self._entries.values())

    def get(self, key: tuple[int, str]) -> _Entry | None:
        """Return the entry for `(owner, fingerprint)`, which becomes the most recently used."""
        with self.lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: tuple[int, str], entry: _Entry) -> None:
        with self.lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > 1 and self.size_bytes - entry.vectors.size_bytes > self._limit:
                self._entries.popitem(last=False)

    def drop(self, key: tuple[int, str]) -> None:
        with self.lock:
            self._entries.pop(key, None)


class ExactSearch:
    """Find the nearest memories by comparing with all of them, through one thread's `database`.

    Vectors of a fingerprint other than `fingerprint` cannot be compared and are skipped.
    """

    def __init__(self, database: Database, fingerprint: str, cache: VectorCache | None = None) -> None:
        self.database = database
        self.fingerprint = fingerprint
        self._cache = VectorCache() if cache is None else cache

    def nearest(
        self, owner: int, query: "Vectors", limit: int, allowed: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """Return numbers of the owner's memories with the highest cosine of any vector to any row of `query`.

        `query` has shape `(q, dim)`, unit rows of the part that is searched. Best first, at most `limit`. Only current
        memories, unless `allowed` lists the numbers that may be returned; those may be superseded.
        """
        from memchat.storage.vectors.matrix import VectorMatrix

        if limit <= 0 or len(query) == 0 or (allowed is not None and not allowed):
            return []
        self.fingerprint = with_dimension(self.fingerprint, query.shape[1])
        with self._cache.lock:
            entry = self._up_to_date(owner, query.shape[1])
            if entry is not None:
                return entry.vectors.nearest(query, limit, allowed)
        # Too many to keep: they are read and compared in chunks.
        best: list[tuple[int, float]] = []
        for rows in self._chunks(owner):
            vectors = VectorMatrix(query.shape[1])
            vectors.extend(rows)
            best += vectors.nearest(query, limit, allowed)
            best = sorted(best, key=lambda hit: (-hit[1], hit[0]))[:limit]
        return best

    def position(self, owner: int) -> Position:
        """Return how far the database has come for `owner`."""
        return position(self.database, owner)

    def foreign(self, owner: int) -> int:
        """Count the owner's memories with vectors of another embedder, which cannot be searched."""
        sql = "SELECT count(*) FROM vectors WHERE owner = ? AND fingerprint <> ?"
        return int(self.database.value(sql, (owner, self.fingerprint)))

    def release(self, owner: int) -> None:
        """Drop what is cached for `owner`."""
        self._cache.drop((owner, self.fingerprint))

    def _up_to_date(self, owner: int, dim: int) -> _Entry | None:
        """Return the owner's cached vectors, updated; None if they are too many to keep."""
        from memchat.storage.vectors.matrix import VectorMatrix

        key = (owner, self.fingerprint)
        entry, now = self._cache.get(key), self.position(owner)
        if entry is not None and entry.position == now:
            return entry
        # In another epoch another memory may reuse a number, and nothing deleted may stay in memory.
        if entry is not None and entry.position.epoch == now.epoch and entry.position.seq <= now.seq:
            changed = self.database.rows(
                "SELECT DISTINCT m.number, m.superseded_by IS NULL, v.rows"
                " FROM changes c JOIN memories m ON m.id = c.memory_id AND +m.owner = c.owner"
                " LEFT JOIN vectors v ON v.number = m.number AND v.fingerprint = ?"
                " WHERE c.owner = ? AND c.seq > ? AND c.seq <= ?",
                (self.fingerprint, owner, entry.position.seq, now.seq),
            )
            for number, current, vectors in changed:
                entry.vectors.replace(number, searched_bytes(vectors, self.fingerprint), bool(current))
            entry.position = now
            stored = int(self.database.value("SELECT count(*) FROM vectors WHERE owner = ?", (owner,)))
            if len(entry.vectors) <= stored:
                return entry
        self._cache.drop(key)
        # The plus, here and below: found by their owner, not by their embedder, which all owners share.
        ((memories, size),) = self.database.rows(
            "SELECT count(*), coalesce(sum(length(rows)), 0) FROM vectors WHERE owner = ? AND +fingerprint = ?",
            (owner, self.fingerprint),
        )
        if size > self._cache.largest_bytes:
            return None
        entry = _Entry(VectorMatrix(dim, memories, size // (4 * (dimension_of(self.fingerprint) or dim))), now)
        for rows in self._chunks(owner):
            entry.vectors.extend(rows)
        self._cache.put(key, entry)
        return entry

    def _chunks(self, owner: int) -> Generator[list[tuple[int, bool, bytes]]]:
        """Yield the owner's `(number, current, vectors)` by ascending number, some thousand at a time."""
        last = -1
        while True:
            rows = self.database.rows(
                "SELECT v.number, m.superseded_by IS NULL, v.rows FROM vectors v"
                " JOIN memories m ON m.number = v.number"
                " WHERE v.owner = ? AND v.number > ? AND +v.fingerprint = ? ORDER BY v.number LIMIT ?",
                (owner, last, self.fingerprint, CHUNK),
            )
            if not rows:
                return
            last = rows[-1][0]
            yield [(row[0], bool(row[1]), searched_bytes(row[2], self.fingerprint) or b"") for row in rows]
