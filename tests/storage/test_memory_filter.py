from datetime import UTC, datetime, timedelta, timezone

import pytest

from memchat.core.protocols import View
from memchat.core.types import Owner, Scope
from memchat.storage.memory_filter import filters, moment, owner_number, stamp
from memchat.storage.metadata_filter import holds
from memchat.storage.store import Store
from tests.storage.memory_factories import ALICE, add


def test_moments_are_stored_in_utc_and_sort_as_text() -> None:
    """Whatever zone they came in, to the microsecond, and back without a difference."""
    base = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    moments = [base + timedelta(microseconds=n) for n in (0, 1, 999_999, 1_000_000)]
    assert stamp(base) == "2026-02-28T22:30:00.000000Z"
    assert sorted(map(stamp, moments)) == [stamp(m) for m in moments]
    assert [moment(stamp(m)) for m in moments] == moments
    assert moment(stamp(base)).tzinfo == UTC


def test_a_moment_of_the_first_thousand_years_is_one_like_others() -> None:
    """Its year has four digits too: an expiry somebody mistyped must not look like damage."""
    early = datetime(26, 12, 31, tzinfo=UTC)
    assert stamp(early) == "0026-12-31T00:00:00.000000Z"
    assert moment(stamp(early)) == early


@pytest.mark.parametrize(
    ("view", "chooses"),
    [
        (View((ALICE,)), False),
        (View((ALICE,), session_id="s"), False),
        (View((ALICE,), all_sessions=True, expired=True), False),
        (View((ALICE,), scope=Scope.USER), True),
        (View((ALICE,), agent=""), True),
        (View((ALICE,), where={"a": 1}), True),
        (View((ALICE,), categories=("work",)), True),
        (View((ALICE,), superseded=True), True),
        (View((ALICE,), as_of=datetime(2026, 1, 1, tzinfo=UTC).date()), True),
    ],
)
def test_a_view_chooses_or_shows_all_that_is_current(view: View, chooses: bool) -> None:
    """Only what chooses needs the list of what it shows."""
    assert filters(view) is chooses


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
    assert holds(metadata, wanted) is held


def test_owners_have_numbers_once_something_is_theirs(store: Store) -> None:
    """Kind and name together; reading makes nobody known."""
    assert owner_number(store.database, ALICE) is None
    store.memories.memories(View((ALICE,)))
    assert owner_number(store.database, ALICE) is None
    add(store, "User likes tea")
    assert owner_number(store.database, ALICE) is not None
    assert owner_number(store.database, Owner.agent("alice")) is None
