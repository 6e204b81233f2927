from datetime import date

import pytest

from memchat.core.protocols import Embedded
from memchat.core.types import Confirm, Draft, End, Evidence, MarkOutdated, Memory, Role, Source
from memchat.errors import UsageError
from memchat.memories.service import MAX_MEMORY_CHARACTERS, MemoryService
from memchat.storage.store import Store
from tests.conftest import SettableClock
from tests.storage.memory_factories import ALICE, HashedEmbedder, add, apply, current, holding, replace_with, texts

TODAY = date(2026, 3, 1)
PLANNED = date(2026, 9, 1)


@pytest.fixture
def service(store: Store) -> MemoryService:
    return MemoryService(store, HashedEmbedder)


def vectors_of(store: Store, memory: Memory) -> Embedded:
    (found,) = store.memories.candidates([memory.id])
    return found.embedded


def undo(service: MemoryService, store: Store, memory: Memory) -> Memory:
    return service.undo(current(store, memory))


def test_an_edit_is_undone_and_redone(store: Store, service: MemoryService) -> None:
    """Undoing twice is back where it was."""
    memory = service.add("User likes tae", ALICE)
    service.edit(memory, "User likes tea")
    assert undo(service, store, memory).text == "User likes tae"
    assert undo(service, store, memory).text == "User likes tea"


def test_an_edit_makes_the_cues_anew(store: Store, service: MemoryService) -> None:
    """The former ones would bring the new words to mind where they have no place; undo makes those of the old words."""
    memory = service.add("User is vegetarian", ALICE)
    assert "recipes and groceries" in memory.cues
    edited = service.edit(memory, "User plays the cello")
    assert "recipes and groceries" not in edited.cues
    kinds = store.database.value("SELECT kinds FROM vectors WHERE number = (SELECT number FROM memories)")
    assert kinds.count("cue") == len(edited.cues)
    assert undo(service, store, memory).cues == memory.cues


def test_a_message_kept_word_for_word_stays_one_when_edited(store: Store, service: MemoryService) -> None:
    """Its vectors are those that it would have been given at once: with the turn before it, without the speaker."""
    session = store.conversations.new_session("alice", None)
    said = ("Ana: I have a cat. It is called Tom.", "Bob: I live in Paris. I like it.")
    messages = [store.conversations.record(session, Role.USER, text) for text in said]
    evidence = [Evidence(message.id, session.id, message.text, "") for message in messages]
    drafts = [Draft(one.quote, ALICE, verbatim=True, source=Source.SAID, evidence=one) for one in evidence]
    _, memory = service.add_all(drafts)
    before = vectors_of(store, memory)
    service.edit(memory, "Bob: I live in Rome. I like it.")
    edited = vectors_of(store, memory)
    assert edited.kinds == before.kinds == ("window", "sentence", "sentence")
    wanted = HashedEmbedder().embed(["I have a cat. It is called Tom.\nI live in Rome. I like it."])
    assert (edited.rows[0] == wanted[0]).all()
    assert (vectors_of(store, undo(service, store, memory)).rows == before.rows).all()


def test_a_replacement_is_undone_from_either_end(store: Store, service: MemoryService) -> None:
    """By the new memory or by the one it replaced, and redone."""
    rome = add(store, "User lives in Rome")
    oslo = replace_with(store, "User lives in Oslo", rome)
    assert undo(service, store, oslo).id == rome.id
    assert undo(service, store, rome).id == oslo.id
    assert undo(service, store, rome).id == rome.id
    assert texts(store) == ["User lives in Rome"]


def test_what_is_brought_back_days_later_has_no_end(store: Store, service: MemoryService, clock: SettableClock) -> None:
    """However often it went and came back in between."""
    rome = add(store, "User lives in Rome")
    oslo = replace_with(store, "User lives in Oslo", rome)
    for memory in (oslo, rome, oslo, rome, oslo):
        clock.forward(days=1)
        assert undo(service, store, memory).valid_to is None


def test_an_edit_of_what_was_replaced_gives_it_no_end(
    store: Store, service: MemoryService, clock: SettableClock
) -> None:
    """That its words were changed and changed back is not what ended it."""
    rome = add(store, "User lives in Rmoe")
    oslo = replace_with(store, "User lives in Oslo", rome)
    clock.forward(days=1)
    service.edit(current(store, rome), "User lives in Rome")
    undo(service, store, rome)
    assert undo(service, store, oslo).valid_to is None


def test_the_last_thing_that_happened_is_what_is_undone(store: Store, service: MemoryService) -> None:
    """A fact with a planned end that replaced another one and was doubted: the doubt goes, then the replacement."""
    first = add(store, "User is at Acme")
    second = replace_with(store, "User is at Initech", first, valid_to=PLANNED)
    apply(store, MarkOutdated(second.id), Confirm(second.id), MarkOutdated(second.id))
    undone = undo(service, store, second)
    assert (undone.doubtful, undone.valid_to) == (False, PLANNED)
    assert undo(service, store, second).id == first.id


def test_a_replacement_with_a_planned_end_is_undone_without_losing_it(store: Store, service: MemoryService) -> None:
    """That a fact will end is no change to take back."""
    first = add(store, "User is at Acme")
    second = replace_with(store, "User is at Initech", first, valid_to=PLANNED)
    assert undo(service, store, second).id == first.id
    assert current(store, second).valid_to == PLANNED


def test_an_end_is_undone(store: Store, service: MemoryService) -> None:
    """The fact holds again."""
    memory = add(store, "User is at Acme")
    apply(store, End(memory.id, TODAY))
    assert undo(service, store, memory).valid_to is None


def test_with_nothing_to_undo_it_says_so(store: Store, service: MemoryService) -> None:
    """A first version, planned end or not."""
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(service, store, add(store, "User is at Acme", valid_to=PLANNED))


def test_undoing_passes_over_what_was_only_amended(store: Store, service: MemoryService) -> None:
    """Metadata and an end are no words: the edit before them is taken back, and they stay."""
    memory = service.edit(service.add("User likes tee", ALICE), "User likes tea")
    amended = service.amend(memory, {"shop": "Paris"}, None)
    assert (amended.text, amended.metadata) == ("User likes tea", {"shop": "Paris"})
    back = service.undo(amended)
    assert (back.text, back.metadata) == ("User likes tee", {"shop": "Paris"})


def test_what_cannot_be_a_memory_is_refused(store: Store, service: MemoryService) -> None:
    """Empty and endless texts, before anything is stored."""
    for text in ("", " \n\t", "x" * (MAX_MEMORY_CHARACTERS + 1)):
        with pytest.raises(UsageError):
            service.add(text, ALICE)
    assert texts(store) == []


def test_forgetting_proves_that_nothing_is_left(store: Store, service: MemoryService) -> None:
    """The receipt names what was erased, and the files were searched."""
    memory = service.add("User keeps quokkas", ALICE)
    receipt = service.forget([memory.id])
    assert (receipt.memories, receipt.left) == (1, ())
    assert receipt.files > 0
    assert holding(store.database.path.parent, "quokka", memory.id) == {}
