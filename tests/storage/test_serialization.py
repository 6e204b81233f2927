"""A memory as JSON: SQLite's and Python's ways to it agree on every field."""

import json
from dataclasses import fields
from datetime import date, timedelta

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Evidence, Memory, Scope, Source
from memchat.storage.serialization import memory_json
from memchat.storage.store import Store
from tests.conftest import SettableClock
from tests.storage.memory_factories import ALICE, add, current, replace_with, say

WITHOUT_DEFAULT = {"id", "owner", "text", "scope", "category", "created_at", "updated_at"}


def whole(store: Store, clock: SettableClock) -> list[Memory]:
    """Memories of which each field but those without a default differs from its default in one at least."""
    asked = say(store, "I am in Paris")
    former = add(
        store,
        "User is in Paris",
        agent="cook",
        metadata={"n": 1, "vip": True, "price": 1.5, "who": "日本"},
        cues=("choosing a restaurant",),
        standing=True,
        source=Source.SAID,
        valid_from=date(2026, 1, 2),
        valid_to=date(2027, 1, 2),
        expires_at=clock() + timedelta(days=30),
        evidence=Evidence(asked.id, asked.session_id, "in Paris", "test"),
    )
    clock.forward(hours=1)
    add(store, "User is in Paris", standing=True)
    later = replace_with(store, "User is in Oslo", former, mistaken=True)
    held = add(store, "for one", scope=Scope.SESSION, session_id="s1", verbatim=True)
    store.database.execute("UPDATE memories SET doubtful = 1, last_used_at = created_at WHERE id = ?", (later.id,))
    return [current(store, memory) for memory in (former, later, held)]


def test_both_ways_to_json_agree_on_every_field(store: Store, clock: SettableClock) -> None:
    """A field that is new, and that no memory here uses, fails this test too."""
    memories = whole(store, clock)
    untouched = {
        field.name
        for field in fields(Memory)
        if field.name not in WITHOUT_DEFAULT
        and all(not getattr(memory, field.name) or getattr(memory, field.name) == field.default for memory in memories)
    }
    assert untouched == set()
    view = MemoryFilter((ALICE,), all_sessions=True, superseded=True, expired=True)
    by_sqlite = {memory["id"]: memory for memory in map(json.loads, store.memories.listed_json(view))}
    assert by_sqlite == {memory.id: memory_json(memory) for memory in memories}
    assert len(memory_json(memories[0])) == len(fields(Memory))
