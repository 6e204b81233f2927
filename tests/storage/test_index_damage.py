"""Damage to the index: whatever happened to its files, it is built anew and recall goes on."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from memchat.storage.database import Database
from memchat.storage.index.chroma import ChromaIndex, IndexBroken
from memchat.storage.index.folder import inspect_index, rebuild_now
from memchat.storage.index.manifest import MANIFEST_FILE
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


def data_files(index: Path) -> list[Path]:
    return sorted(path for path in index.rglob("*") if path.is_file() and path.name != MANIFEST_FILE)


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
        assert inspect_index(place_in(home)).phase is Phase.UNCLEAN, path.name
    with kept(place_in(home)) as keeper, Database(home / "memchat.db") as database:
        until_ready(keeper)
        assert keeper.state().reason is None
        assert right(keeper, ExactSearch(database, FINGERPRINT), 1, ASKED)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format": 1}', b"\xff\x00", b"null"])
def test_a_marker_that_makes_no_sense_is_no_marker(tmp_path: Path, persisted: Path, content: bytes) -> None:
    """Nothing in that file can do more harm than a rebuild."""
    home = tmp_path / "home"
    shutil.copytree(persisted, home)
    (home / "index" / MANIFEST_FILE).write_bytes(content)
    assert inspect_index(place_in(home)).phase is Phase.UNCLEAN


def test_a_marker_cannot_lead_out_of_the_index(tmp_path: Path, persisted: Path) -> None:
    """A folder named with a path is refused."""
    home = tmp_path / "home"
    shutil.copytree(persisted, home)
    marker = home / "index" / MANIFEST_FILE
    (folder,) = [path.name for path in (home / "index").iterdir() if path.is_dir()]
    marker.write_text(marker.read_text().replace(f'"{folder}"', f'"../index/{folder}"'))
    assert inspect_index(place_in(home)).phase is Phase.UNCLEAN


def test_an_extra_file_means_a_rebuild(tmp_path: Path, persisted: Path) -> None:
    """Such as the journal of a database that was copied while it was open."""
    home = tmp_path / "home"
    shutil.copytree(persisted, home)
    (data_files(home / "index")[0].parent / "chroma.sqlite3-wal").write_bytes(b"odd")
    assert inspect_index(place_in(home)).phase is Phase.UNCLEAN


def test_damage_under_a_running_index_does_not_reach_recall(tmp_path: Path, rows: Rows, scan: ExactSearch) -> None:
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
        until(lambda: keeper.state().phase is Phase.READY and right(keeper, scan, 1, ASKED))


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
from memchat.storage.index.chroma import ChromaIndex, Entry, IndexBroken

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


@pytest.mark.parametrize("damage", ["kinds = '[broken'", "kinds = '7'", "rows = substr(rows, 1, 40)", "rows = x'00'"])
def test_damaged_vectors_of_one_memory_cost_that_memory_alone(tmp_path: Path, database: Database, damage: str) -> None:
    """The index holds the others."""
    fingerprint = f"test:{DIM}"
    (first, *others) = Rows(database, fingerprint).learn(1, list(VECTORS[:50]))
    database.execute(f"UPDATE vectors SET {damage} WHERE number = ?", (first,))
    with kept(place_in(tmp_path, fingerprint)) as keeper:
        until(lambda: keeper.state().phase in {Phase.READY, Phase.OFF})
        assert (keeper.state().phase, keeper.state().reason) == (Phase.READY, None)
        scan = ExactSearch(database, fingerprint)
        assert [answers(keeper, scan, 1, VECTORS[i : i + 1], 1) for i in range(1, 50)] == [
            [number] for number in others
        ]
