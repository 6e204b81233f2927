"""Memories, conversations, jobs, erasure, vectors and transfer, through the protocols: no SQL, no engine file."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import (
    Add,
    Applied,
    Confirm,
    Decision,
    Draft,
    End,
    Event,
    Evidence,
    Forget,
    JobState,
    Memory,
    Message,
    MessageStatus,
    Owner,
    Role,
    Scope,
)
from memchat.errors import AmbiguousId, NotFound, UsageError
from memchat.storage.protocols import Engine, Storage
from memchat.storage.results import Sort
from tests.conftest import FINGERPRINT, SettableClock
from tests.storage.memory_factories import ALICE, BOB, HashedEmbedder, embedded

EVERYTHING = MemoryFilter((ALICE,), all_sessions=True, superseded=True, expired=True)


def apply(storage: Storage, *decisions: Decision) -> list[Applied]:
    vectors = [embedded(d.draft.text, d.draft.cues) if isinstance(d, Add) else None for d in decisions]
    return storage.apply(decisions, vectors)


def add(storage: Storage, text: str, owner: Owner = ALICE, replaces: Sequence[Memory] = (), **draft: Any) -> Memory:
    made = Draft(text, owner, **{"scope": owner.kind, **draft})
    (applied,) = apply(storage, Add(made, tuple(memory.id for memory in replaces)))
    return applied.memory


def say(storage: Storage, text: str, user: str = "alice") -> Message:
    session = storage.conversations.new_session(user, None)
    asked = storage.conversations.begin_turn(session, text)
    storage.conversations.end_turn(asked, "Noted.", MessageStatus.COMPLETE, "test", [])
    return asked


def texts(storage: Storage, view: MemoryFilter | None = None) -> list[str]:
    """What `view` shows, oldest first."""
    return [memory.text for memory in reversed(storage.memories.memories(view or MemoryFilter((ALICE,))))]


# Memories.


def test_what_is_added_is_read_back_without_a_difference(engine: Engine, storage: Storage) -> None:
    """By another connection too, with every field."""
    memory = add(
        storage,
        "User waits for a parcel",
        category="support",
        metadata={"order_id": 4821, "vip": True},
        cues=("asking about a delivery",),
        valid_from=date(2026, 1, 2),
        valid_to=date(2026, 9, 1),
        agent="shop",
    )
    with engine.open(FINGERPRINT) as other:
        assert other.memories.get(memory.id) == memory
        assert other.memories.by_ids([memory.id]) == {memory.id: memory}


def test_the_same_said_twice_is_one_memory(storage: Storage) -> None:
    """Whatever its case and punctuation; it is confirmed."""
    first = add(storage, "User likes tea")
    (again,) = apply(storage, Add(Draft("user likes TEA!", ALICE)))
    assert (again.event, again.memory.id) == (Event.CONFIRM, first.id)
    assert texts(storage) == ["User likes tea"]


def test_a_replaced_memory_stays_in_the_history_and_can_come_back(storage: Storage) -> None:
    """As of a day before it is what held; undo brings it back."""
    rome = add(storage, "User lives in Rome", valid_from=date(2020, 1, 1))
    oslo = add(storage, "User lives in Oslo", replaces=[rome], valid_from=date(2024, 1, 1))
    assert texts(storage) == ["User lives in Oslo"]
    assert texts(storage, MemoryFilter((ALICE,), as_of=date(2021, 1, 1))) == ["User lives in Rome"]
    assert [change.event for change in storage.memories.history(oslo)] == [Event.ADD, Event.SUPERSEDE, Event.ADD]
    assert storage.memories.count_versions([oslo.id]) == 2
    former = storage.memories.get(rome.id)
    assert former is not None
    storage.memories.undo(oslo, former, None)
    assert texts(storage) == ["User lives in Rome"]


def test_an_end_and_an_edit_can_be_taken_back(storage: Storage) -> None:
    """The planned end returns, and so do the former words."""
    memory = add(storage, "User is in Paris", valid_to=date(2027, 1, 1))
    apply(storage, End(memory.id, date(2026, 3, 1)))
    assert storage.memories.unend(memory).valid_to == date(2027, 1, 1)
    edited = storage.memories.edit(memory, "User is in Lyon", embedded("User is in Lyon"), "edited")
    storage.memories.undo(edited, "User is in Paris", embedded("User is in Paris"))
    assert texts(storage) == ["User is in Paris"]


def test_amending_keeps_the_words(storage: Storage, clock: SettableClock) -> None:
    """Metadata and expiry are given, and expired memories are out."""
    memory = add(storage, "User likes tea")
    storage.memories.amend(memory, {"n": 1}, clock() + timedelta(hours=1))
    assert texts(storage, MemoryFilter((ALICE,), where={"n": "1"})) == ["User likes tea"]
    clock.forward(hours=2)
    assert texts(storage) == []
    assert texts(storage, MemoryFilter((ALICE,), expired=True)) == ["User likes tea"]


def test_memories_are_tallied_by_category_and_month(storage: Storage, clock: SettableClock) -> None:
    """By the day they became true, else that of their creation; other owners' and superseded ones are out."""
    month = clock().astimezone().strftime("%Y-%m")
    add(storage, "User likes tea", category="preference")
    add(storage, "User likes jam", category="preference", valid_from=date(2020, 2, 3))
    add(storage, "User lives in Rome", category="place")
    add(storage, "User likes beer", BOB, category="preference")
    tallied = storage.memories.tally(MemoryFilter((ALICE,)))
    assert tallied == [("place", month, 1), ("preference", "2020-02", 1), ("preference", month, 1)]
    assert storage.memories.tally(MemoryFilter(())) == []


def test_owners_are_kept_apart(storage: Storage) -> None:
    """In every reader, and by id."""
    mine, theirs = add(storage, "plum"), add(storage, "plum jam", BOB)
    view, memories = MemoryFilter((ALICE,)), storage.memories
    assert texts(storage) == ["plum"]
    assert memories.count(view) == 1
    assert memories.keyword_search(view, ["plum"], 5) == [mine.id]
    assert memories.vector_search(view, embedded("plum jam").rows, 5) == [mine.id]
    assert memories.frequencies(view, ["plum", "jam"]) == {"plum": 1, "jam": 0}
    with pytest.raises(NotFound):
        memories.find(theirs.id, [ALICE])


def test_a_part_of_an_id_names_one_memory_or_none(storage: Storage) -> None:
    """More than one is said, and which."""
    one, two = add(storage, "one"), add(storage, "two")
    assert storage.memories.find(one.id, [ALICE]) == one
    shared = "".join(a for a, b in zip(one.id, two.id, strict=True) if a == b)[:4]
    with pytest.raises(AmbiguousId):
        storage.memories.find(shared, [ALICE])


def test_lists_are_ordered_and_read_in_parts(storage: Storage) -> None:
    """As values and as JSON."""
    for text in ("b", "c", "a"):
        add(storage, text)
    view = MemoryFilter((ALICE,))
    assert [item.text for item in storage.memories.listed(view, sort=Sort.TEXT)] == ["a", "b", "c"]
    assert len(list(storage.memories.listed_json(view, limit=2))) == 2
    assert [memory.text for memory in storage.memories.memories(view, 1, 1)] == ["c"]
    assert len(storage.memories.ids([ALICE])) == 3


def test_candidates_bring_the_vectors_that_were_stored(storage: Storage) -> None:
    """Recall ranks by them."""
    memory = add(storage, "plum", cues=("baking a cake",))
    (candidate,) = storage.memories.candidates([memory.id])
    assert candidate.embedded.kinds == ("text", "cue")
    assert candidate.embedded.rows.tolist() == embedded("plum", ("baking a cake",)).rows.tolist()


def test_session_memories_stay_in_their_session(storage: Storage) -> None:
    """And standing instructions are found by themselves."""
    add(storage, "for one", scope=Scope.SESSION, session_id="s1")
    wish = add(storage, "Answer briefly", standing=True)
    assert texts(storage) == ["Answer briefly"]
    assert texts(storage, MemoryFilter((ALICE,), session_id="s1")) == ["for one", "Answer briefly"]
    assert storage.memories.standing(MemoryFilter((ALICE,))) == [wish]


# Conversations and jobs.


def test_a_message_and_its_job_are_stored_together(engine: Engine, storage: Storage) -> None:
    """Another process sees both; the reply follows, and the job is claimed once."""
    asked = say(storage, "I like tea")
    with engine.open(FINGERPRINT) as other:
        assert [message.role for message in other.conversations.messages(asked.session_id)] == [
            Role.USER,
            Role.ASSISTANT,
        ]
        job = other.work.claim("alice")
        assert job is not None
        assert job.user_message_id == asked.id
        assert storage.work.claim("alice") is None
        other.work.release(job)
    assert [job.state for job in storage.work.pending("alice")] == [JobState.WAITING]


def test_decisions_and_the_end_of_their_job_are_one(storage: Storage) -> None:
    """A job that is no longer ours decides nothing."""
    asked = say(storage, "I like tea")
    job = storage.work.claim("alice")
    assert job is not None
    evidence = Evidence(asked.id, asked.session_id, "I like tea", "test")
    drafts = [Add(Draft("User likes tea", ALICE, evidence=evidence))]
    assert len(storage.apply(drafts, [embedded("User likes tea")], job)) == 1
    assert storage.work.pending("alice") == []
    assert storage.apply([Add(Draft("User likes jam", ALICE))], [embedded("User likes jam")], job) == []
    assert texts(storage) == ["User likes tea"]
    assert [memory.text for memory in storage.memories.learned_from(asked.id)] == ["User likes tea"]


def test_a_failed_job_waits_with_its_reason(storage: Storage) -> None:
    """It is not due at once; a person tries it again or discards it."""
    say(storage, "I like tea")
    job = storage.work.claim("alice")
    assert job is not None
    storage.work.fail(job, "the model was away")
    assert [one.error for one in storage.work.pending("alice")] == ["the model was away"]
    assert storage.work.due("alice") == 0
    assert storage.work.retry_all("alice") == 1
    assert storage.work.due("alice") == 1
    storage.work.discard(storage.work.pending("alice")[0])
    assert storage.work.pending("alice") == []


def test_conversations_are_found_again(storage: Storage) -> None:
    """By name, by id, and the last one; what was said before a message, newest first."""
    session = storage.conversations.new_session("alice", "cook", name="kitchen")
    for text in ("one", "two", "three"):
        asked = storage.conversations.begin_turn(session, text, None)
    assert storage.conversations.named_session("kitchen", "alice") is not None
    assert storage.conversations.named_session("kitchen", "bob") is None
    latest = storage.conversations.latest_session("alice")
    assert latest is not None
    assert latest.id == session.id
    assert [message.text for message in storage.conversations.earlier(asked)] == ["two", "one"]
    assert storage.conversations.recent_user_messages("alice", 2) == ["three", "two"]
    storage.conversations.rename(session, "Cooking")
    assert [one.title for one in storage.conversations.sessions("alice")] == ["Cooking"]
    with pytest.raises(NotFound):
        storage.conversations.find_session("nothing", "alice")


# Erasure, transfer, upkeep.


def test_what_is_erased_is_gone_down_to_the_bytes(home: Path, storage: Storage) -> None:
    """The report finds nothing, and neither does a search of the files."""
    memory = add(storage, "User keeps quokkas in Zwolle")
    stays = add(storage, "User likes tea")
    report = storage.erase([memory.id])
    assert (report.memories, report.left) == (1, ())
    assert storage.memories.ids([ALICE]) == [stays.id]
    assert not [path for path in home.rglob("*") if path.is_file() and b"quokka" in path.read_bytes()]


def test_a_person_is_erased_whole_and_others_stay(storage: Storage) -> None:
    """Memories, conversations and jobs."""
    say(storage, "I like tea")
    add(storage, "User likes tea")
    add(storage, "User likes jam", BOB)
    report = storage.erase_person("alice")
    assert report.left == ()
    assert storage.conversations.sessions("alice") == []
    assert storage.work.pending("alice") == []
    assert storage.memories.count(MemoryFilter((ALICE, BOB))) == 1
    storage.erase_everything()
    assert storage.memories.count(MemoryFilter((ALICE, BOB))) == 0


def test_forgetting_in_a_conversation_erases_at_once(storage: Storage) -> None:
    """With the other decisions; the files are cleaned when there is time."""
    tea, jam = add(storage, "User likes tea"), add(storage, "User likes jam")
    applied = apply(storage, Forget(tea.id), Confirm(jam.id))
    assert {one.event for one in applied} == {Event.DELETE, Event.CONFIRM}
    storage.finish_erasures()
    assert texts(storage) == ["User likes jam"]


def test_an_export_is_restored_without_a_difference(storage: Storage) -> None:
    """With versions and history, after everything was erased."""
    rome = add(storage, "User lives in Rome")
    add(storage, "User lives in Oslo", replaces=[rome])
    records = storage.transfer.export(EVERYTHING)
    storage.erase_everything()
    came = storage.transfer.restore(records, HashedEmbedder())
    assert (len(came.ids), came.known) == (2, 0)
    assert storage.transfer.export(EVERYTHING) == records
    assert storage.transfer.restore(records, HashedEmbedder()).known == 2


def test_vectors_of_another_embedder_are_named_and_made_again(storage: Storage) -> None:
    """Until then they are found by their words alone."""
    add(storage, "plum")
    other = HashedEmbedder()
    other.fingerprint = "other:24"
    assert storage.vectors.others_notice(FINGERPRINT) is None
    assert "1 memory" in (storage.vectors.others_notice(other.fingerprint) or "")
    assert storage.vectors.renew(other.fingerprint, other) == 1
    assert storage.vectors.others_notice(other.fingerprint) is None


def test_a_sound_store_has_nothing_to_repair(engine: Engine, storage: Storage) -> None:
    """And a copy of it opens."""
    add(storage, "plum")
    with engine.inspect(FINGERPRINT) as (inspection, _):
        assert inspection.complaints() == []
        assert inspection.check_fulltext() == (0, 0)
        assert (inspection.unreadable_memories().count, inspection.unreadable_memories().lost) == (1, ())
    with engine.repairs(FINGERPRINT) as repairs:
        assert (repairs.rebuild_indexes(), repairs.remove_strays(), repairs.rebuild_fulltext()) == (None, 0, None)


def test_the_same_words_may_not_come_back_twice(storage: Storage) -> None:
    """Two current memories of an owner never say the same."""
    rome = add(storage, "User lives in Rome")
    oslo = add(storage, "User lives in Oslo", replaces=[rome])
    add(storage, "User lives in Rome")
    former = storage.memories.get(rome.id)
    assert former is not None
    with pytest.raises(UsageError):
        storage.memories.undo(oslo, former, None)
