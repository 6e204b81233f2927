"""Data of the page's views, read from the store."""

import json
from calendar import monthrange
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from memchat.api.memory import Memory
from memchat.core.protocols import MemoryFilter
from memchat.core.types import CATEGORIES, Owner, Session
from memchat.core.types import Memory as Kept
from memchat.errors import NotFound
from memchat.memories.origin import origin_of
from memchat.recall.memory_block import caveats
from memchat.recall.retriever import Query
from memchat.storage.serialization import record_json

if TYPE_CHECKING:
    from memchat.storage.protocols import Storage

PAGE_SIZE = 50
FOUND = 50


@dataclass(frozen=True, slots=True)
class Views:
    """The views of one user's memories."""

    memory: Memory
    user: str

    @property
    def owner(self) -> Owner:
        return Owner.user(self.user)

    def listing(self, query: str, category: str, page: int) -> dict[str, Any]:
        """Return a page of memories, or the memories that a search finds."""
        view = self._everything
        if category in CATEGORIES:
            view = replace(view, categories=(category,))
        with self.memory.connection() as connection:
            if query:
                hits = connection.recall(tokens=10_000_000).search(Query(query, view, top_k=FOUND))
                kept, total = [hit.memory for hit in hits], len(hits)
            else:
                kept = connection.store.memories.memories(view, PAGE_SIZE, (page - 1) * PAGE_SIZE)
                total = connection.store.memories.count(view)
        pages = 1 if query else -(-total // PAGE_SIZE)
        rows = [self.row(memory) for memory in kept]
        return {"rows": rows, "total": total, "query": query, "category": category, "page": page, "pages": pages}

    def detail(self, memory_id: str) -> dict[str, Any]:
        """Return a memory with its source, the memories it replaced and its history. Raises NotFound."""
        with self.memory.connection() as connection:
            memory = self.own(connection.store, memory_id)
            former = [connection.store.memories.get(one) for one in memory.supersedes]
            successor = connection.store.memories.get(memory.superseded_by) if memory.superseded_by else None
            changes = connection.store.memories.history(memory)
            origin = origin_of(memory, connection.store.conversations, self.user)
            versions = connection.store.memories.count_versions([memory.id])
        return {
            "row": self.row(memory),
            "former": [self.row(one) for one in former if one is not None],
            "successor": None if successor is None else self.row(successor),
            "changes": changes,
            "session": origin and origin[0],
            "message": origin and origin[1],
            "quote": memory.evidence.quote if memory.evidence else "",
            "versions": versions,
        }

    def conversations(self) -> dict[str, Any]:
        with self.memory.connection() as connection:
            return {"sessions": connection.store.conversations.sessions(self.user)}

    def conversation(self, session_id: str) -> dict[str, Any]:
        """Return a conversation, each message with what was learned from it. Raises NotFound."""
        with self.memory.connection() as connection:
            session = self.own_session(connection.store, session_id)
            said = connection.store.conversations.messages(session.id)
            learned = {one.id: connection.store.memories.learned_from(one.id) for one in said}
        messages = [(one, [self.row(memory) for memory in learned[one.id]]) for one in said]
        return {"session": session, "messages": messages}

    def timeline(self, month: str, page: int) -> dict[str, Any]:
        """Return a page of the memories that are true since a day in `month` ("2026-06"; default: the latest)."""
        with self.memory.connection() as connection:
            months = _sum_by(connection.store.memories.tally(self._everything), 1)
            names = sorted(months, reverse=True)
            chosen = month if month in months else next(iter(names), "")
            rows = []
            if chosen:
                year, number = map(int, chosen.split("-"))
                last = date(year, number, monthrange(year, number)[1])
                view = replace(self._everything, since=date(year, number, 1), until=last)
                kept = connection.store.memories.memories(view, PAGE_SIZE, (page - 1) * PAGE_SIZE)
                rows = [self.row(memory) for memory in kept]
        pages = -(-months[chosen] // PAGE_SIZE)
        counts = [(name, months[name]) for name in names]
        return {"months": counts, "month": chosen, "rows": rows, "page": page, "pages": pages}

    def statistics(self) -> dict[str, Any]:
        with self.memory.connection() as connection:
            counts = connection.store.memories.tally(self._everything)
            sessions = connection.store.conversations.sessions(self.user)
            waiting = len(connection.store.work.pending(self.user))
        by_category, by_month = _sum_by(counts, 0), _sum_by(counts, 1)
        return {
            "total": by_category.total(),
            "by_category": by_category.most_common(),
            "by_month": sorted(by_month.items(), reverse=True),
            "sessions": len(sessions),
            "messages": sum(session.messages for session in sessions),
            "waiting": waiting,
        }

    def export(self) -> str:
        """Return all memories with versions and history as JSON Lines, for `memchat memories import`."""
        everything = MemoryFilter((self.owner,), all_sessions=True, superseded=True, expired=True)
        with self.memory.connection() as connection:
            records = connection.store.transfer.export(everything)
        return "".join(f"{json.dumps(record_json(record))}\n" for record in records)

    def own(self, store: "Storage", memory_id: str) -> Kept:
        """Return the user's memory with that id. Raises NotFound for any other."""
        memory = store.memories.get(memory_id)
        if memory is None or memory.owner != self.owner:
            raise NotFound("There is no such memory.")
        return memory

    def own_session(self, store: "Storage", session_id: str) -> Session:
        session = store.conversations.session(session_id)
        if session is None or session.user != self.user:
            raise NotFound("There is no such conversation.")
        return session

    def row(self, memory: Kept) -> dict[str, Any]:
        """Return the fields of a memory for the templates."""
        today = self.memory.today
        return {
            "id": memory.id,
            "text": memory.text,
            "category": memory.category,
            "since": memory.valid_from or memory.created_at.date(),
            "note": ", ".join(caveats(memory, today)),
            "source": str(memory.source),
            "superseded": memory.superseded,
        }

    @property
    def _everything(self) -> MemoryFilter:
        """A filter for all current memories."""
        return MemoryFilter((self.owner,), all_sessions=True)


def _sum_by(counts: list[tuple[str, str, int]], column: int) -> Counter[str]:
    """Sum the counts of the store's tally by category (column 0) or month (column 1)."""
    found: Counter[str] = Counter()
    for row in counts:
        found[str(row[column])] += row[2]
    return found
