"""The keeper of the index, over real Chroma."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from memchat.errors import StoreBusy
from memchat.storage.database import Database
from memchat.storage.index.chroma import ChromaIndex, Entry
from memchat.storage.index.folder import drop_index_now, inspect_index, rebuild_now, wait_until_dropped
from memchat.storage.index.manifest import MANIFEST_FILE, read_manifest, write_manifest
from memchat.storage.index.synced_index import SyncedIndex
from memchat.storage.index.verify import verify_index
from memchat.storage.results import Phase
from memchat.storage.vectors.exact_search import ExactSearch
from tests.storage.vector_factories import (
    DIM,
    FINGERPRINT,
    Rows,
    answers,
    directions,
    kept,
    numbers,
    place_in,
    right,
    until,
    until_ready,
)

VECTORS = directions(400, seed=3)
ASKED = VECTORS[::40]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "memchat.db") as database:
        yield database


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@pytest.fixture
def scan(database: Database) -> ExactSearch:
    return ExactSearch(database, FINGERPRINT)


def test_answers_are_those_of_the_scan(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """Several vectors a memory, several query rows, two owners, as many memories as asked for."""
    rows.learn(1, list(VECTORS[:300].reshape(100, 3, DIM)))
    rows.learn(2, list(VECTORS[300:]))
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
        assert keeper.state().indexed == 200
        assert right(keeper, scan, 1, ASKED)
        assert right(keeper, scan, 2, ASKED)
        query = directions(3, seed=8)
        assert answers(keeper, scan, 1, query, 30) == numbers(scan, 1, query, 30)
        assert len(answers(keeper, scan, 1, query, 1000) or []) == 100


def test_filling_the_index_for_one_person_reads_nobody_elses_vectors(
    tmp_path: Path, database: Database, rows: Rows
) -> None:
    """Each small batch finds its memories by their owner, however many others there are."""
    rows.learn(1, list(VECTORS[:3]))
    index = SyncedIndex(place_in(tmp_path), database)
    seen: list[str] = []
    database._connection.set_trace_callback(seen.append)
    while index.step():
        pass
    database._connection.set_trace_callback(None)
    index.close()
    reads = [sql for sql in seen if "JOIN vectors" in sql]
    plans = [[row["detail"] for row in database.rows(f"EXPLAIN QUERY PLAN {sql}")] for sql in reads]
    assert plans
    assert {plan[0].partition(" (")[0] for plan in plans} == {"SEARCH m USING INDEX memories_of_owner"}


def test_scores_are_cosines(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """The index and the scan give the same number for the same memory."""
    rows.learn(1, list(VECTORS[:50]))
    query = directions(1, seed=4)
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
        found = keeper.nearest(1, query, 5, scan.position(1))
        assert found is not None
        assert [score for _, score in found] == pytest.approx([s for _, s in scan.nearest(1, query, 5)], abs=1e-5)


def test_a_change_is_found_by_the_very_next_question(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """The index answers only as of the newest change: learned, superseded, restored, rewritten with fewer vectors."""
    known = rows.learn(1, list(VECTORS[:90].reshape(30, 3, DIM)))
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
        (new,) = rows.learn(1, [VECTORS[200:202]])
        assert answers(keeper, scan, 1, VECTORS[201:202], 1) in ([new], None)
        rows.supersede(known[0])
        until(lambda: answers(keeper, scan, 1, VECTORS[:1], 50) is not None)
        assert known[0] not in (answers(keeper, scan, 1, VECTORS[:1], 50) or [])
        rows.restore(known[0])
        rows.rewrite(known[1], VECTORS[300:301])
        until(lambda: answers(keeper, scan, 1, VECTORS[:1], 1) == [known[0]])
        assert answers(keeper, scan, 1, VECTORS[300:301], 1) == [known[1]]
        assert right(keeper, scan, 1, ASKED)
        assert keeper.state().indexed == 31


def test_a_clean_close_is_opened_again_without_a_rebuild(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """The folder stays, and what was learned meanwhile is added."""
    rows.learn(1, list(VECTORS[:100]))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until_ready(keeper)
    (folder,) = [path for path in place.index.iterdir() if path.is_dir()]
    assert inspect_index(place).phase is Phase.READY
    (new,) = rows.learn(1, [VECTORS[150]])
    with kept(place) as keeper:
        until(lambda: answers(keeper, scan, 1, VECTORS[150:151], 1) == [new])
        assert folder.is_dir()
        assert not (place.index / MANIFEST_FILE).exists()
        assert keeper.state().indexed == 101
        assert right(keeper, scan, 1, ASKED)


def test_a_rebuild_that_was_interrupted_is_continued(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """Closing in the middle of it loses nothing of what had been done."""
    rows.learn(1, list(directions(2000, seed=3)))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until(lambda: 0 < keeper.state().indexed < 2000)
    done = inspect_index(place).indexed
    assert 0 < done < 2000
    with kept(place) as keeper:
        until(lambda: keeper.state().indexed >= done)
        until_ready(keeper)
        assert keeper.state().indexed == 2000
        assert right(keeper, scan, 1, ASKED)


def test_small_owners_are_left_to_the_scan(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """An owner gets a collection with the memory that makes them large enough."""
    rows.learn(1, list(VECTORS[:50]))
    rows.learn(2, list(VECTORS[50:59]))
    with kept(place_in(tmp_path, index_from=10)) as keeper:
        until_ready(keeper)
        assert answers(keeper, scan, 2, VECTORS[50:51]) is None
        assert right(keeper, scan, 1, ASKED)
        rows.learn(2, [VECTORS[59]])
        until(lambda: right(keeper, scan, 2, ASKED))


def test_with_nothing_to_index_chroma_is_not_even_opened(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """No folder is made until the first memory is there."""
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until(lambda: keeper.state().phase is Phase.EMPTY)
        assert not place.index.exists()
        (first,) = rows.learn(1, [VECTORS[0]])
        until(lambda: answers(keeper, scan, 1, VECTORS[:1], 1) == [first])


def test_the_folder_is_for_its_owner_alone(tmp_path: Path, rows: Rows) -> None:
    """Whatever the umask, nobody else can enter it."""
    rows.learn(1, list(VECTORS[:5]))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until_ready(keeper)
        assert place.index.stat().st_mode & 0o777 == 0o700
        assert place.lock.stat().st_mode & 0o777 == 0o600


def test_another_embedder_means_another_index(tmp_path: Path, rows: Rows, database: Database) -> None:
    """Under a new fingerprint only the vectors of that fingerprint are in it."""
    rows.learn(1, list(VECTORS[:20]))
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
    other = directions(7, dim=8)
    known = Rows(database, "other/8").learn(1, list(other))
    with kept(place_in(tmp_path, "other/8")) as keeper:
        until_ready(keeper)
        assert keeper.state().indexed == 7
        assert answers(keeper, ExactSearch(database, "other/8"), 1, other[3:4], 1) == [known[3]]


def test_many_owners_do_not_keep_many_collections_loaded(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """Beyond the limit the scan answers, and what had not been persisted is not lost when Chroma is opened anew."""
    for owner in range(1, 41):
        rows.learn(owner, list(VECTORS[owner * 5 : owner * 5 + 5]))
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
        asked = [answers(keeper, scan, owner, VECTORS[owner * 5 : owner * 5 + 1]) for owner in range(1, 41)]
        assert sum(found is not None for found in asked) in range(1, 33)
        for owner, found in enumerate(asked, start=1):
            assert found in (None, numbers(scan, owner, VECTORS[owner * 5 : owner * 5 + 1]))


# Erasure.


def test_an_erasure_removes_the_folder(tmp_path: Path, rows: Rows, database: Database) -> None:
    """The word comes through the database; the index is rebuilt from what is left, without the erased."""
    marker = "the-words-to-forget"
    known = rows.learn(1, list(VECTORS[:60]), [f"{marker} {i}" if i == 7 else f"fact {i}" for i in range(60)])
    place = place_in(tmp_path)
    scan = ExactSearch(database, FINGERPRINT)
    with kept(place) as keeper:
        until_ready(keeper)
        (old,) = [path for path in place.index.iterdir() if path.is_dir()]
        erasure = rows.erase(known[7])
        assert keeper.nearest(1, VECTORS[7:8], 1, scan.position(1)) is None
        assert wait_until_dropped(place, database, erasure, 10)
        assert not old.exists()
        until(lambda: keeper.state().indexed == 59 and right(keeper, scan, 1, ASKED))
    assert not any(marker.encode() in path.read_bytes() for path in place.index.rglob("*") if path.is_file())


def test_an_erasure_while_nobody_has_the_index_is_done_at_once(tmp_path: Path, rows: Rows, database: Database) -> None:
    """The lock is free: whoever forgets removes the folder."""
    known = rows.learn(1, list(VECTORS[:20]))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until_ready(keeper)
    erasure = rows.erase(known[0])
    assert wait_until_dropped(place, database, erasure, 0)
    assert not place.index.exists()
    assert database.value("SELECT index_dropped FROM erasures WHERE id = ?", (erasure,)) == 1


def test_an_index_from_before_an_erasure_is_not_opened(tmp_path: Path, rows: Rows, database: Database) -> None:
    """A kill between the erasure and the removal leaves the folder; the next owner removes it and says so."""
    known = rows.learn(1, list(VECTORS[:20]))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until_ready(keeper)
    (old,) = [path for path in place.index.iterdir() if path.is_dir()]
    erasure = rows.erase(known[0])
    with kept(place) as keeper:
        until(lambda: database.value("SELECT index_dropped FROM erasures WHERE id = ?", (erasure,)))
        assert not old.exists()
        until_ready(keeper)
        assert keeper.state().indexed == 19


def test_waiting_for_an_owner_that_says_nothing_ends(tmp_path: Path, rows: Rows, database: Database) -> None:
    """`forget` learns that the index is still there instead of hanging."""
    (number,) = rows.learn(1, [VECTORS[0]])
    place = place_in(tmp_path)
    erasure = rows.erase(number)
    with FileLock(place.lock):
        assert not drop_index_now(place)
        assert not wait_until_dropped(place, database, erasure, 0.2)


# Rebuilding on demand.


def test_rebuilding_tells_how_far_it_is(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
    """The counts grow to the total, and the index is there afterwards."""
    rows.learn(1, list(VECTORS))
    rows.learn(2, list(VECTORS[:10]))
    place = place_in(tmp_path)
    told: list[tuple[int, int]] = []
    assert rebuild_now(place, lambda done, total: told.append((done, total))) == 410
    assert told == sorted(told)
    assert told[-1] == (410, 410)
    assert inspect_index(place).indexed == 410
    with kept(place) as keeper:
        until_ready(keeper)
        assert right(keeper, scan, 1, ASKED)


def test_rebuilding_while_another_process_has_the_index_is_refused(tmp_path: Path, rows: Rows) -> None:
    """With a sentence that says why."""
    rows.learn(1, list(VECTORS[:5]))
    place = place_in(tmp_path)
    with FileLock(place.lock), pytest.raises(StoreBusy, match="uses the index"):
        rebuild_now(place, lambda done, total: None)


# Comparing with the database.


def test_an_index_that_agrees_with_the_database_is_sound(tmp_path: Path, rows: Rows) -> None:
    """Also when it was behind: it is brought up to date first, and can be used afterwards."""
    known = rows.learn(1, list(VECTORS[:90].reshape(30, 3, DIM)))
    place = place_in(tmp_path)
    rebuild_now(place, lambda done, total: None)
    rows.supersede(known[0])
    found = verify_index(place)
    assert found is not None
    assert found.sound
    assert found.memories == 29
    assert inspect_index(place).phase is Phase.READY


def test_what_differs_from_the_database_is_named(tmp_path: Path, rows: Rows, database: Database) -> None:
    """A record that is missing, one of nobody's, and one with another vector."""
    known = rows.learn(1, list(VECTORS[:10]))
    place = place_in(tmp_path)
    rebuild_now(place, lambda done, total: None)
    marked = read_manifest(place.index)
    assert marked is not None
    gone, changed = (
        database.value("SELECT id FROM memories WHERE number = ?", (number,)) for number in (known[2], known[5])
    )
    chroma = ChromaIndex(place.index / marked[0].folder)
    chroma.delete_stale(1, [gone], [])
    chroma.upsert(1, [Entry(99, "nobody", "", ("text",), VECTORS[50:51], {"scope": "user"})])
    chroma.upsert(1, [Entry(known[5], changed, "", ("text",), VECTORS[60:61], {"scope": "user"})])
    chroma.close()
    write_manifest(place.index, marked[0], {})
    found = verify_index(place)
    assert found is not None
    assert (found.missing, found.extra, found.wrong) == ((f"{gone}:0",), ("nobody:0",), (f"{changed}:0",))


def test_an_index_in_use_or_unclean_is_not_compared(tmp_path: Path, rows: Rows) -> None:
    """There is nothing that could be said about it."""
    rows.learn(1, list(VECTORS[:10]))
    place = place_in(tmp_path)
    assert verify_index(place) is None
    rebuild_now(place, lambda done, total: None)
    with FileLock(place.lock):
        assert verify_index(place) is None
