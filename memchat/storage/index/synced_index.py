"""An open index, and how it follows the database: filled in small steps, then updated from the table of changes.

It is the one on disk if that was closed cleanly, else a new one.

One thread fills it, keeps it up to date and closes it with its manifest; others may call `nearest` meanwhile.
"""

import logging
import secrets
from collections.abc import Iterable, Sequence
from sqlite3 import Row
from typing import TYPE_CHECKING

from memchat.private_files import private_folder
from memchat.storage.database import Database, placeholders, remove_folder
from memchat.storage.index.chroma import ChromaIndex, Entry
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.malloc import overwrite_freed_memory
from memchat.storage.index.manifest import IndexManifest, Stamps, read_manifest, remove_manifest, write_manifest
from memchat.storage.index.rwlock import ReadWriteLock
from memchat.storage.position import position
from memchat.storage.vectors.codec import decode_vectors, searched

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

log = logging.getLogger(__name__)

BATCH_RECORDS = 32
"""Records per write; each holds the interpreter lock for about a millisecond."""
CHANGES = 32
MAX_OPEN = 32
"""Collections kept loaded at a time."""
ON_DISK_FROM = 1_000
"""Chroma has written a collection of that many vectors to its files, and loads it. A smaller one it makes again and
writes with all the room reserved, so that freed memory must be overwritten before."""

_METADATA_FIELDS = ("scope", "category", "created_at", "valid_from", "valid_to", "expires_at")
# A memory is found by its owner: the plus keeps SQLite from going through everybody's vectors by their embedder.
_CURRENT = """
    SELECT m.number, m.id, m.text, m.scope, m.category, m.created_at, m.valid_from, m.valid_to, m.expires_at,
        v.kinds, v.rows AS vectors
    FROM memories AS m JOIN vectors AS v ON v.number = m.number
    WHERE m.superseded_by IS NULL AND +v.fingerprint = ? AND """


class SyncedIndex:
    """The index of `place`, whose lock the caller holds: the one on disk if it can be trusted, else an empty one.

    Raises IndexBroken, OSError and StoreError; after any of them only `discard` may be called.
    """

    def __init__(self, place: IndexConfig, database: Database, batch: int = BATCH_RECORDS) -> None:
        self._place = place
        self._db = database
        self._batch = batch
        found = usable(place, database)
        self._stamps: Stamps = {}
        if found is not None:
            start, self._stamps = found
        else:
            now = position(database)
            # A folder of another name each time: Chroma keeps what it knows of a folder for the life of the process.
            name = secrets.token_hex(4)
            filling = dict.fromkeys(owners_to_index(place, database), 0)
            last = change_at(database, now.seq)
            start = IndexManifest(name, place.fingerprint, now.seq, now.epoch, {}, filling, last)
        self._folder = place.index / start.folder
        self.seq, self.epoch = start.seq, start.epoch
        self._memories, self._filling = dict(start.memories), dict(start.filling)
        if found is None and place.index.exists():
            remove_folder(place.index)
        private_folder(place.index)
        # Chroma creates its files with the process's umask; the folder's own mode keeps other users out.
        place.index.chmod(0o700)
        self._folder.mkdir(exist_ok=True)
        remove_manifest(place.index)
        self._gate = ReadWriteLock()
        self._chroma = ChromaIndex(self._folder)
        self._load_latest()
        overwrite_freed_memory()

    @property
    def indexed(self) -> int:
        """The number of indexed memories."""
        return sum(self._memories.values())

    @property
    def filling(self) -> bool:
        """Return whether some owner is not complete yet."""
        return bool(self._filling)

    def holds(self, owner: int) -> bool:
        """Return whether the index holds all of the owner's memories as of `seq`."""
        return owner in self._memories and owner not in self._filling

    def has_room_for(self, owner: int) -> bool:
        """Return whether a query for the owner would load no more collections than allowed."""
        return owner in self._chroma.opened or len(self._chroma.opened) < MAX_OPEN

    def nearest(self, owner: int, query: "Vectors", limit: int) -> list[tuple[str, float]] | None:
        """Return ids of the owner's memories nearest to any row of `query`, best first; None while the index is
        closing."""
        with self._gate.read() as open_now:
            return self._chroma.nearest(owner, query, limit) if open_now else None

    def step(self) -> bool:
        """Do one small piece of the remaining work; return False when there was none."""
        if self._filling:
            owner, last = next(iter(self._filling.items()))
            rows = self._db.rows(
                f"{_CURRENT} m.owner = ? AND m.number > ? ORDER BY m.number LIMIT ?",
                (self._place.fingerprint, owner, last, self._batch),
            )
            if not rows:
                self._memories.setdefault(owner, 0)
                del self._filling[owner]
                return True
            entries = _first_records(_entries(rows, self._place.fingerprint), self._batch)
            self._make_space(owner)
            self._chroma.upsert(owner, entries)
            self._memories[owner] = self._memories.get(owner, 0) + len(entries)
            self._filling[owner] = entries[-1].number if entries else int(rows[-1]["number"])
            return True
        changes = self._db.rows(
            "SELECT seq, memory_id, owner FROM changes WHERE seq > ? ORDER BY seq LIMIT ?", (self.seq, CHANGES)
        )
        if not changes:
            return False
        enough = "SELECT count(*) >= ? FROM memories WHERE owner = ? AND superseded_by IS NULL"
        for owner in dict.fromkeys(row["owner"] for row in changes):
            if owner in self._memories:
                self._renew(owner, list({row["memory_id"] for row in changes if row["owner"] == owner}))
            elif self._db.value(enough, (max(self._place.index_from, 1), owner)):
                self._filling[owner] = 0
        self.seq = int(changes[-1]["seq"])
        return True

    def reopen(self) -> None:
        """Close and open Chroma again, which unloads every collection."""
        with self._gate.write():
            self._chroma.close()
            self._chroma = ChromaIndex(self._folder)

    def close(self) -> None:
        """Close Chroma and write the manifest."""
        self._gate.close()
        self._chroma.close()
        coverage = IndexManifest(
            self._folder.name,
            self._place.fingerprint,
            self.seq,
            self.epoch,
            self._memories,
            self._filling,
            change_at(self._db, self.seq),
        )
        write_manifest(self._place.index, coverage, self._stamps)

    def discard(self) -> None:
        """Close Chroma and remove everything on disk."""
        self._gate.close()
        try:
            self._chroma.close()
        finally:
            remove_folder(self._place.index)

    def differences(self, owner: int) -> tuple[list[str], list[str], list[str]]:
        """List the ids of records that are missing, that should not exist, and whose vector differs."""
        import numpy as np

        held = self._chroma.all_records(owner)
        sql = f"{_CURRENT} m.owner = ? ORDER BY m.number"
        entries = self._entries(sql, owner)
        right = {record: row for entry in entries for record, row in zip(entry.ids(), entry.rows, strict=True)}
        wrong = [name for name in right.keys() & held.keys() if not np.allclose(right[name], held[name], atol=1e-4)]
        return sorted(right.keys() - held.keys()), sorted(held.keys() - right.keys()), sorted(wrong)

    @property
    def owners(self) -> list[int]:
        """Owners whose memories are all indexed."""
        return [owner for owner in self._memories if self.holds(owner)]

    def _load_latest(self) -> None:
        """Load the collection of the most recently active owner ahead of the first query.

        Chroma reserves room for up to as many vectors again, which takes no memory unless it is overwritten.
        """
        owner = self._db.value("SELECT owner FROM changes ORDER BY seq DESC LIMIT 1")
        if owner is not None and self.holds(owner) and self._memories[owner] >= ON_DISK_FROM:
            self._chroma.load(owner)

    def _renew(self, owner: int, memory_ids: Sequence[str]) -> None:
        """Write the current state of these memories to the index, after any change to them."""
        marks = placeholders(memory_ids)
        sql = f"{_CURRENT} +m.owner = ? AND m.id IN ({marks})"
        entries = self._entries(sql, owner, *memory_ids)
        self._make_space(owner)
        held = self._chroma.delete_stale(owner, memory_ids, {record for entry in entries for record in entry.ids()})
        self._memories[owner] += len(entries) - held
        while entries:
            now = _first_records(entries, self._batch)
            self._chroma.upsert(owner, now)
            entries = entries[len(now) :]

    def _entries(self, sql: str, *values: object) -> list[Entry]:
        fingerprint = self._place.fingerprint
        return _entries(self._db.rows(sql, (fingerprint, *values)), fingerprint)

    def _make_space(self, owner: int) -> None:
        if not self.has_room_for(owner):
            self.reopen()


def usable(place: IndexConfig, database: Database) -> tuple[IndexManifest, Stamps] | None:
    """Return the manifest of the index on disk if it was closed cleanly, is undamaged, and belongs to this epoch."""
    found = read_manifest(place.index)
    if found is None:
        return None
    coverage = found[0]
    now = position(database)
    if coverage.fingerprint != place.fingerprint or coverage.epoch != now.epoch or coverage.seq > now.seq:
        return None
    return found if coverage.last == change_at(database, coverage.seq) else None


def change_at(database: Database, seq: int) -> str:
    """Return a value that identifies the change at `seq`; empty if there is none."""
    return str(database.value("SELECT memory_id || ' ' || at FROM changes WHERE seq = ?", (seq,)) or "")


def owners_to_index(place: IndexConfig, database: Database) -> list[int]:
    """List the owners with enough memories, the most recently active one first."""
    rows = database.rows(
        "SELECT owner FROM memories WHERE superseded_by IS NULL GROUP BY owner HAVING count(*) >= ?"
        " ORDER BY max(created_at) DESC",
        (max(place.index_from, 1),),
    )
    return [row[0] for row in rows]


def _entries(rows: Iterable[Row], fingerprint: str) -> list[Entry]:
    """Build the index entries of these rows. Leaves out memories whose vectors cannot be those of `fingerprint`."""
    found = []
    for row in rows:
        if (embedded := decode_vectors(row["kinds"], row["vectors"], fingerprint)) is not None:
            metadata = {name: row[name] for name in _METADATA_FIELDS if row[name] is not None}
            rows_searched = searched(embedded.rows, fingerprint)
            found.append(Entry(row["number"], row["id"], row["text"], embedded.kinds, rows_searched, metadata))
    return found


def _first_records(entries: Iterable[Entry], records: int) -> list[Entry]:
    """Take as many entries from the front as hold at most `records` records, at least one."""
    chosen: list[Entry] = []
    for entry in entries:
        records -= len(entry.kinds)
        if records < 0 and chosen:
            break
        chosen.append(entry)
    return chosen
