"""Export memories with their whole history, and import them into another store without a difference."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from sqlite3 import Row
from typing import Any, TypeVar

from memchat.core.ids import new_id
from memchat.core.protocols import Embedded, Embedder, MemoryFilter, Progress, no_progress
from memchat.core.types import Change, Event, Memory, Owner, Scope
from memchat.errors import StoreError
from memchat.storage.database import placeholders
from memchat.storage.memory_filter import where_clause
from memchat.storage.memory_rows import COLUMNS, TABLES, owner_number, to_change, to_memory
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.results import Imported
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

    def export(
        self,
        view: MemoryFilter,
        on_unreadable: Callable[[], None] | None = None,
        on_progress: Progress = no_progress,
    ) -> list[Record]:
        """Return the memories of `view`, oldest first, with their changes; `seq` counts through the export.

        Raises StoreError at a row that cannot be read; with `on_unreadable` it calls that and goes on. `on_progress`
        counts memories.
        """
        owners = self._memories.owner_numbers(view.owners)
        where, values = where_clause(view, owners, self._memories.clock())
        sql = f"SELECT {COLUMNS} FROM {TABLES} WHERE m.number = ? AND {where}"
        numbers = self._rows_of("memories", "memories_of_owner", "number", owners)
        found: list[Memory] = []
        # Row by row: in a damaged database the rest can still be read.
        for done, number in enumerate(numbers, 1):
            found += self._read(to_memory, sql, (number, *values), on_unreadable)
            on_progress(done, len(numbers))
        changes: dict[str, list[Change]] = {memory.id: [] for memory in found}
        order = count(1)
        owners = self._memories.owner_numbers(list({memory.owner for memory in found}))
        for seq in self._rows_of("changes", "changes_of_owner", "seq", owners):
            for change in self._read(to_change, "SELECT * FROM changes WHERE seq = ?", (seq,), on_unreadable):
                if change.memory_id in changes:
                    changes[change.memory_id].append(replace(change, seq=next(order)))
        return [Record(memory, changes[memory.id]) for memory in found]

    def restore(
        self, records: Sequence[Record], embedder: Embedder, on_progress: Callable[[int], None] = lambda done: None
    ) -> Imported:
        """Store `records` unchanged; `on_progress` is called with the number embedded so far.

        Skips a memory whose id its owner has already, and one that says the same as a current memory. Replaces an id
        that belongs to another owner, in the chain of versions too. An interrupted import keeps the batches it wrote,
        and can be repeated.
        """
        fresh, known = self._new_records(records)
        kept: list[str] = []
        for start in range(0, len(fresh), AT_ONCE):
            part = fresh[start : start + AT_ONCE]
            memories = [record.memory for record in part]
            before: list[str | None] = []
            last: dict[str, str | None] = {}
            # A verbatim message is embedded with the one before it in its conversation.
            for memory in memories:
                if not memory.verbatim or memory.evidence is None:
                    before.append(None)
                    continue
                session = memory.evidence.session_id
                before.append(last[session] if session in last else self._memories.last_verbatim(session))
                last[session] = memory.text
            embedded: list[Embedded] = []
            for at in range(0, len(part), BATCH):
                embedded += embedding.embed(embedder, memories[at : at + BATCH], before[at : at + BATCH])
                on_progress(start + len(embedded))
            kept += self._write(part, embedded)
        return Imported(tuple(kept), known + len(fresh) - len(kept))

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
        """Return the numbers of the owners' rows, read from the index and from the table; one of the two may fail."""
        where = f"WHERE owner IN ({placeholders(owners)})"
        found: set[int] = set()
        errors: list[StoreError] = []
        for access in (f"INDEXED BY {index}", "NOT INDEXED"):
            try:
                found.update(row[0] for row in self._db.rows(f"SELECT {number} FROM {table} {access} {where}", owners))
            except StoreError as error:
                errors.append(error)
        if len(errors) > 1:
            raise errors[0]
        return sorted(found)

    # What is new, and under which id.

    def _new_records(self, records: Sequence[Record]) -> tuple[list[Record], int]:
        names: dict[str, str] = {}
        seen: dict[tuple[Owner, Scope, str, str], str] = {}
        fresh = []
        for record in records:
            memory = record.memory
            held = self._memories.get(memory.id)
            there = memory.id if held is not None and held.owner == memory.owner else None
            comparable = not memory.superseded and not memory.verbatim
            if there is None and comparable:
                number = owner_number(self._db, memory.owner)
                duplicate = None if number is None else self._memories.duplicate_of(number, memory)
                there = duplicate or seen.get(_saying(memory))
            if there is not None:
                names[memory.id] = there
            elif memory.id not in names:
                names[memory.id] = memory.id if held is None else new_id()
                fresh.append(record)
                if comparable:
                    seen[_saying(memory)] = names[memory.id]
        renamed = []
        for record in fresh:
            memory, by = record.memory, record.memory.superseded_by
            if by is not None and by not in names:
                held = self._memories.get(by)
                # No chain of versions runs between two owners.
                names[by] = by if held is None or held.owner == memory.owner else new_id()
            memory = replace(memory, id=names[memory.id], superseded_by=None if by is None else names[by])
            changes = [replace(change, memory_id=memory.id) for change in record.changes]
            renamed.append(replace(record, memory=memory, changes=changes))
        return renamed, len(records) - len(fresh)

    # Rows.

    def _write(self, records: Sequence[Record], embedded: Sequence[Embedded]) -> list[str]:
        kept = []
        with self._db.transaction():
            changes: list[Change] = []
            for record, rows in zip(records, embedded, strict=True):
                memory = record.memory
                if self._memories.insert_row(memory, rows):
                    kept.append(memory.id)
                    # The index follows the table of changes, so every memory needs at least one.
                    imported = Change(0, memory.id, Event.ADD, self._memories.clock(), None, memory.text, "imported")
                    changes += record.changes or [imported]
            for change in sorted(changes, key=lambda change: change.seq):
                self._memories.insert_change(change)
        return kept


def _saying(memory: Memory) -> tuple[Owner, Scope, str, str]:
    return memory.owner, memory.scope, memory.session_id or "", normalize(memory.text)
