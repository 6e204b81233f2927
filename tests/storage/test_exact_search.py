"""The exact scan."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memchat.storage.database import Database
from memchat.storage.vectors.exact_search import ExactSearch, VectorCache
from tests.storage.vector_factories import DIM, FINGERPRINT, Rows, directions, numbers


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "memchat.db") as database:
        yield database


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


def test_the_best_vector_of_a_memory_to_any_query_row_decides(database: Database, rows: Rows) -> None:
    """The scan returns what comparing everything by hand returns, in order, with the cosines."""
    vectors = directions(300).reshape(100, 3, DIM)
    known = rows.learn(1, list(vectors))
    query = directions(2, seed=9)
    by_hand = sorted(((float((v @ query.T).max()), n) for n, v in zip(known, vectors, strict=True)), reverse=True)
    found = ExactSearch(database, FINGERPRINT).nearest(1, query, 7)
    assert [number for number, _ in found] == [number for _, number in by_hand[:7]]
    assert [score for _, score in found] == pytest.approx([score for score, _ in by_hand[:7]], abs=1e-6)


def test_memories_with_different_numbers_of_vectors_are_kept_apart(database: Database, rows: Rows) -> None:
    """A memory's score comes from its own rows only, however many its neighbours have."""
    vectors = directions(6)
    first, second, third = rows.learn(1, [vectors[:1], vectors[1:5], vectors[5:]])
    scan = ExactSearch(database, FINGERPRINT)
    assert numbers(scan, 1, vectors[:1], 1) == [first]
    assert all(numbers(scan, 1, vectors[i : i + 1], 1) == [second] for i in range(1, 5))
    assert numbers(scan, 1, vectors[5:], 1) == [third]


def test_an_owner_never_sees_the_memories_of_another(database: Database, rows: Rows) -> None:
    """Each owner is a world of its own, also for those who have nothing."""
    vectors = directions(20)
    mine, theirs = rows.learn(1, list(vectors[:10])), rows.learn(2, list(vectors[10:]))
    scan = ExactSearch(database, FINGERPRINT)
    assert set(numbers(scan, 1, vectors[:1], 50)) == set(mine)
    assert set(numbers(scan, 2, vectors[:1], 50)) == set(theirs)
    assert numbers(scan, 3, vectors[:1], 50) == []


def test_what_another_connection_changes_is_found_at_the_next_question(database: Database, rows: Rows) -> None:
    """Learned, superseded, restored and rewritten memories are seen without loading everything again."""
    vectors = directions(40)
    known = rows.learn(1, list(vectors[:30]))
    scan = ExactSearch(database, FINGERPRINT)
    assert numbers(scan, 1, vectors[:1], 1) == [known[0]]
    with Database(database.path) as elsewhere:
        other = Rows(elsewhere)
        (new,) = other.learn(1, [vectors[30:33]])
        assert numbers(scan, 1, vectors[31:32], 1) == [new]
        other.supersede(known[0])
        assert known[0] not in numbers(scan, 1, vectors[:1], 50)
        other.restore(known[0])
        assert numbers(scan, 1, vectors[:1], 1) == [known[0]]
        other.rewrite(known[0], vectors[35:36])
        assert numbers(scan, 1, vectors[35:36], 1) == [known[0]]
        assert numbers(scan, 1, vectors[:1], 1) != [known[0]]


def test_many_rewrites_keep_the_cache_small_and_right(database: Database, rows: Rows) -> None:
    """Given-up slots are packed away, so that a memory changed a thousand times does not fill the memory."""
    vectors = directions(400)
    known = rows.learn(1, list(vectors[:100]))
    cache = VectorCache()
    scan = ExactSearch(database, FINGERPRINT, cache)
    numbers(scan, 1, vectors[:1])
    for round_ in range(3):
        for i, number in enumerate(known):
            rows.rewrite(number, vectors[(i + 100 * (round_ + 1)) % 400])
        numbers(scan, 1, vectors[:1])
    assert [numbers(scan, 1, vectors[300 + i : 301 + i], 1)[0] for i in range(100)] == known
    assert cache.size_bytes < 3 * vectors[:100].nbytes + 100 * 200


def test_after_an_erasure_nothing_of_it_is_left_in_memory(database: Database, rows: Rows) -> None:
    """A number that passes to a new memory answers with the new memory's vectors."""
    vectors = directions(10)
    known = rows.learn(1, list(vectors[:5]))
    scan = ExactSearch(database, FINGERPRINT)
    assert numbers(scan, 1, vectors[4:5], 1) == [known[4]]
    rows.erase(known[4])
    (reused,) = rows.learn(1, [vectors[9]])
    assert reused == known[4]
    ((_, score),) = scan.nearest(1, vectors[4:5], 1, allowed=[reused])
    assert score == pytest.approx(float(vectors[4] @ vectors[9]), abs=1e-6)


def test_rows_that_vanish_without_a_word_are_noticed_with_the_next_change(database: Database, rows: Rows) -> None:
    """A cache that holds more than the database is thrown away."""
    vectors = directions(10)
    known = rows.learn(1, list(vectors[:5]))
    scan = ExactSearch(database, FINGERPRINT)
    numbers(scan, 1, vectors[:1])
    database.execute("DELETE FROM memories WHERE number IN (?, ?)", known[:2])
    (new,) = rows.learn(1, [vectors[9]])
    assert set(numbers(scan, 1, vectors[:1], 50)) == {*known[2:], new}


def test_superseded_memories_are_found_only_when_they_are_allowed(database: Database, rows: Rows) -> None:
    """`allowed` alone decides, and nothing outside it is returned."""
    vectors = directions(10)
    known = rows.learn(1, list(vectors))
    rows.supersede(known[3])
    scan = ExactSearch(database, FINGERPRINT)
    assert known[3] not in numbers(scan, 1, vectors[3:4], 10)
    allowed = scan.nearest(1, vectors[3:4], 10, allowed={known[3], known[5], 9999})
    assert [number for number, _ in allowed] == [known[3], known[5]]
    assert scan.nearest(1, vectors[3:4], 10, allowed=[]) == []


def test_vectors_of_another_embedder_are_passed_over_and_counted(database: Database, rows: Rows) -> None:
    """They do not compare, but `status` can say how many wait for a reindex."""
    known = rows.learn(1, list(directions(3)))
    Rows(database, "other/8").learn(1, list(directions(4, dim=8)))
    scan = ExactSearch(database, FINGERPRINT)
    assert set(numbers(scan, 1, directions(1), 50)) == set(known)
    assert scan.foreign(1) == 4
    assert ExactSearch(database, "other/8").foreign(1) == 3


def test_asking_for_nothing_finds_nothing(database: Database, rows: Rows) -> None:
    """No query rows, or a limit of none."""
    rows.learn(1, list(directions(3)))
    scan = ExactSearch(database, FINGERPRINT)
    assert scan.nearest(1, np.empty((0, DIM), np.float32), 5) == []
    assert scan.nearest(1, directions(1), 0) == []


def test_the_cache_gives_up_the_owner_that_was_not_asked_for_longest(database: Database, rows: Rows) -> None:
    """Its size stays bounded while many owners take turns, and all answers stay right."""
    vectors = directions(60)
    known = {owner: rows.learn(owner, list(vectors[owner * 10 : owner * 10 + 10])) for owner in range(1, 6)}
    cache = VectorCache(limit_bytes=12_000)
    scan = ExactSearch(database, FINGERPRINT, cache)
    for owner in [1, 2, 3, 4, 5, 1, 3, 5]:
        assert numbers(scan, owner, vectors[owner * 10 : owner * 10 + 1], 1) == [known[owner][0]]
        assert cache.size_bytes < 12_000 + 10_000


def test_an_owner_too_large_for_the_cache_is_scanned_all_the_same(database: Database, rows: Rows) -> None:
    """The answers are those of a cached scan; nothing of the owner stays in memory."""
    vectors = directions(200)
    rows.learn(1, list(vectors))
    small = VectorCache(largest_bytes=1_000)
    streamed, cached = ExactSearch(database, FINGERPRINT, small), ExactSearch(database, FINGERPRINT)
    query = directions(1, seed=5)
    assert dict(streamed.nearest(1, query, 9)) == pytest.approx(dict(cached.nearest(1, query, 9)))
    assert numbers(streamed, 1, query, 9) == numbers(cached, 1, query, 9)
    assert small.size_bytes == 0


def test_threads_share_one_cache(database: Database, rows: Rows) -> None:
    """Each has its own connection; what one loads and another changes, all find."""
    vectors = directions(100)
    known = rows.learn(1, list(vectors[:50]))
    cache = VectorCache()
    wrong: list[int] = []

    def ask() -> None:
        with Database(database.path) as own:
            scan = ExactSearch(own, FINGERPRINT, cache)
            for i in range(50):
                wrong.extend(n for n in numbers(scan, 1, vectors[i : i + 1], 1) if n != known[i])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for vector in vectors[50:]:
        rows.learn(1, [vector])
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(numbers(ExactSearch(database, FINGERPRINT, cache), 1, vectors[:1], 500)) == 100
