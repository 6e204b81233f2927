"""What an export saves of a damaged database. Whole ones are exported and imported in tests/cli."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import End
from memchat.errors import StoreError
from memchat.storage.serialization import parse_record, record_json
from memchat.storage.store import Store
from memchat.storage.transfer import Transfer
from tests.conftest import FINGERPRINT
from tests.storage.memory_factories import ALICE, HashedEmbedder, add, apply, replace_with

ZERO = """
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    file.write(bytes(int(sys.argv[3])))
"""
EVERYTHING = MemoryFilter((ALICE,), all_sessions=True, superseded=True, expired=True)


def transfer(store: Store) -> Transfer:
    return Transfer(store.memories)


def filled(store: Store) -> None:
    """Four memories, one of them superseded; of each the text ends with its number."""
    first = add(store, "User likes tea 1")
    for number in (2, 3):
        add(store, f"User likes tea {number}")
    replace_with(store, "User likes tea 4", first)


def harm(sql: str) -> Callable[[Store], object]:
    return lambda store: store.database.execute(sql)


@pytest.mark.parametrize(
    ("damage", "left", "unreadable"),
    [
        (harm("UPDATE memories SET created_at = 'some day' WHERE number = 2"), "134", 1),
        (harm("UPDATE memories SET text = CAST(x'ff' AS TEXT) WHERE number IN (1, 3)"), "24", 2),
        (harm("UPDATE memories SET metadata = '{' WHERE number = 4"), "123", 1),
        (harm("UPDATE changes SET event = 'ODD' WHERE seq = 1"), "1234", 1),
        (harm("UPDATE changes SET reason = CAST(x'ff' AS TEXT)"), "1234", 5),
    ],
)
def test_what_cannot_be_read_is_counted_and_the_rest_is_exported(
    store: Store, damage: Callable[[Store], object], left: str, unreadable: int
) -> None:
    """Values that are none, text that is none, in memories and in their history."""
    filled(store)
    whole = transfer(store).export(EVERYTHING)
    damage(store)
    with pytest.raises(StoreError):
        transfer(store).export(EVERYTHING)
    lost: list[None] = []
    saved = transfer(store).export(EVERYTHING, lambda: lost.append(None))
    assert "".join(record.memory.text[-1:] for record in saved) == left
    assert len(lost) == unreadable
    assert [record.memory for record in saved] == [one.memory for one in whole if one.memory.text[-1] in left]


def test_a_planned_end_survives_an_export(home: Path, store: Store) -> None:
    """Also one that a former version wrote into the reason."""
    paris, rome = (add(store, f"User is in {city}", valid_to=date(2027, 5, 1)) for city in ("Paris", "Rome"))
    apply(store, *(End(memory.id, date(2026, 3, 1), "said to be over") for memory in (paris, rome)))
    lines = [record_json(record) for record in transfer(store).export(EVERYTHING)]
    former = lines[1]["changes"][1]
    assert former.pop("planned_end") == "2027-05-01"
    former["reason"] += "; it was to end on 2027-05-01"
    read = [parse_record(json.loads(json.dumps(line))) for line in lines]
    with Store(home / "other.db", store.clock, FINGERPRINT) as other:
        transfer(other).restore(read, HashedEmbedder())
        for memory in (paris, rome):
            assert other.memories.history(memory) == store.memories.history(memory)
            assert other.memories.unend(memory).valid_to == date(2027, 5, 1)


def test_of_a_whole_database_everything_is_exported_either_way(store: Store) -> None:
    """The careful way gives the same, and counts nothing."""
    filled(store)
    add(store, "User likes tea 5", metadata={"n": 1})
    careful = transfer(store).export(EVERYTHING, lambda: pytest.fail("all of it can be read"))
    assert careful == transfer(store).export(EVERYTHING)
    some = MemoryFilter((ALICE,), where={"n": 1}, superseded=True)
    assert transfer(store).export(some, lambda: pytest.fail("all of it can be read")) == transfer(store).export(some)


def test_a_lost_page_costs_the_memories_on_it(store: Store) -> None:
    """The indexes know of them still, and the pages before and after are whole."""
    every = [add(store, f"User likes tea {n}", cues=(f"Cue {n}.",)) for n in range(200)]
    path = store.database.path
    store.database.compact()
    content = path.read_bytes()
    size = int(store.database.value("PRAGMA page_size"))
    start = content.index(b'["Cue 100."]') // size * size
    lost_there = {m.text for m in every if f'["{m.cues[0]}"]'.encode() in content[start : start + size]}
    subprocess.run([sys.executable, "-c", ZERO, str(path), str(start), str(size)], check=True)
    lost: list[None] = []
    with Store(path, store.clock, FINGERPRINT) as harmed:
        with pytest.raises(StoreError):
            transfer(harmed).export(EVERYTHING)
        saved = transfer(harmed).export(EVERYTHING, lambda: lost.append(None))
    assert {record.memory.text for record in saved} == {m.text for m in every} - lost_there
    assert len(lost) == len(lost_there) > 0
