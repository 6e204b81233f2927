"""The keeper of the index, over real Chroma."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from memchat.errors import StoreBusy
from memchat.store.chroma import ChromaIndex, Entry, IndexBroken
from memchat.store.database import Database
from memchat.store.index import (
    IndexKeeper,
    Phase,
    drop_index_now,
    look,
    rebuild_now,
    wait_until_dropped,
)
from memchat.store.marker import MARKER
from memchat.store.open_index import IndexPlace
from memchat.store.scan import ExactScan
from tests.store.vectors_room import (
    DIM,
    FINGERPRINT,
    Rows,
    answers,
    directions,
    numbers,
    place_in,
    until,
    until_ready,
)

VECTORS = directions(400, seed=3)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "memchat.db") as database:
        yield database


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@pytest.fixture
def scan(database: Database) -> ExactScan:
    return ExactScan(database, FINGERPRINT)


@contextmanager
def kept(place: IndexPlace) -> Iterator[IndexKeeper]:
    keeper = IndexKeeper(place)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.close()


def right(keeper: IndexKeeper, scan: ExactScan, owner: int, queries: range = range(0, 400, 40)) -> bool:
    """Whether the index answers, and as the scan does."""
    for i in queries:
        query = VECTORS[i : i + 1]
        if answers(keeper, scan, owner, query) != numbers(scan, owner, query):
            return False
    return True


def test_answers_are_those_of_the_scan(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """Several vectors a memory, several query rows, two owners, as many memories as asked for."""
    rows.learn(1, list(VECTORS[:300].reshape(100, 3, DIM)))
    rows.learn(2, list(VECTORS[300:]))
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
        assert keeper.state().indexed == 200
        assert right(keeper, scan, 1)
        assert right(keeper, scan, 2)
        query = directions(3, seed=8)
        assert answers(keeper, scan, 1, query, 30) == numbers(scan, 1, query, 30)
        assert len(answers(keeper, scan, 1, query, 1000) or []) == 100


def test_scores_are_cosines(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """The index and the scan give the same number for the same memory."""
    rows.learn(1, list(VECTORS[:50]))
    query = directions(1, seed=4)
    with kept(place_in(tmp_path)) as keeper:
        until_ready(keeper)
        found = keeper.nearest(1, query, 5, scan.position(1))
        assert found is not None
        assert [score for _, score in found] == pytest.approx([s for _, s in scan.nearest(1, query, 5)], abs=1e-5)


def test_a_change_is_found_by_the_very_next_question(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
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
        assert right(keeper, scan, 1)
        assert keeper.state().indexed == 31


def test_a_clean_close_is_opened_again_without_a_rebuild(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """The folder stays, and what was learned meanwhile is added."""
    rows.learn(1, list(VECTORS[:100]))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until_ready(keeper)
    (folder,) = [path for path in place.index.iterdir() if path.is_dir()]
    assert look(place).phase is Phase.READY
    (new,) = rows.learn(1, [VECTORS[150]])
    with kept(place) as keeper:
        until(lambda: answers(keeper, scan, 1, VECTORS[150:151], 1) == [new])
        assert folder.is_dir()
        assert not (place.index / MARKER).exists()
        assert keeper.state().indexed == 101
        assert right(keeper, scan, 1)


def test_a_rebuild_that_was_interrupted_is_continued(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """Closing in the middle of it loses nothing of what had been done."""
    rows.learn(1, list(directions(2000, seed=3)))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until(lambda: 0 < keeper.state().indexed < 2000)
    done = look(place).indexed
    assert 0 < done < 2000
    with kept(place) as keeper:
        until(lambda: keeper.state().indexed >= done)
        until_ready(keeper)
        assert keeper.state().indexed == 2000
        assert right(keeper, scan, 1)


def test_small_owners_are_left_to_the_scan(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """An owner gets a collection with the memory that makes them large enough."""
    rows.learn(1, list(VECTORS[:50]))
    rows.learn(2, list(VECTORS[50:59]))
    with kept(place_in(tmp_path, index_from=10)) as keeper:
        until_ready(keeper)
        assert answers(keeper, scan, 2, VECTORS[50:51]) is None
        assert right(keeper, scan, 1)
        rows.learn(2, [VECTORS[59]])
        until(lambda: right(keeper, scan, 2))


def test_with_nothing_to_index_chroma_is_not_even_opened(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
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
        assert answers(keeper, ExactScan(database, "other/8"), 1, other[3:4], 1) == [known[3]]


def test_many_owners_do_not_keep_many_collections_loaded(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
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


def test_an_erasure_removes_the_folder_within_a_second(tmp_path: Path, rows: Rows, database: Database) -> None:
    """The word comes through the database; the index is rebuilt from what is left, without the erased."""
    marker = "the-words-to-forget"
    known = rows.learn(1, list(VECTORS[:60]), [f"{marker} {i}" if i == 7 else f"fact {i}" for i in range(60)])
    place = place_in(tmp_path)
    scan = ExactScan(database, FINGERPRINT)
    with kept(place) as keeper:
        until_ready(keeper)
        (old,) = [path for path in place.index.iterdir() if path.is_dir()]
        erasure = rows.erase(known[7])
        assert keeper.nearest(1, VECTORS[7:8], 1, scan.position(1)) is None
        started = time.monotonic()
        assert wait_until_dropped(place, database, erasure, 5)
        assert time.monotonic() - started < 1
        assert not old.exists()
        until(lambda: keeper.state().indexed == 59 and right(keeper, scan, 1))
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


# Damage.


def data_files(index: Path) -> list[Path]:
    return sorted(path for path in index.rglob("*") if path.is_file() and path.name != MARKER)


def delete(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for i in range(len(content) // 3, len(content), 97):
        content[i] ^= 0xFF
    path.write_bytes(bytes(content))


def swap(path: Path) -> None:
    """Put the largest other file in its place."""
    others = [other for other in data_files(path.parents[1]) if other != path]
    shutil.copyfile(max(others, key=lambda other: other.stat().st_size), path)


@pytest.fixture(scope="module")
def persisted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose index has every kind of file Chroma writes."""
    home = tmp_path_factory.mktemp("persisted")
    with Database(home / "memchat.db") as database:
        Rows(database).learn(1, list(directions(1200, seed=3)))
    rebuild_now(place_in(home), lambda done, total: None)
    assert len(data_files(home / "index")) == 6
    return home


@pytest.mark.parametrize("damage", [delete, truncate, zero, flip, swap])
def test_a_damaged_index_is_rebuilt_and_never_opened(
    tmp_path: Path, persisted: Path, damage: Callable[[Path], None]
) -> None:
    """Whichever of its files it hits: nothing of the damaged folder is left, and the answers are right."""
    home = tmp_path / "home"
    for i in range(len(data_files(persisted / "index"))):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(persisted, home)
        path = data_files(home / "index")[i]
        before = path.read_bytes()
        damage(path)
        if path.exists() and path.read_bytes() == before:
            continue
        assert look(place_in(home)).phase is Phase.UNCLEAN, path.name
    with kept(place_in(home)) as keeper, Database(home / "memchat.db") as database:
        until_ready(keeper)
        assert keeper.state().reason is None
        assert right(keeper, ExactScan(database, FINGERPRINT), 1)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format": 1}', b"\xff\x00", b"null"])
def test_a_marker_that_makes_no_sense_is_no_marker(tmp_path: Path, persisted: Path, content: bytes) -> None:
    """Nothing in that file can do more harm than a rebuild."""
    home = tmp_path / "home"
    shutil.copytree(persisted, home)
    (home / "index" / MARKER).write_bytes(content)
    assert look(place_in(home)).phase is Phase.UNCLEAN


def test_a_marker_cannot_lead_out_of_the_index(tmp_path: Path, persisted: Path) -> None:
    """A folder named with a path is refused."""
    home = tmp_path / "home"
    shutil.copytree(persisted, home)
    marker = home / "index" / MARKER
    (folder,) = [path.name for path in (home / "index").iterdir() if path.is_dir()]
    marker.write_text(marker.read_text().replace(f'"{folder}"', f'"../index/{folder}"'))
    assert look(place_in(home)).phase is Phase.UNCLEAN


def test_an_extra_file_means_a_rebuild(tmp_path: Path, persisted: Path) -> None:
    """Such as the journal of a database that was copied while it was open."""
    home = tmp_path / "home"
    shutil.copytree(persisted, home)
    (data_files(home / "index")[0].parent / "chroma.sqlite3-wal").write_bytes(b"odd")
    assert look(place_in(home)).phase is Phase.UNCLEAN


def test_damage_under_a_running_index_does_not_reach_recall(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """The database under it is overwritten: questions are answered by the scan until it has been built anew."""
    known = rows.learn(1, list(VECTORS[:200]))
    place = place_in(tmp_path)
    with kept(place) as keeper:
        until_ready(keeper)
        for path in data_files(place.index):
            path.write_bytes(b"\xff" * path.stat().st_size)
        rows.supersede(known[0])
        for i in range(0, 100, 10):
            query = VECTORS[i : i + 1]
            assert answers(keeper, scan, 1, query) in (None, numbers(scan, 1, query))
        until(lambda: keeper.state().reason is not None)
        until(lambda: keeper.state().phase is Phase.READY and right(keeper, scan, 1))


def test_a_folder_that_cannot_be_built_is_given_up_after_a_few_tries(tmp_path: Path, rows: Rows) -> None:
    """Recall goes on with the scan, the reason is kept, and the lock is free for others."""
    rows.learn(1, list(VECTORS[:20]))
    place = place_in(tmp_path)
    place.index.write_bytes(b"a file where the folder should be")
    with kept(place) as keeper:
        until(lambda: keeper.state().phase is Phase.OFF)
        assert keeper.state().reason
        assert not keeper.state().owned
        with FileLock(place.lock, timeout=1):
            pass


def test_whatever_chroma_throws_is_one_error_of_ours(tmp_path: Path) -> None:
    """A folder with a broken database in it, and vectors of the wrong length."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "chroma.sqlite3").write_bytes(b"\xff" * 8192)
    with pytest.raises(IndexBroken, match="opening the index"):
        ChromaIndex(tmp_path / "broken")
    index = ChromaIndex(tmp_path / "sound")
    with pytest.raises(IndexBroken, match="asking the index"):
        index.nearest(1, np.zeros((1, 0), np.float32), 1)
    index.close()


HOARDING = """
import sys, resource
from pathlib import Path
from memchat.store.chroma import ChromaIndex, IndexBroken

ChromaIndex(Path(sys.argv[1])).close()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
hoard = []
try:
    while True:
        hoard.append(open("/dev/null"))
except OSError:
    pass
try:
    ChromaIndex(Path(sys.argv[1]))
except IndexBroken as error:
    print(type(error.__cause__).__name__, isinstance(error.__cause__, Exception))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on open files to set")
def test_a_panic_in_chroma_is_that_error_too(tmp_path: Path) -> None:
    """Without a free file handle its Rust half panics, with an exception that is no Exception."""
    done = subprocess.run(
        [sys.executable, "-c", HOARDING, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["PanicException", "False"]


def test_a_write_after_the_first_question_does_not_stop_the_process(tmp_path: Path) -> None:
    """Chroma would redo all it had not persisted; the processor time of one write shows it, ten times over."""
    index = ChromaIndex(tmp_path)
    entries = [Entry(i, f"m{i}", "", ("text",), vector[None], {}) for i, vector in enumerate(directions(950, seed=1))]
    for start in range(0, 900, 50):
        index.put(1, entries[start : start + 50])
    index.nearest(1, entries[0].rows, 1)
    spent = []
    for entry in entries[900:903]:
        before = time.process_time()
        index.put(1, [entry])
        spent.append(time.process_time() - before)
    index.close()
    assert spent[0] < 10 * max(spent[1:])


# Rebuilding on demand.


def test_rebuilding_tells_how_far_it_is(tmp_path: Path, rows: Rows, scan: ExactScan) -> None:
    """The counts grow to the total, and the index is there afterwards."""
    rows.learn(1, list(VECTORS))
    rows.learn(2, list(VECTORS[:10]))
    place = place_in(tmp_path)
    told: list[tuple[int, int]] = []
    assert rebuild_now(place, lambda done, total: told.append((done, total))) == 410
    assert told == sorted(told)
    assert told[-1] == (410, 410)
    assert look(place).indexed == 410
    with kept(place) as keeper:
        until_ready(keeper)
        assert right(keeper, scan, 1)


def test_rebuilding_while_another_process_has_the_index_is_refused(tmp_path: Path, rows: Rows) -> None:
    """With a sentence that says why."""
    rows.learn(1, list(VECTORS[:5]))
    place = place_in(tmp_path)
    with FileLock(place.lock), pytest.raises(StoreBusy, match="has the index"):
        rebuild_now(place, lambda done, total: None)
