import math
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import (
    Add,
    Confirm,
    Decision,
    Draft,
    End,
    Event,
    Evidence,
    Forget,
    MarkOutdated,
    Message,
    Owner,
    Scope,
)
from memchat.errors import AmbiguousId, NotFound, UsageError
from memchat.storage.store import Store
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.reembedding import others_notice
from memchat.storage.vectors.search import VectorSearch
from tests.conftest import SettableClock
from tests.storage.memory_factories import (
    ALICE,
    BOB,
    add,
    add_many,
    apply,
    current,
    embedded,
    replace_with,
    say,
    texts,
)

TODAY = date(2026, 3, 1)


def events(store: Store, memory_id: str) -> list[tuple[str, str | None, str | None]]:
    memory = store.memories.get(memory_id)
    assert memory is not None
    return [(change.event, change.old_text, change.new_text) for change in store.memories.history(memory)]


# Adding.


@pytest.mark.parametrize("again", ["user likes tea", "  User   likes\ttea!! ", "USER LIKES TEA…", "“User likes tea.”"])
def test_the_same_said_twice_is_one_memory(store: Store, again: str) -> None:
    """Case, punctuation and spacing make no second memory; saying it again confirms the first."""
    first = add(store, "User likes Tea.")
    (second,) = apply(store, Add(Draft(again, ALICE)))
    assert second.event is Event.CONFIRM
    assert second.memory.id == first.id
    assert second.memory.confirmed_at is not None
    assert texts(store) == ["User likes Tea."]


def test_what_differs_by_a_sign_that_matters_is_two_memories(store: Store) -> None:
    """C, C# and C++ are three things."""
    add_many(store, ["User writes C", "User writes C#", "User writes C++"])
    assert len(texts(store)) == 3


def test_the_same_words_of_another_owner_are_another_memory(store: Store) -> None:
    """What alice, bob and an agent know are three worlds."""
    owners = [ALICE, BOB, Owner.agent("alice"), Owner(Scope.SESSION, "alice")]
    ids = {add(store, "Likes tea", owner).id for owner in owners}
    assert len(ids) == 4
    assert [texts(store, owner=owner) for owner in owners] == [["Likes tea"]] * 4


def test_a_fact_said_again_after_it_ended_holds_again(store: Store) -> None:
    """Saying it once more takes back its end and the doubt about it."""
    memory = add(store, "User lives in Rome")
    apply(store, End(memory.id, TODAY), MarkOutdated(memory.id))
    apply(store, Confirm(memory.id))
    assert current(store, memory).valid_to is None
    assert not current(store, memory).doubtful


def test_saying_it_again_does_not_lengthen_a_fact_that_ends_some_day(store: Store) -> None:
    """ "In Paris until Friday" said twice still ends on Friday; with another day it ends then."""
    friday, sunday = TODAY + timedelta(days=5), TODAY + timedelta(days=7)
    memory = add(store, "User is in Paris", valid_to=friday)
    add(store, "User is in Paris")
    assert current(store, memory).valid_to == friday
    add(store, "user is in paris", valid_to=sunday)
    assert current(store, memory).valid_to == sunday


def test_a_fact_that_expired_comes_back_when_it_is_said_again(store: Store, clock: SettableClock) -> None:
    """An expired memory must not swallow the new one."""
    memory = add(store, "The code word is plum", expires_at=clock() + timedelta(hours=1))
    clock.forward(hours=2)
    assert texts(store) == []
    assert add(store, "The code word is plum").id == memory.id
    assert texts(store) == ["The code word is plum"]


def test_verbatim_turns_are_kept_each_time(store: Store) -> None:
    """A transcript may hold the same words twice."""
    add(store, "Anna: hello", verbatim=True)
    add(store, "Anna: hello", verbatim=True)
    assert texts(store) == ["Anna: hello"] * 2


def test_a_fact_whose_words_were_erased_meanwhile_is_not_stored(store: Store) -> None:
    """Evidence that is not in the transcript any more is no evidence."""
    message = say(store, "I like tea")
    gone = Evidence(message.id, message.session_id, "like plums", "test")
    assert apply(store, Add(Draft("User likes plums", ALICE, evidence=gone))) == []
    lost = Evidence("no such message", message.session_id, "like tea", "test")
    assert apply(store, Add(Draft("User likes tea", ALICE, evidence=lost))) == []
    assert texts(store) == []


# Superseding.


def test_a_superseded_fact_ends_where_the_new_one_begins(store: Store) -> None:
    """The chain is kept, with validity periods that meet."""
    rome = add(store, "User lives in Rome", valid_from=date(2020, 5, 1))
    oslo = replace_with(store, "User lives in Oslo", rome, valid_from=date(2024, 2, 1))
    bonn = replace_with(store, "User lives in Bonn", oslo)
    assert texts(store) == ["User lives in Bonn"]
    assert current(store, rome).valid_to == date(2024, 2, 1)
    assert current(store, oslo).valid_to == TODAY
    assert current(store, oslo).superseded_by == bonn.id
    assert bonn.supersedes == (oslo.id,)
    assert [memory.text for memory in store.memories.memories(MemoryFilter((ALICE,), superseded=True))] == [
        "User lives in Bonn",
        "User lives in Oslo",
        "User lives in Rome",
    ]


def test_the_past_is_shown_as_it_was(store: Store) -> None:
    """A view as of a day has what held on that day, and nothing that never was true."""
    rome = add(store, "User lives in Rome", valid_from=date(2020, 5, 1))
    wrong = add(store, "User lives in Home", valid_from=date(2019, 1, 1))
    replace_with(store, "User lives in Oslo", rome, valid_from=date(2024, 2, 1))
    replace_with(store, "User lives in a flat", wrong, mistaken=True, valid_from=date(2024, 3, 1))

    def as_of(*day: int) -> list[str]:
        return texts(store, MemoryFilter((ALICE,), as_of=date(*day)))

    assert as_of(2019, 6, 1) == []
    assert as_of(2020, 5, 1) == ["User lives in Rome"]
    assert as_of(2024, 1, 31) == ["User lives in Rome"]
    assert as_of(2024, 2, 1) == ["User lives in Oslo"]
    assert as_of(2025, 1, 1) == ["User lives in Oslo", "User lives in a flat"]


def test_nobody_supersedes_what_is_somebody_elses(store: Store) -> None:
    """An id of another owner in a decision is passed over."""
    bobs = add(store, "Lives in Rome", BOB)
    apply(store, Add(Draft("Lives in Oslo", ALICE), (bobs.id, "no such id", bobs.id)))
    assert texts(store, owner=BOB) == ["Lives in Rome"]
    assert texts(store) == ["Lives in Oslo"]


def test_a_fact_replaced_by_what_is_known_already_confirms_that(store: Store) -> None:
    """The twin takes the place of the replaced one; nothing is doubled."""
    rome, oslo = add_many(store, ["User lives in Rome", "User lives in Oslo"])
    (applied,) = apply(store, Add(Draft("user lives in oslo", ALICE), (rome.id, rome.id)))
    assert (applied.event, applied.memory.id) == (Event.CONFIRM, oslo.id)
    assert [memory.id for memory in applied.replaced] == [rome.id]
    assert current(store, rome).superseded_by == oslo.id
    assert [event for event, _, _ in events(store, rome.id)] == ["ADD", "SUPERSEDE"]


def test_decisions_about_what_is_gone_are_passed_over(store: Store) -> None:
    """Unknown and superseded memories change nothing and raise nothing."""
    rome = add(store, "User lives in Rome")
    replace_with(store, "User lives in Oslo", rome)
    decisions: list[Decision] = [Confirm(rome.id), End(rome.id, TODAY), MarkOutdated(rome.id)]
    decisions += [Confirm("?"), End("?", TODAY), MarkOutdated("?")]
    assert apply(store, *decisions, Forget("?")) == []


# Correcting and undoing.


def test_an_edit_keeps_the_former_words_in_the_history(store: Store) -> None:
    """Words and vectors are new, and the memory is found by its new words."""
    memory = add(store, "User likes tae")
    edited = store.memories.edit(memory, "User likes tea", embedded("User likes tea"), "edited")
    assert edited.text == "User likes tea"
    assert events(store, memory.id) == [
        ("ADD", None, "User likes tae"),
        ("UPDATE", "User likes tae", "User likes tea"),
    ]
    view = MemoryFilter((ALICE,))
    assert store.memories.keyword_search(view, ["tea"], 5) == [memory.id]
    assert store.memories.keyword_search(view, ["tae"], 5) == []
    (candidate,) = store.memories.candidates([memory.id])
    assert candidate.embedded.rows.tolist() == embedded("User likes tea").rows.tolist()


def test_an_edit_into_the_words_of_another_memory_is_refused(store: Store) -> None:
    """The sentence says which memory says so already, and nothing has changed."""
    tea, coffee = add_many(store, ["User likes tea", "User likes coffee"])
    with pytest.raises(UsageError, match=tea.id):
        store.memories.edit(coffee, "User likes TEA!", embedded("User likes TEA!"), "edited")
    assert texts(store) == ["User likes tea", "User likes coffee"]
    assert [event for event, _, _ in events(store, coffee.id)] == ["ADD"]


def test_an_edit_of_what_is_gone_says_so(store: Store) -> None:
    """Forgotten in another window meanwhile."""
    memory = add(store, "User likes tea")
    store.eraser.erase([memory.id])
    with pytest.raises(NotFound):
        store.memories.edit(memory, "User likes coffee", embedded("User likes coffee"), "edited")


def test_undoing_a_replacement_brings_all_it_replaced_back(store: Store) -> None:
    """Both former memories hold again, without an end; the new one counts as a mistake."""
    rome, tea = add_many(store, ["User lives in Rome", "User drinks tea in Rome"])
    oslo = replace_with(store, "User lives in Oslo and drinks coffee", rome, tea)
    store.memories.undo(oslo, current(store, rome), None)
    assert texts(store) == ["User lives in Rome", "User drinks tea in Rome"]
    assert current(store, rome).valid_to is None
    assert current(store, oslo).mistaken
    assert events(store, rome.id)[-1] == ("UNDO", None, "User lives in Rome")


def test_undoing_an_undo_restores_the_replacement(store: Store) -> None:
    """Afterwards the former fact is past again, not a mistake."""
    rome = add(store, "User lives in Rome", valid_from=date(2020, 1, 1))
    oslo = replace_with(store, "User lives in Oslo", rome, valid_from=date(2024, 1, 1))
    store.memories.undo(oslo, current(store, rome), None)
    store.memories.undo(current(store, rome), current(store, oslo), None)
    assert texts(store) == ["User lives in Oslo"]
    assert not current(store, rome).mistaken
    assert current(store, rome).valid_to == date(2024, 1, 1)
    assert texts(store, MemoryFilter((ALICE,), as_of=date(2021, 1, 1))) == ["User lives in Rome"]


def test_undoing_keeps_an_end_that_the_fact_had_of_its_own(store: Store) -> None:
    """ "In Paris until Friday" still ends on Friday when what replaced it is taken back."""
    friday = TODAY + timedelta(days=5)
    paris = add(store, "User is in Paris", valid_to=friday)
    later = replace_with(store, "User is in Paris until Sunday", paris, valid_to=friday + timedelta(days=2))
    store.memories.undo(later, current(store, paris), None)
    assert current(store, paris).valid_to == friday


def test_undoing_onto_a_fact_that_was_told_again_is_refused(store: Store) -> None:
    """Two current memories may not say the same: the sentence names the other, and nothing has changed."""
    rome = add(store, "User lives in Rome")
    oslo = replace_with(store, "User lives in Oslo", rome)
    again = add(store, "User lives in Rome")
    with pytest.raises(UsageError, match=again.id):
        store.memories.undo(oslo, current(store, rome), None)
    assert texts(store) == ["User lives in Oslo", "User lives in Rome"]
    assert current(store, oslo).superseded_by is None


def test_undoing_what_has_changed_meanwhile_is_refused(store: Store) -> None:
    """A replacement that somebody else undid first is not undone twice."""
    rome = add(store, "User lives in Rome")
    oslo = replace_with(store, "User lives in Oslo", rome)
    before = current(store, rome)
    store.memories.undo(oslo, before, None)
    with pytest.raises(UsageError, match="meanwhile"):
        store.memories.undo(oslo, before, None)


def test_an_end_and_a_doubt_can_be_taken_back_one_by_one(store: Store) -> None:
    """The later of the two goes first; an end given from the start stays."""
    memory = add(store, "User lives in Rome")
    apply(store, End(memory.id, TODAY), MarkOutdated(memory.id))
    assert store.memories.unend(memory).valid_to == TODAY
    planned = add(store, "User is in Paris", valid_to=TODAY + timedelta(days=3))
    apply(store, MarkOutdated(planned.id))
    taken_back = store.memories.unend(planned)
    assert taken_back.valid_to == TODAY + timedelta(days=3)
    assert not taken_back.doubtful


@pytest.mark.parametrize("reason", ["", "said to be over"])
def test_with_an_end_taken_back_the_planned_one_returns(store: Store, reason: str) -> None:
    """What was to end later anyway, and ended early, ends as planned again."""
    planned = TODAY + timedelta(days=30)
    memory = add(store, "User is in Paris", valid_to=planned)
    apply(store, End(memory.id, TODAY + timedelta(days=9), reason), End(memory.id, TODAY, reason))
    assert store.memories.unend(memory).valid_to == TODAY + timedelta(days=9)
    apply(store, End(memory.id, TODAY, reason))
    assert store.memories.history(memory)[-1].reason.startswith(reason)
    assert store.memories.unend(memory).valid_to == TODAY + timedelta(days=9)
    endless = add(store, "User is in Rome")
    apply(store, End(endless.id, TODAY, reason))
    assert store.memories.unend(endless).valid_to is None


def test_the_history_follows_the_chain_in_the_order_things_happened(store: Store, clock: SettableClock) -> None:
    """Oldest first, over all versions, with times."""
    rome = add(store, "User lives in Rome")
    clock.forward(days=1)
    apply(store, MarkOutdated(rome.id, "moved?"))
    clock.forward(days=1)
    oslo = replace_with(store, "User lives in Oslo", rome)
    history = store.memories.history(oslo)
    assert [change.event for change in history] == ["ADD", "DOUBT", "SUPERSEDE", "ADD"]
    assert [change.seq for change in history] == sorted(change.seq for change in history)
    assert [change.at for change in history] == sorted(change.at for change in history)
    assert history[1].reason == "moved?"


# Views.


@pytest.mark.parametrize(
    ("key", "value", "asked"),
    [
        ("order_id", 4821, "4821"),
        ("order_id", "4821", 4821),
        ("gift", True, True),
        ("gift", True, "true"),
        ("price", 1.5, "1.5"),
        ("price", 2.0, 2),
        ("huge", 10**30, 10**30),
        ("tiny", 1e-20, 1e-20),
        ("a.b", "x", "x"),
        ('with "quotes"', "x", "x"),
        ("back\\slash", "x", "x"),
        ("", "x", "x"),
        ("日本", "東京", "東京"),
        ("$", "[0]", "[0]"),
        ("line\nbreak", "nul\0byte", "nul\0byte"),
    ],
)
def test_metadata_filters_whatever_the_key_and_the_type(store: Store, key: str, value: object, asked: object) -> None:
    """A value is found by itself or by what a command line can say of it, and by nothing else."""
    add(store, "with", metadata={key: value, "other": "1"})
    add(store, "other value", metadata={key: "something else"})
    add(store, "without", metadata={"x": value})
    add(store, "bare")
    assert texts(store, MemoryFilter((ALICE,), where={key: asked})) == ["with"]  # type: ignore[dict-item]
    assert texts(store, MemoryFilter((ALICE,), where={key: asked, "no": "such"})) == []  # type: ignore[dict-item]


def test_a_filter_on_nan_finds_nothing_and_raises_nothing(store: Store) -> None:
    """Numbers that are none do no harm."""
    add(store, "odd", metadata={"n": math.nan})
    assert texts(store, MemoryFilter((ALICE,), where={"n": 1})) == []


def test_session_memories_stay_in_their_session(store: Store) -> None:
    """Another session sees them only when it asks for all."""
    add(store, "for all")
    add(store, "for one", scope=Scope.SESSION, session_id="s1")
    assert texts(store) == ["for all"]
    assert texts(store, MemoryFilter((ALICE,), session_id="s1")) == ["for all", "for one"]
    assert texts(store, MemoryFilter((ALICE,), session_id="s2")) == ["for all"]
    assert texts(store, MemoryFilter((ALICE,), all_sessions=True)) == ["for all", "for one"]
    assert texts(store, MemoryFilter((ALICE,), all_sessions=True, scope=Scope.SESSION)) == ["for one"]


def test_expired_memories_are_shown_only_when_asked_for(store: Store, clock: SettableClock) -> None:
    """The moment of expiry itself is already past it."""
    add(store, "short", expires_at=clock() + timedelta(minutes=1))
    assert texts(store) == ["short"]
    clock.forward(minutes=1)
    assert texts(store) == []
    assert texts(store, MemoryFilter((ALICE,), expired=True)) == ["short"]


def test_a_view_of_many_owners_shows_all_of_them_and_nobody_else(store: Store) -> None:
    """Six hundred people at once, by list, by count and by words."""
    people = [Owner.user(f"person {number}") for number in range(600)]
    apply(store, *(Add(Draft(f"{person.name} likes plums", person)) for person in people))
    add(store, "alice likes plums")
    view = MemoryFilter((*people, Owner.user("nobody at all")))
    assert len(store.memories.memories(view)) == store.memories.count(view) == 600
    assert len(store.memories.keyword_search(view, ["plum"], 1000)) == 600
    assert store.memories.frequencies(view, ["plum", "alic"]) == {"plum": 600, "alic": 0}
    assert store.memories.memories(MemoryFilter(())) == []


ODD_NAMES = [
    "al",
    "../x",
    "日本",
    "🦊",
    "a" * 300,
    "tab\tnew\nline",
    "nul\0byte",
    "\x1b[31m",
    "'; DROP TABLE memories; --",
    "%",
    "_",
    "",
    "Al",
]


def test_odd_names_are_people_like_others(store: Store) -> None:
    """Every name is somebody of their own, exactly as it was given."""
    for name in ODD_NAMES:
        add(store, f"I am {name!r}", Owner.user(name))
    for name in ODD_NAMES:
        owner = Owner.user(name)
        (memory,) = store.memories.memories(MemoryFilter((owner,)))
        assert (memory.owner, memory.text) == (owner, f"I am {name!r}")
        assert store.memories.keyword_search(MemoryFilter((owner,)), ["am"], 50) == [memory.id]
    store.eraser.erase_person("al")
    assert texts(store, owner=Owner.user("Al")) == ["I am 'Al'"]


def test_a_name_that_is_no_text_is_refused_and_never_mixed_up(store: Store) -> None:
    """Two names that differ in bytes no text can have must not become one person."""
    for name in ("al\udcff", "al\udcfe"):
        with pytest.raises(UsageError, match="Unicode"):
            add(store, "likes tea", Owner.user(name))


# Odd texts.


def test_half_of_a_surrogate_pair_is_kept_as_a_replacement_character(store: Store) -> None:
    """What a broken pipe delivers is stored, everywhere a text can stand; a whole pair is put together."""
    memory = add(store, "User likes \ud800tea \ud83d\ude00", metadata={"k\udc00": "v\udfff"}, cues=("choosing \ud800",))
    assert memory.text == "User likes \ufffdtea 😀"
    assert dict(memory.metadata) == {"k\ufffd": "v\ufffd"}
    assert memory.cues == ("choosing \ufffd",)
    edited = store.memories.edit(memory, "\udcff", embedded("x"), "edited")
    assert edited.text == "\ufffd"


@pytest.mark.parametrize("text", ["nul \0 inside", "\0", "a" * 1_000_000, "word " * 200_000, "\x1b]0;x\x07 bell"])
def test_odd_and_huge_texts_come_back_as_they_were(store: Store, text: str) -> None:
    """NUL characters, escape sequences and a megabyte."""
    memory = add(store, text)
    assert current(store, memory).text == text
    assert add(store, text).id == memory.id


@pytest.mark.parametrize(
    "term",
    ['"', 'a"b', "NEAR", "AND", "OR", "NOT", "*", "te*", "^tea", "tea:", "-", "(", "", " ", "nul\0byte", "\ud800"],
)
def test_no_search_term_can_break_a_search(store: Store, term: str) -> None:
    """Operators and quotes are words like any others."""
    memory = add(store, "User likes tea near and or not")
    view = MemoryFilter((ALICE,))
    assert set(store.memories.frequencies(view, [term, "tea"])) == {term, "tea"}
    assert store.memories.keyword_search(view, [term, "tea"], 5) == [memory.id]


def test_a_search_term_cannot_name_another_owner(store: Store) -> None:
    """The mark before every word of an owner's does not open them to others, nor are they counted."""
    add(store, "secret plums", BOB)
    add(store, "tea")
    marked = [f"{before}_{number}_plums" for number in range(5) for before in ("", "tea ", "-", "tea-")]
    for term in ("plums", *marked):
        assert store.memories.keyword_search(MemoryFilter((ALICE,)), [term], 5) == []
        assert store.memories.frequencies(MemoryFilter((ALICE,)), [term]) == {term: 0}


def test_the_words_of_two_owners_are_never_the_same(store: Store) -> None:
    """Not even where the number of one is the beginning of the other's, and a word goes on with the rest of it."""
    owners = [Owner.user(f"user {number}") for number in range(12)]
    for owner in owners:
        add(store, "2 2plums plums", owner)
    for owner in owners:
        for word in ("2", "2plums", "plums"):
            assert store.memories.frequencies(MemoryFilter((owner,)), [word]) == {word: 1}


# Ids.


def test_a_memory_is_found_by_any_unique_beginning_of_its_id(store: Store, clock: SettableClock) -> None:
    """Upper case or lower; a beginning that several share names them."""
    first, second = add_many(store, ["one", "two"])
    assert store.memories.find(first.id, [ALICE]).id == first.id
    assert store.memories.find(first.id[:-1].upper(), [ALICE]).id == first.id
    assert store.memories.find(first.id[-8:].upper(), [ALICE]).id == first.id
    assert store.memories.find(first.id[-7:], [ALICE]).id == first.id
    with pytest.raises(NotFound):
        store.memories.find(first.id[-6:], [ALICE])
    with pytest.raises(AmbiguousId, match=second.id):
        store.memories.find(first.id[:4], [ALICE])
    with pytest.raises(NotFound):
        store.memories.find(first.id, [BOB, Owner.user("unknown")])


@pytest.mark.parametrize("prefix", ["", "%", "_", "0%", "01_", "nope", "'", "\0", "0" * 5000])
def test_a_beginning_that_nothing_has_finds_nothing(store: Store, prefix: str) -> None:
    """Wildcards are no wildcards."""
    add(store, "one")
    with pytest.raises(NotFound) as raised:
        store.memories.find(prefix, [ALICE])
    assert not isinstance(raised.value, AmbiguousId)


def test_an_id_given_in_full_wins_over_a_longer_one(store: Store) -> None:
    """Imported ids can be anything."""
    one, two = add_many(store, ["one", "two"])
    for memory, new in ((one, "abc"), (two, "abcdef")):
        store.database.execute("UPDATE memories SET id = ? WHERE id = ?", (new, memory.id))
    assert store.memories.find("abc", [ALICE]).text == "one"


# The dense half.


def nearest(store: Store, view: MemoryFilter, text: str = "plum", limit: int = 5) -> list[str]:
    store.search_with(VectorSearch(ExactSearch(store.database, store.fingerprint)))
    ids = store.memories.vector_search(view, embedded(text).rows, limit)
    return [memory.text for i in ids if (memory := store.memories.get(i)) is not None]


def test_a_filter_holds_for_what_is_near_too(store: Store) -> None:
    """Memories without the metadata or the agent asked for do not come in by their meaning."""
    add(store, "plum")
    add(store, "plum cake", metadata={"kind": "cake"}, agent="cook")
    assert nearest(store, MemoryFilter((ALICE,), where={"kind": "cake"})) == ["plum cake"]
    assert nearest(store, MemoryFilter((ALICE,), agent="cook")) == ["plum cake"]
    assert nearest(store, MemoryFilter((ALICE,), categories=("work",))) == []
    assert nearest(store, MemoryFilter((ALICE,))) == ["plum", "plum cake"]


def test_a_store_that_did_not_know_the_dimension_learns_it(store: Store) -> None:
    """From the first vectors, whether it writes them or is asked with one: then it finds those that others wrote."""
    with (
        Store(store.database.path, store.clock, "letters:?") as writing,
        Store(store.database.path, store.clock, "letters:?") as asking,
    ):
        scan = ExactSearch(asking.database, "letters:?")
        asking.search_with(VectorSearch(scan))
        memory = add(writing, "plum")
        assert store.database.value("SELECT fingerprint FROM vectors") == "letters:24"
        assert asking.memories.candidates([memory.id])[0].embedded.kinds == ()
        assert asking.memories.vector_search(MemoryFilter((ALICE,)), embedded("plum").rows, 5) == [memory.id]
        assert asking.memories.candidates([memory.id])[0].embedded.kinds == ("text",)
        assert scan.fingerprint == "letters:24"


def test_what_is_near_but_hidden_makes_room_for_what_is_not(store: Store, clock: SettableClock) -> None:
    """Other sessions' and expired memories take no place among the few that are wanted."""
    add(store, "plum", scope=Scope.SESSION, session_id="s1")
    for number in range(5):
        add(store, f"plum {number}", expires_at=clock() + timedelta(hours=1))
    add_many(store, [f"far {number}" for number in range(3)])
    clock.forward(hours=2)
    assert len(nearest(store, MemoryFilter((ALICE,)), limit=3)) == 3
    assert nearest(store, MemoryFilter((ALICE,), session_id="s1"), limit=1) == ["plum"]
    assert "plum" not in nearest(store, MemoryFilter((ALICE,), session_id="s2"), limit=50)


def test_very_many_hidden_memories_hide_no_others(store: Store) -> None:
    """With thousands of other sessions' memories the shown ones are still found."""
    drafts = (Draft(f"plum {n}", ALICE, scope=Scope.SESSION, session_id="s1") for n in range(300))
    apply(store, *(Add(draft) for draft in drafts))
    add(store, "far away")
    assert nearest(store, MemoryFilter((ALICE,)), limit=3) == ["far away"]


def test_near_memories_of_the_past_are_found_as_of_their_day(store: Store) -> None:
    """Superseded memories are searched where the view asks for them."""
    rome = add(store, "plum", valid_from=date(2020, 1, 1))
    replace_with(store, "cherry", rome, valid_from=date(2024, 1, 1))
    assert nearest(store, MemoryFilter((ALICE,))) == ["cherry"]
    assert nearest(store, MemoryFilter((ALICE,), as_of=date(2021, 1, 1))) == ["plum"]
    assert nearest(store, MemoryFilter((ALICE,), superseded=True)) == ["plum", "cherry"]


# What is read.


@contextmanager
def statements(store: Store) -> Generator[list[str]]:
    """The SQL that runs in the block, with its values."""
    seen: list[str] = []
    connection = store.database._connection
    connection.set_trace_callback(lambda sql: None if sql.startswith("--") else seen.append(sql))
    yield seen
    connection.set_trace_callback(None)


def scans(store: Store, sql: str) -> list[str]:
    """The steps of the query's plan that go through all of a table."""
    steps = [row["detail"] for row in store.database.rows(f"EXPLAIN QUERY PLAN {sql}")]
    no_tables = ("VIRTUAL TABLE", "CONSTANT", "SCAN chain")
    return [step for step in steps if step.startswith("SCAN") and not any(name in step for name in no_tables)]


def read_work(store: Store, own: Message) -> None:
    """Everything that is asked about the work of one person, or of nobody who talked with an agent."""
    store.work.due("alice")
    store.work.pending("alice")
    store.work.retry_all("alice")
    store.work.of(own.id)
    for session in (store.conversations.session(own.session_id), store.conversations.new_session("", "bot")):
        assert session is not None
        store.work.claim_of(session)
    store.work.claim("alice")


def test_no_read_for_one_person_goes_through_other_peoples_rows(store: Store) -> None:
    """Every read of recall and of the lists finds its rows by an index, never by scanning a table."""
    add_many(store, [f"fact {number}" for number in range(50)])
    add(store, "for one", scope=Scope.SESSION, session_id="s1")
    own, _ = say(store, "I like tea"), say(store, "I like plums", user="bob")
    view = MemoryFilter((ALICE, BOB), session_id="s1")
    with statements(store) as seen:
        found = store.memories.memories(view, 10)
        store.memories.count(view)
        store.memories.standing(view)
        store.memories.keyword_search(view, ["fact"], 10)
        store.memories.history(found[0])
        store.memories.candidates([memory.id for memory in found])
        store.memories.by_ids([memory.id for memory in found])
        store.memories.find(found[0].id, [ALICE])
        nearest(store, view)
        nearest(store, MemoryFilter((ALICE,), where={"a": 1}))
        others_notice(store.database, "another/24")
        store.conversations.sessions("alice")
        store.conversations.recent_user_messages("alice", 10)
        read_work(store, own)
    assert len(seen) > 30
    assert [(sql, scans(store, sql)) for sql in seen if scans(store, sql)] == []


def test_wishes_are_found_without_reading_all_memories(store: Store) -> None:
    """Every turn asks for them."""
    add(store, "one")
    with statements(store) as seen:
        store.memories.standing(MemoryFilter((ALICE,)))
    steps = [row["detail"] for row in store.database.rows(f"EXPLAIN QUERY PLAN {seen[-1]}")]
    assert any("memories_standing" in step for step in steps)


def test_counting_a_persons_memories_reads_an_index_alone(store: Store) -> None:
    """Recall counts on every turn; a hundred thousand rows must not be read for it."""
    add(store, "one")
    with statements(store) as seen:
        store.memories.count(MemoryFilter((ALICE,)))
    steps = [row["detail"] for row in store.database.rows(f"EXPLAIN QUERY PLAN {seen[-1]}")]
    assert "COVERING INDEX memories_of_owner" in steps[0]
