from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from memchat.core.conditions import parse_condition
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner, Scope
from memchat.errors import UsageError
from memchat.storage.memory_filter import FIELDS, narrows
from memchat.storage.memory_listing import listed, listed_json
from memchat.storage.memory_rows import format_time, owner_number, parse_time
from memchat.storage.metadata_filter import metadata_contains
from memchat.storage.store import Store
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.search import VectorSearch
from tests.conftest import SettableClock
from tests.storage.memory_factories import ALICE, add, embedded, replace_with


def test_moments_are_stored_in_utc_and_sort_as_text() -> None:
    """Whatever zone they came in, to the microsecond, and back without a difference."""
    base = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    moments = [base + timedelta(microseconds=n) for n in (0, 1, 999_999, 1_000_000)]
    assert format_time(base) == "2026-02-28T22:30:00.000000Z"
    assert sorted(map(format_time, moments)) == [format_time(m) for m in moments]
    assert [parse_time(format_time(m)) for m in moments] == moments
    assert parse_time(format_time(base)).tzinfo == UTC


def test_a_moment_of_the_first_thousand_years_is_one_like_others() -> None:
    """Its year has four digits too: an expiry somebody mistyped must not look like damage."""
    early = datetime(26, 12, 31, tzinfo=UTC)
    assert format_time(early) == "0026-12-31T00:00:00.000000Z"
    assert parse_time(format_time(early)) == early


@pytest.mark.parametrize(
    ("view", "chooses"),
    [
        (MemoryFilter((ALICE,)), False),
        (MemoryFilter((ALICE,), session_id="s"), False),
        (MemoryFilter((ALICE,), all_sessions=True, expired=True), False),
        (MemoryFilter((ALICE,), scope=Scope.USER), True),
        (MemoryFilter((ALICE,), agent=""), True),
        (MemoryFilter((ALICE,), where={"a": 1}), True),
        (MemoryFilter((ALICE,), categories=("work",)), True),
        (MemoryFilter((ALICE,), since=date(2026, 1, 1)), True),
        (MemoryFilter((ALICE,), until=date(2026, 1, 1)), True),
        (MemoryFilter((ALICE,), superseded=True), True),
        (MemoryFilter((ALICE,), as_of=datetime(2026, 1, 1, tzinfo=UTC).date()), True),
    ],
)
def test_a_view_chooses_or_shows_all_that_is_current(view: MemoryFilter, chooses: bool) -> None:
    """Only what chooses needs the list of what it shows."""
    assert narrows(view) is chooses


@pytest.mark.parametrize(
    ("metadata", "wanted", "held"),
    [
        ('{"a": 1, "b": "x"}', '{"a": 1, "b": "x"}', True),
        ('{"a": 1}', '{"a": 1, "b": "x"}', False),
        ('{"a": 1}', '{"a": "1"}', True),
        ('{"a": 1}', '{"a": 1.0}', True),
        ('{"a": true}', '{"a": 1}', False),
        ('{"a": true}', '{"a": "true"}', True),
        ('{"a": "True"}', '{"a": true}', False),
        ("{}", "{}", True),
    ],
)
def test_pairs_are_compared_as_numbers_or_as_text(metadata: str, wanted: str, held: bool) -> None:
    """A truth value is no number."""
    assert metadata_contains(metadata, wanted) is held


def test_owners_have_numbers_once_something_is_theirs(store: Store) -> None:
    """Kind and name together; reading makes nobody known."""
    assert owner_number(store.database, ALICE) is None
    store.memories.memories(MemoryFilter((ALICE,)))
    assert owner_number(store.database, ALICE) is None
    add(store, "User likes tea")
    assert owner_number(store.database, ALICE) is not None
    assert owner_number(store.database, Owner.agent("alice")) is None


CHOSEN: dict[str, tuple[dict[str, Any], set[str]]] = {
    "session_id": ({"session_id": "s1"}, {"plum today", "plum of 2020", "plum cherry", "plum in one session"}),
    "all_sessions": ({"all_sessions": True}, {"plum today", "plum of 2020", "plum cherry", "plum in one session"}),
    "scope": ({"scope": Scope.SESSION, "all_sessions": True}, {"plum in one session"}),
    "agent": ({"agent": "cook"}, {"plum today"}),
    "where": ({"where": {"n": 1}}, {"plum of 2020"}),
    "condition": ({"condition": parse_condition({"NOT": [{"n": {"gte": 1}}]})}, {"plum today", "plum cherry"}),
    "categories": ({"categories": ("work",)}, {"plum of 2020"}),
    "since": ({"since": date(2024, 1, 1)}, {"plum today", "plum cherry"}),
    "until": ({"until": date(2024, 1, 1)}, {"plum of 2020", "plum cherry"}),
    "superseded": ({"superseded": True}, {"plum today", "plum of 2020", "plum cherry", "plum rome"}),
    "expired": ({"expired": True}, {"plum today", "plum of 2020", "plum cherry", "plum gone"}),
    "as_of": ({"as_of": date(2021, 1, 1)}, {"plum of 2020", "plum rome"}),
}
"""For each field of a filter: a value for it, and which of `assorted` it leaves."""


def assorted(store: Store, clock: SettableClock) -> None:
    """Memories that each field of a filter divides."""
    add(store, "plum today", agent="cook")
    add(store, "plum of 2020", valid_from=date(2020, 1, 1), category="work", metadata={"n": 1})
    rome = add(store, "plum rome", valid_from=date(2020, 1, 1))
    replace_with(store, "plum cherry", rome, valid_from=date(2024, 1, 1))
    add(store, "plum in one session", scope=Scope.SESSION, session_id="s1")
    add(store, "plum gone", expires_at=clock() + timedelta(hours=1))
    clock.forward(hours=2)


def test_every_field_of_a_filter_is_in_the_table() -> None:
    """A field that is added to the filter alone would be ignored; one without a case below would be untested."""
    names = {field.name for field in fields(MemoryFilter)} - {"owners"}
    assert {name for field in FIELDS for name in field.names} == names
    assert set(CHOSEN) == names


@pytest.mark.parametrize("field", CHOSEN)
def test_every_reader_means_the_same_by_a_filter(store: Store, clock: SettableClock, field: str) -> None:
    """The list, its JSON, the count, the words and the vectors agree on what each field leaves."""
    assorted(store, clock)
    asked, chosen = CHOSEN[field]
    view, memories, now = MemoryFilter((ALICE,), **asked), store.memories, clock()
    store.search_with(VectorSearch(ExactSearch(store.database, store.fingerprint)))
    by_words, by_vectors = (
        memories.keyword_search(view, ["plum"], 50),
        memories.vector_search(view, embedded("plum").rows, 50),
    )
    assert {memory.text for memory in memories.memories(view)} == chosen
    assert {item.text for item in listed(store.database, view, now)} == chosen
    assert len(list(listed_json(store.database, view, now))) == memories.count(view) == len(chosen)
    for ids in (by_words, by_vectors):
        assert {memory.text for memory in memories.by_ids(ids).values()} == chosen
    assert chosen != {memory.text for memory in memories.memories(MemoryFilter((ALICE,)))}, "the case chooses nothing"


def test_a_day_without_its_own_is_the_local_day_of_creation(store: Store) -> None:
    """SINCE in a list, and what --since and --until compare, are the same day."""
    add(store, "User likes tea")
    (item,) = listed(store.database, MemoryFilter((ALICE,)), store.clock())
    day = date.fromisoformat(item.since)
    on_that_day = MemoryFilter((ALICE,), since=day, until=day)
    assert store.memories.count(on_that_day) == 1
    assert store.memories.count(replace(on_that_day, since=day + timedelta(days=1), until=None)) == 0
    assert store.memories.count(replace(on_that_day, since=None, until=day - timedelta(days=1))) == 0


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_moment_outside_of_the_calendar_is_no_moment(moment: str) -> None:
    """In UTC it would be before the first or after the last day that there is."""
    with pytest.raises(UsageError):
        parse_condition({"created_at": {"gt": moment}})
