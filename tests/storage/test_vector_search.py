"""The dense half of recall as a whole: index, scan, several processes, real vectors."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from memchat.llm.builtin_embedder import BuiltinEmbedder
from memchat.storage.database import Database
from memchat.storage.index.folder import rebuild_now
from memchat.storage.index.indexer import Indexer
from memchat.storage.results import Phase
from memchat.storage.vectors.codec import searched
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.search import VectorSearch
from tests.storage.vector_factories import (
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
ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "memchat.db") as database:
        yield database


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


class Worker:
    """A process with a keeper of its own."""

    def __init__(self, home: Path, *task: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.index_worker", str(home), *task],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, text: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
        return self.line()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def end(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        status = self._process.wait(timeout=90)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return status


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """What is in it at the end is killed."""
    started: list[Worker] = []
    yield started
    for worker in started:
        worker.kill()


def ready(worker: Worker, memories: int) -> bool:
    return worker.tell("state") == f"True READY {memories}"


SENTENCES = [
    " ".join(words)
    for words in product(
        ("Nora", "Ben", "my sister", "the neighbour"),
        ("likes", "cannot stand", "is allergic to", "bought", "forgot", "studies", "paints", "sells"),
        ("strawberries", "the violin", "old maps", "winter coats", "chess", "bicycles", "green tea", "roses"),
        ("in Lisbon", "every Monday", "since 2019", "at work", "with friends", "on the ferry"),
    )
]
QUESTIONS = [
    f"What about {a} and {b}?" for a in ("food", "music", "Ben", "clothes", "games") for b in SENTENCES[:400:20]
]


def test_the_index_finds_what_the_scan_finds_among_real_sentences(tmp_path: Path, database: Database) -> None:
    """At least 99% of the top 5, over the built-in embedder's own vectors of 1,536 much alike sentences."""
    embedder = BuiltinEmbedder()
    Rows(database, embedder.fingerprint).learn(1, list(embedder.embed(SENTENCES)), SENTENCES)
    place = place_in(tmp_path, embedder.fingerprint)
    rebuild_now(place, lambda done, total: None)
    scan, keeper = ExactSearch(database, embedder.fingerprint), Indexer(place)
    keeper.start()
    until_ready(keeper)
    asked = searched(embedder.embed(QUESTIONS), embedder.fingerprint)
    same = 0
    for i in range(len(asked)):
        found = answers(keeper, scan, 1, asked[i : i + 1])
        assert found is not None
        same += len(set(found) & set(numbers(scan, 1, asked[i : i + 1])))
    keeper.close()
    assert same >= 0.99 * 5 * len(asked)


def test_without_a_keeper_the_scan_answers(database: Database, rows: Rows) -> None:
    """Recall does not need an index."""
    known = rows.learn(1, list(VECTORS[:30]))
    assert numbers(VectorSearch(ExactSearch(database, FINGERPRINT)), 1, VECTORS[4:5], 1) == [known[4]]


def test_answers_stay_right_while_the_index_comes_and_goes(tmp_path: Path, database: Database, rows: Rows) -> None:
    """Before, during and after the building, during an erasure, and once it is closed."""
    known = rows.learn(1, list(directions(500, seed=3)))
    scan = ExactSearch(database, FINGERPRINT)
    place = place_in(tmp_path)
    keeper = Indexer(place)
    dense = VectorSearch(ExactSearch(database, FINGERPRINT), keeper)
    query = directions(1, seed=5)

    def same() -> bool:
        return numbers(dense, 1, query, 10) == numbers(scan, 1, query, 10)

    assert same()
    keeper.start()
    while keeper.state().indexed < 500:
        assert same()
    until_ready(keeper)
    best = numbers(dense, 1, query, 1)[0]
    rows.erase(best)
    assert best not in numbers(dense, 1, query, 10)
    while keeper.state().indexed != 499:
        assert same()
    rows.supersede(numbers(dense, 1, query, 1)[0])
    assert same()
    keeper.close()
    assert same()
    assert best in known


def test_what_may_be_returned_can_be_named(tmp_path: Path, database: Database, rows: Rows) -> None:
    """Superseded memories are found by number, with an index as without."""
    known = rows.learn(1, list(VECTORS[:30]))
    rows.supersede(known[4])
    keeper = Indexer(place_in(tmp_path))
    dense = VectorSearch(ExactSearch(database, FINGERPRINT), keeper)
    keeper.start()
    until_ready(keeper)
    assert known[4] not in numbers(dense, 1, VECTORS[4:5], 30)
    assert [n for n, _ in dense.nearest(1, VECTORS[4:5], 5, [known[4], known[9]])] == [known[4], known[9]]
    keeper.close()


# Processes.


def test_the_second_process_scans_and_takes_over_when_the_first_ends(
    tmp_path: Path, rows: Rows, workers: list[Worker]
) -> None:
    """Both see at once what is learned anywhere; the index stays with one of them and is handed on unbroken."""
    known = rows.learn(1, list(VECTORS[:100]))
    first = Worker(tmp_path, "keep")
    workers.append(first)
    until(lambda: ready(first, 100))
    second = Worker(tmp_path, "keep")
    workers.append(second)
    until(lambda: second.tell("state") == "False ELSEWHERE 0")
    assert first.tell(f"ask 1 {known[3]}") == f"{known[3]} index"
    assert second.tell(f"ask 1 {known[3]}") == f"{known[3]} scan"
    (new,) = rows.learn(1, [VECTORS[200]])
    assert second.tell(f"ask 1 {new}") == f"{new} scan"
    assert first.tell(f"ask 1 {new}").split()[0] == str(new)
    assert first.end() == 0
    until(lambda: ready(second, 101))
    assert second.tell(f"ask 1 {new}") == f"{new} index"


def test_the_second_process_takes_over_from_one_that_was_killed(
    tmp_path: Path, rows: Rows, workers: list[Worker]
) -> None:
    """What the first had open is thrown away, never opened again."""
    known = rows.learn(1, list(VECTORS[:100]))
    first = Worker(tmp_path, "keep")
    workers.append(first)
    until(lambda: ready(first, 100))
    (old,) = [path for path in (tmp_path / "index").iterdir() if path.is_dir()]
    second = Worker(tmp_path, "keep")
    workers.append(second)
    until(lambda: second.tell("state") == "False ELSEWHERE 0")
    first.kill()
    until(lambda: ready(second, 100))
    assert not old.exists()
    assert second.tell(f"ask 1 {known[42]}") == f"{known[42]} index"


def survives_a_kill(home: Path, rows: Rows, after: int) -> None:
    """Kill a process `after` memories it said it had learned; the next one finds each of them through the index."""
    worker = Worker(home, "learn", "5000")
    said = [int(worker.line()) for _ in range(after)]
    worker.kill()
    assert (home / "index").is_dir(), "it was not open yet"
    stored = rows.database.value("SELECT count(*) FROM memories")
    assert stored >= len(said)
    scan, keeper = ExactSearch(rows.database, FINGERPRINT), Indexer(place_in(home))
    keeper.start()
    until(lambda: keeper.state().indexed == stored and keeper.state().phase is Phase.READY)
    vectors = directions(5000, seed=77)
    assert [answers(keeper, scan, 1, vectors[i : i + 1], 1) for i in range(after)] == [[number] for number in said]
    keeper.close()


@pytest.mark.parametrize("after", [1, 40, 150])
def test_a_kill_in_the_middle_of_writing_loses_nothing(tmp_path: Path, rows: Rows, after: int) -> None:
    """The index is rebuilt and holds every memory that was acknowledged."""
    survives_a_kill(tmp_path, rows, after)


@pytest.mark.soak
@pytest.mark.parametrize("after", range(5, 505, 10))
def test_fifty_kills_lose_nothing(tmp_path: Path, rows: Rows, after: int) -> None:
    """The same at fifty moments, some of them while Chroma persists."""
    survives_a_kill(tmp_path, rows, after)
