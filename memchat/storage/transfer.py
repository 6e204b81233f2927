"""Memories out of a store with their whole history, and back into one without a difference."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from sqlite3 import Row
from typing import Any, TypeVar

from memchat.core.ids import new_id
from memchat.core.protocols import Embedded, Embedder, MemoryFilter
from memchat.core.types import Change, Event, Memory, Owner, Scope
from memchat.errors import StoreError
from memchat.storage.memory_filter import where_clause
from memchat.storage.memory_rows import COLUMNS, TABLES, owner_number, to_change, to_memory
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.protocols import Imported
from memchat.storage.serialization import Record
from memchat.text import embedding
from memchat.text.normalize import normalize

Value = TypeVar("Value")

BATCH = 256
"""Memories embedded at a time."""
AT_ONCE = 20_000
"""Memories written in one transaction, which bounds the memory that their vectors take."""


class Transfer:
    """Exports `memories`, and imports into them."""

    def __init__(self, memories: MemoryRepository) -> None:
        self._memories = memories
        self._db = memories.database

    def export(self, view: MemoryFilter, on_unreadable: Callable[[], None] | None = None) -> list[Record]:
        """The memories of `view`, oldest first, each with the changes to it; their `seq` counts through the export.

        Raises StoreError at a row that cannot be read. With `on_unreadable` it goes on and calls that for each.
        """
        found = list(self._memories_of(view, on_unreadable))
        told = self._changes_to(found, on_unreadable)
        changes: dict[str, list[Change]] = defaultdict(list)
        for number, change in enumerate(told, 1):
            changes[change.memory_id].append(replace(change, seq=number))
        return [Record(memory, changes[memory.id]) for memory in found]

    def restore(
        self, records: Sequence[Record], embedder: Embedder, on_progress: Callable[[int], None] = lambda done: None
    ) -> Imported:
        """Store `records` as they are; `on_progress` hears how many were embedded so far.

        A memory whose id its owner has already, or a current one that says the same, is left as it is. An id that is
        somebody else's is replaced by a new one, in the chain of versions too. What was written stays written if this
        is interrupted, and can be imported again.
        """
        fresh, known = self._new_records(records)
        kept: list[str] = []
        for start in range(0, len(fresh), AT_ONCE):
            part = fresh[start : start + AT_ONCE]
            memories = [record.memory for record in part]
            before = self._before(part)
            embedded: list[Embedded] = []
            for at in range(0, len(part), BATCH):
                embedded += embedding.embed(embedder, memories[at : at + BATCH], before[at : at + BATCH])
                on_progress(start + len(embedded))
            kept += self._write(part, embedded)
        return Imported(tuple(kept), known + len(fresh) - len(kept))

    # Row by row, for of a damaged database the rest can still be read.

    def _memories_of(self, view: MemoryFilter, on_unreadable: Callable[[], None] | None) -> Iterator[Memory]:
        owners = self._memories.owner_numbers(view.owners)
        where, values = where_clause(view, owners, self._memories.clock())
        sql = f"SELECT {COLUMNS} FROM {TABLES} WHERE m.number = ? AND {where}"
        for number in self._rows_of("memories", "memories_of_owner", "number", owners):
            yield from self._read(to_memory, sql, (number, *values), on_unreadable)

    def _changes_to(self, found: Sequence[Memory], on_unreadable: Callable[[], None] | None) -> Iterator[Change]:
        ids = {memory.id for memory in found}
        owners = self._memories.owner_numbers(list({memory.owner for memory in found}))
        for seq in self._rows_of("changes", "changes_of_owner", "seq", owners):
            changes = self._read(to_change, "SELECT * FROM changes WHERE seq = ?", (seq,), on_unreadable)
            yield from (change for change in changes if change.memory_id in ids)

    def _read(
        self, read: Callable[[Row], Value], sql: str, values: Sequence[Any], on_unreadable: Callable[[], None] | None
    ) -> list[Value]:
        try:
            return [read(row) for row in self._db.rows(sql, values)]
        except StoreError:
            if on_unreadable is None:
                raise
            on_unreadable()
            return []

    def _rows_of(self, table: str, index: str, number: str, owners: Sequence[int]) -> list[int]:
        """The numbers of the owners' rows by the index or by the table itself, whichever of the two can be read."""
        whose = f"WHERE owner IN ({','.join('?' * len(owners))})"
        found: set[int] = set()
        failed: list[StoreError] = []
        for way in (f"INDEXED BY {index}", "NOT INDEXED"):
            try:
                found.update(row[0] for row in self._db.rows(f"SELECT {number} FROM {table} {way} {whose}", owners))
            except StoreError as error:
                failed.append(error)
        if len(failed) > 1:
            raise failed[0]
        return sorted(found)

    # What is new, and under which id.

    def _new_records(self, records: Sequence[Record]) -> tuple[list[Record], int]:
        names: dict[str, str] = {}
        seen: dict[tuple[Owner, Scope, str, str], str] = {}
        fresh = []
        for record in records:
            memory = record.memory
            there = self._existing_id(memory, seen)
            if there is None and memory.id not in names:
                names[memory.id] = memory.id if self._memories.get(memory.id) is None else new_id()
                fresh.append(record)
                if not memory.superseded and not memory.verbatim:
                    seen[_saying(memory)] = names[memory.id]
            elif there is not None:
                names[memory.id] = there
        for memory in (record.memory for record in fresh):
            if memory.superseded_by is not None and memory.superseded_by not in names:
                names[memory.superseded_by] = self._available_id(memory.superseded_by, memory.owner)
        return [_renamed(record, names) for record in fresh], len(records) - len(fresh)

    def _available_id(self, memory_id: str, owner: Owner) -> str:
        """`memory_id`, or a new one where it is somebody else's: no chain of versions runs between two owners."""
        held = self._memories.get(memory_id)
        return memory_id if held is None or held.owner == owner else new_id()

    def _existing_id(self, memory: Memory, seen: dict[tuple[Owner, Scope, str, str], str]) -> str | None:
        """The id under which `memory` is known already."""
        held = self._memories.get(memory.id)
        if held is not None and held.owner == memory.owner:
            return held.id
        if memory.superseded or memory.verbatim:
            return None
        number = owner_number(self._db, memory.owner)
        duplicate = None if number is None else self._memories.duplicate_of(number, memory)
        return duplicate or seen.get(_saying(memory))

    def _before(self, records: Sequence[Record]) -> list[str | None]:
        """For each record the turn before it, where it is one of a conversation kept word for word."""
        last: dict[str, str | None] = {}
        found: list[str | None] = []
        for memory in (record.memory for record in records):
            if not memory.verbatim or memory.evidence is None:
                found.append(None)
                continue
            session = memory.evidence.session_id
            found.append(last[session] if session in last else self._memories.last_verbatim(session))
            last[session] = memory.text
        return found

    # Rows.

    def _write(self, records: Sequence[Record], embedded: Sequence[Embedded]) -> list[str]:
        kept = []
        with self._db.transaction():
            changes: list[Change] = []
            for record, rows in zip(records, embedded, strict=True):
                if self._memories.insert_row(record.memory, rows):
                    kept.append(record.memory.id)
                    changes += record.changes or [self._told(record.memory)]
            changes.sort(key=lambda change: change.seq)
            for change in changes:
                self._memories.insert_change(change)
        return kept

    def _told(self, memory: Memory) -> Change:
        """The index follows the table of changes: a memory without a history gets the beginning of one."""
        return Change(0, memory.id, Event.ADD, self._memories.clock(), None, memory.text, "imported")


def _renamed(record: Record, names: dict[str, str]) -> Record:
    memory = record.memory
    by = memory.superseded_by
    renamed = replace(memory, id=names[memory.id], superseded_by=None if by is None else names.get(by, by))
    changes = [replace(change, memory_id=renamed.id) for change in record.changes]
    return replace(record, memory=renamed, changes=changes)


def _saying(memory: Memory) -> tuple[Owner, Scope, str, str]:
    return memory.owner, memory.scope, memory.session_id or "", normalize(memory.text)
