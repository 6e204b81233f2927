"""What the checks of the database find, what mending puts right, and vectors made anew."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memchat.core.protocols import Embedded, MemoryFilter, VectorKind
from memchat.core.types import Add, Draft, Owner
from memchat.doctor.database import FIX, REINDEX, Diagnosis, Health, examine
from memchat.doctor.repairs import repair
from memchat.storage.database import Database
from memchat.storage.inspection import DatabaseInspection
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.repairs import DatabaseRepairs
from memchat.storage.results import VectorProblem
from memchat.storage.store import Store
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.reembedding import Reembedding, dimension_in, others_notice, vector_problems
from memchat.storage.vectors.search import VectorSearch

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

NAME = "letters:24"
OTHER = "vowels:6"
ALICE = Owner.user("alice")
FACTS = ("User lives in Berlin", "User is vegetarian", "User has a dog", "User works at night")


class Letters:
    """Embeds a text by its letters: the alphabet's first `dimension` ones, counted."""

    def __init__(self, fingerprint: str = NAME) -> None:
        self.fingerprint = fingerprint
        self.dimension = int(fingerprint.partition(":")[2])
        self.read: list[str] = []

    def embed(self, texts: Sequence[str]) -> "Vectors":
        self.read += texts
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for number, text in enumerate(texts):
            for letter in text.casefold():
                rows[number, ord(letter) % self.dimension] += 1
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class Broken(Letters):
    """Fails after so many calls."""

    def __init__(self, calls: int) -> None:
        super().__init__(OTHER)
        self.left = calls

    def embed(self, texts: Sequence[str]) -> "Vectors":
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("gone")
        return super().embed(texts)


@pytest.fixture
def kept(store: Store) -> Iterator[Store]:
    """A store that remembers FACTS."""
    lettered = Store(store.database.path, store.clock, NAME)
    remember(lettered, *FACTS)
    yield lettered
    lettered.close()


def remember(store: Store, *texts: str) -> None:
    embedder = Letters()
    rows = [Embedded((VectorKind.TEXT,), embedder.embed([text])) for text in texts]
    store.apply([Add(Draft(text, ALICE)) for text in texts], rows)


def found(database: Database, fingerprint: str = NAME) -> dict[str, Diagnosis]:
    """What is not in order, the worst of each check."""
    ill = [one for one in examine(DatabaseInspection(database), fingerprint) if one.health is not Health.OK]
    return {one.check: one for one in sorted(ill, key=lambda one: one.health is Health.ERROR)}


def mended(store: Store) -> list[str]:
    return list(repair(DatabaseRepairs(MemoryRepository(store.database, store.clock, NAME)), Letters))


def test_a_sound_store_has_nothing_against_it(kept: Store) -> None:
    """Every check is made and comes to ok."""
    assert found(kept.database) == {}
    checks = [one.check for one in examine(DatabaseInspection(kept.database), NAME)]
    assert checks == [
        "database",
        "references",
        "memories",
        "conversations",
        "words",
        "vectors",
        "messages",
        "versions",
        "waiting",
        "erasures",
    ]


@pytest.mark.parametrize(
    ("check", "sql"),
    [
        ("words", "DELETE FROM words WHERE rowid = 2"),
        ("words", "UPDATE words SET terms = 'something else' WHERE rowid = 1"),
        ("words", "INSERT INTO words (rowid, terms) VALUES (99, '_1 ghost')"),
        ("words", "DELETE FROM words_data WHERE id > 10"),
        ("words", "DROP TABLE words"),
        ("vectors", "DELETE FROM vectors WHERE number = 3"),
        ("vectors", "UPDATE vectors SET rows = x'00' WHERE number = 3"),
        ("vectors", "UPDATE vectors SET rows = zeroblob(96) WHERE number = 3"),
        ("vectors", "UPDATE vectors SET kinds = 'no JSON' WHERE number = 3"),
        ("vectors", "UPDATE vectors SET kinds = '[\"cue\"]' WHERE number = 3"),
        ("vectors", "UPDATE vectors SET owner = 77 WHERE number = 3"),
    ],
)
def test_what_is_made_of_the_memories_is_found_wrong_and_made_anew(kept: Store, check: str, sql: str) -> None:
    """Words and vectors that are missing, false or somebody else's are errors that --fix mends without a loss."""
    kept.database.execute(sql)
    ill = found(kept.database)
    assert ill.keys() == {check}
    assert (ill[check].health, ill[check].mend) == (Health.ERROR, FIX)
    assert len(mended(kept)) == 1
    assert found(kept.database) == {}
    assert mended(kept) == []
    assert kept.memories.keyword_search(MemoryFilter((ALICE,)), ["berlin"], 5)
    assert {one.text for one in kept.memories.memories(MemoryFilter((ALICE,)))} == set(FACTS)


def test_rows_of_what_is_gone_are_found_and_removed(kept: Store) -> None:
    """Vectors without a memory and sizes without a conversation break a reference; nobody could miss them."""
    kept.database.execute("PRAGMA foreign_keys = OFF")
    kept.database.execute(
        "INSERT INTO vectors SELECT 99, owner, fingerprint, kinds, rows FROM vectors WHERE number = 1"
    )
    kept.database.execute("INSERT INTO conversation_sizes VALUES ('ghost', 'alice', '', 7)")
    assert found(kept.database)["references"].mend == FIX
    assert mended(kept) == ["Rows without an owner, removed or reassigned: 2."]
    assert found(kept.database) == {}


@pytest.mark.parametrize(
    ("check", "sql"),
    [
        ("memories", "UPDATE memories SET created_at = 'yesterday' WHERE number = 2"),
        ("memories", "UPDATE memories SET metadata = '{\"a\": ' WHERE number = 2"),
        ("memories", "UPDATE memories SET scope = 'usar' WHERE number = 2"),
        ("memories", "UPDATE memories SET text = CAST(x'ff41' AS TEXT) WHERE number = 2"),
        ("versions", "UPDATE changes SET event = 'ADDED' WHERE seq = 2"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_left(kept: Store, check: str, sql: str) -> None:
    """Nothing can make it again: the way out is a backup, and mending touches nothing."""
    kept.database.execute(sql)
    ill = found(kept.database)[check]
    assert ill.health is Health.ERROR
    assert "backup" in (ill.mend or "")
    if check == "memories":
        assert str(kept.database.value("SELECT id FROM memories WHERE number = 2")) in ill.message
    mended(kept)
    assert check in found(kept.database)


def test_versions_that_lead_nowhere_are_warnings(kept: Store) -> None:
    """A successor that is missing, and the history of a memory that is missing."""
    kept.database.execute("UPDATE memories SET superseded_by = 'nobody' WHERE number = 1")
    kept.database.execute("INSERT INTO changes (memory_id, owner, event, at) VALUES ('ghost', 1, 'ADD', '2026-01-01')")
    told = [one for one in examine(DatabaseInspection(kept.database), NAME) if one.check == "versions"]
    assert [one.health for one in told] == [Health.WARNING, Health.WARNING]


def test_work_that_keeps_failing_is_a_warning_with_its_reason(kept: Store) -> None:
    """What waits is in order; what has failed three times needs a person."""
    _wait(kept, "conversation")
    assert "waiting" not in found(kept.database)
    kept.database.execute("UPDATE work SET attempts = 3, error = 'No such model.'")
    told = found(kept.database)["waiting"]
    assert (told.health, told.mend) == (Health.WARNING, "memchat status --retry --user alice")
    assert "No such model." in told.message


def _wait(store: Store, session: str) -> None:
    now = "2026-03-01T12:00:00.000000Z"
    store.database.execute(
        "INSERT INTO sessions (id, user, started_at, last_at) VALUES (?, 'alice', ?, ?)", (session, now, now)
    )
    store.database.execute(
        "INSERT INTO messages (id, session_id, role, text, created_at, status)"
        " VALUES ('m', ?, 'user', 'hi', ?, 'complete')",
        (session, now),
    )
    store.database.execute(
        "INSERT INTO work (user, session_id, user_message_id, created_at, due_at) VALUES ('alice', ?, 'm', ?, ?)",
        (session, now, now),
    )


def test_an_erasure_that_was_interrupted_is_a_warning(kept: Store) -> None:
    """Rows are gone, but not from every file: that is to be finished."""
    kept.eraser.erase([kept.memories.memories(MemoryFilter((ALICE,)))[0].id])
    assert found(kept.database)["erasures"].mend == FIX
    kept.finish_erasures()
    assert "erasures" not in found(kept.database)


# Another embedder.


def test_memories_of_another_embedder_are_told_of_once_and_not_mended(kept: Store) -> None:
    """With a paid embedder making them anew is for a person to say: the doctor names reindex."""
    told = found(kept.database, OTHER)["vectors"]
    assert (told.health, told.mend) == (Health.WARNING, REINDEX)
    assert (
        list(repair(DatabaseRepairs(MemoryRepository(kept.database, kept.clock, OTHER)), lambda: Letters(OTHER))) == []
    )
    notice = others_notice(kept.database, OTHER)
    assert notice is not None
    assert "4 memories" in notice
    assert REINDEX in notice
    assert others_notice(kept.database, NAME) is None


def test_new_vectors_are_found_by_processes_that_have_the_old_ones_in_memory(kept: Store) -> None:
    """What another process keeps in memory is read anew once the vectors are."""
    other = Database(kept.database.path)
    scan = ExactSearch(other, OTHER)
    query = Letters(OTHER).embed(["User lives in Berlin"])
    assert VectorSearch(scan).nearest(1, query, 1) == []
    numbers = [number for number, fault in vector_problems(kept.database, OTHER) if fault is VectorProblem.FOREIGN]
    assert Reembedding(MemoryRepository(kept.database, kept.clock, OTHER)).renew(numbers, Letters(OTHER)) == len(FACTS)
    assert [number for number, _ in VectorSearch(scan).nearest(1, query, 1)] == [1]
    assert dimension_in(kept.database, "vowels") == 6
    other.close()


def test_embedding_anew_goes_on_where_it_was_interrupted(kept: Store) -> None:
    """What one run embedded the next does not embed again."""
    remember(kept, *(f"User knows fact {number}" for number in range(100)))
    numbers = [number for number, _ in vector_problems(kept.database, OTHER)]
    with pytest.raises(ConnectionError):
        Reembedding(MemoryRepository(kept.database, kept.clock, OTHER)).renew(numbers, Broken(1))
    left = [number for number, _ in vector_problems(kept.database, OTHER)]
    assert 0 < len(left) < len(numbers)
    embedder = Letters(OTHER)
    assert (
        Reembedding(MemoryRepository(kept.database, kept.clock, OTHER)).renew(left, embedder)
        == len(left)
        == len(embedder.read)
    )
    assert list(vector_problems(kept.database, OTHER)) == []


def test_a_memory_that_was_edited_meanwhile_keeps_its_newer_vectors(kept: Store) -> None:
    """The edit brings vectors of its own; those of the former words must not go over them."""

    class Editing(Letters):
        def embed(self, texts: Sequence[str]) -> "Vectors":
            with Store(kept.database.path, kept.clock, OTHER) as other:
                memory = other.memories.find(first.id, [ALICE])
                if memory.text == first.text:
                    rows = Letters(OTHER).embed(["User lives in Rome"])
                    other.memories.edit(memory, "User lives in Rome", Embedded((VectorKind.TEXT,), rows), "moved")
            return super().embed(texts)

    first = next(one for one in kept.memories.memories(MemoryFilter((ALICE,))) if "Berlin" in one.text)
    assert Reembedding(MemoryRepository(kept.database, kept.clock, OTHER)).renew([1, 2], Editing(OTHER)) == 1
    stored = kept.database.value("SELECT rows FROM vectors WHERE number = 1")
    assert stored == Letters(OTHER).embed(["User lives in Rome"]).tobytes()
