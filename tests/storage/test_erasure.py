import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import FORGOTTEN, Add, Draft, Evidence, MarkOutdated, Memory, MessageStatus, Owner, Role, Scope
from memchat.storage.erasure.targets import ErasureTargets
from memchat.storage.results import ErasureReport
from memchat.storage.store import Store
from tests.conftest import FINGERPRINT
from tests.storage.memory_factories import (
    ALICE,
    BOB,
    add,
    apply,
    current,
    embedded,
    holding,
    learned,
    replace_with,
    say,
    texts,
)

FACT = "User keeps quokkas in Zwolle"
QUOTE = "I keep quokkas in Zwolle"
CUES = ("feeding marsupials at dawn", "finding a quokka sitter")
METADATA = {"breed": "setonix", "licence": 48211907}
MARKS = (FACT, QUOTE, *CUES, "setonix", "48211907", "quokka", "zwolle", "Zwolle")


def forget(store: Store, *memories: Memory, keep_source: bool = False) -> ErasureReport:
    return cleaned(store, store.eraser.erase([memory.id for memory in memories], keep_source=keep_source))


def cleaned(store: Store, erased: tuple[ErasureReport, ErasureTargets]) -> ErasureReport:
    store.finish_erasures()
    return store.eraser.verify(*erased)


def marked(store: Store, owner: Owner = ALICE) -> Memory:
    """A memory all of whose words are unmistakable, learned from a conversation."""
    said = f"You know, {QUOTE}, next to the river."
    return learned(store, FACT, said, QUOTE, owner, cues=CUES, metadata=METADATA)


def others(store: Store, number: int) -> None:
    """So many memories and messages of alice and bob that stay."""
    with store.database.transaction():
        for start in range(0, number, 500):
            batch = [f"User knows street {n}" for n in range(start, min(number, start + 500))]
            for owner in (ALICE, BOB):
                apply(store, *(Add(Draft(text, owner, metadata={"n": text}, cues=("going out",))) for text in batch))
        for n in range(number // 5):
            say(store, f"I know street {n}", user="bob" if n % 2 else "alice")


def vector_bytes(memory: Memory) -> list[bytes]:
    return [row.tobytes() for row in embedded(memory.text, memory.cues).rows]


def check_gone(home: Path, receipt: ErasureReport, *memories: Memory) -> None:
    """No file holds any mark, id or vector, and the receipt has looked for them and says the same."""
    vectors = [row for memory in memories for row in vector_bytes(memory)]
    assert vectors
    assert holding(home, *MARKS, *(memory.id for memory in memories), *vectors) == {}
    assert receipt.left == ()
    assert receipt.files >= 1
    assert receipt.bytes > 0


SIZES = [1, pytest.param(1000), pytest.param(10_000, marks=pytest.mark.soak)]


@pytest.mark.parametrize("others_there", SIZES)
def test_a_forgotten_memory_leaves_no_byte(home: Path, store: Store, others_there: int) -> None:
    """Text, quote, cues, metadata, id and vectors are in no file; what others hold is untouched."""
    others(store, others_there)
    memory = marked(store)
    assert holding(home, *MARKS)
    assert holding(home, *vector_bytes(memory))
    receipt = forget(store, memory)
    check_gone(home, receipt, memory)
    assert (receipt.memories, receipt.versions, receipt.messages, receipt.work) == (1, 1, 1, 1)
    assert len(texts(store)) == len(texts(store, owner=BOB)) == others_there
    assert store.conversations.recent_user_messages("alice", 1) == [f"You know, {FORGOTTEN}, next to the river."]


@pytest.mark.parametrize("others_there", SIZES)
def test_a_forgotten_person_leaves_no_byte(home: Path, store: Store, others_there: int) -> None:
    """Memories, conversations, titles, pending work and the name."""
    others(store, others_there)
    eve = Owner.user("Evelyn Quokkakeeper")
    memory = marked(store, eve)
    recorded = store.conversations.new_session(eve.name, None)
    store.conversations.rename(store.conversations.sessions(eve.name)[0], "quokka talk")
    store.conversations.record(recorded, Role.USER, "Zwolle " * 5_000)
    receipt = cleaned(store, store.eraser.erase_person(eve.name))
    check_gone(home, receipt, memory)
    assert holding(home, eve.name) == {}
    assert (receipt.memories, receipt.sessions, receipt.messages, receipt.work) == (1, 2, 3, 1)
    assert len(texts(store)) == others_there
    assert store.memories.memories(MemoryFilter((eve,), superseded=True)) == []


@pytest.mark.parametrize("others_there", SIZES)
def test_a_corrected_memory_is_forgotten_with_its_former_words(home: Path, store: Store, others_there: int) -> None:
    """Edit, then forget: neither the words nor the vectors from before the edit are left."""
    others(store, others_there)
    memory = marked(store)
    edited = store.memories.edit(memory, "User keeps dogs", embedded("User keeps dogs"), "edited")
    receipt = forget(store, edited)
    check_gone(home, receipt, memory, edited)
    assert receipt.versions == 2


@pytest.mark.parametrize("others_there", SIZES)
def test_a_chain_of_versions_is_forgotten_whole(home: Path, store: Store, others_there: int) -> None:
    """Superseded, then forgotten: all that the memory had replaced goes with it."""
    others(store, others_there)
    first = marked(store)
    second = replace_with(store, "User keeps quokkas no more", first)
    third = replace_with(store, "User keeps dogs", second)
    receipt = forget(store, third)
    check_gone(home, receipt, first, second, third)
    assert receipt.memories == 3
    assert len(texts(store)) == others_there


def test_many_are_forgotten_at_once(home: Path, store: Store) -> None:
    """Five hundred of a thousand, each with words of its own."""
    kept = [add(store, f"User knows street {number}") for number in range(500)]
    gone = [learned(store, f"User keeps quokka {n}", f"I keep quokka {n}.", f"I keep quokka {n}") for n in range(100)]
    gone += [add(store, f"User feeds quokka {number}") for number in range(400)]
    receipt = forget(store, *gone)
    assert holding(home, "quokka", *(memory.id for memory in gone)) == {}
    assert (receipt.memories, receipt.messages, receipt.left) == (500, 100, ())
    assert len(texts(store)) == len(kept)


def test_a_forgotten_conversation_leaves_no_byte(home: Path, store: Store) -> None:
    """What was learned from it stays, without its quotes; what lives in it goes."""
    memory = marked(store)
    assert memory.evidence is not None
    session = memory.evidence.session_id
    here = add(store, "User calls this the pouch talk", scope=Scope.SESSION, session_id=session)
    receipt = cleaned(store, store.eraser.erase_sessions([session]))
    assert holding(home, QUOTE, "next to the river", "pouch talk", here.id) == {}
    assert (receipt.sessions, receipt.messages, receipt.memories, receipt.left) == (1, 2, 1, ())
    assert texts(store) == [FACT]
    evidence = current(store, memory).evidence
    assert evidence is not None
    assert evidence.quote == ""


def test_forgetting_everybody_empties_every_file(home: Path, store: Store) -> None:
    """Nothing of anybody is left, and the receipt has looked."""
    memory = marked(store)
    others(store, 20)
    receipt = cleaned(store, store.eraser.erase_everything())
    check_gone(home, receipt, memory)
    assert holding(home, "street", "alice") == {}
    assert receipt.memories == 41
    assert add(store, "User likes tea").text == "User likes tea"


@pytest.mark.parametrize("kept", [FACT, QUOTE, CUES[0], "setonix"])
def test_what_is_left_after_forgetting_everybody_is_named(home: Path, store: Store, kept: str) -> None:
    """Words of a memory, of its conversation, its cues, its metadata, in a file that the cleaning knows nothing of."""
    memory = marked(store)
    (home / "notes.txt").write_text(f"{kept} {memory.id}")
    (home / "vectors.bin").write_bytes(b"".join(vector_bytes(memory)))
    left = cleaned(store, store.eraser.erase_everything()).left
    assert {found.file for found in left} == {"notes.txt", "vectors.bin"}
    assert {"id", "vector"} < {found.kind for found in left}


def test_a_damaged_memory_can_be_forgotten(home: Path, store: Store) -> None:
    """What is no JSON any more hinders nothing."""
    memory = marked(store)
    store.database.execute("UPDATE memories SET cues = '[\"feed', metadata = 'setonix'")
    store.database.execute("UPDATE vectors SET kinds = '7'")
    check_gone(home, forget(store, memory), memory)


def test_the_source_can_be_kept(home: Path, store: Store) -> None:
    """With `keep_source` the conversation stays as it was, and the search knows it is there by right."""
    receipt = forget(store, marked(store), keep_source=True)
    assert store.conversations.recent_user_messages("alice", 1) == [f"You know, {QUOTE}, next to the river."]
    assert holding(home, FACT, "setonix", *CUES) == {}
    assert (receipt.messages, receipt.left) == (0, ())


# What is whose.


def test_what_somebody_else_says_too_is_left_to_them(home: Path, store: Store) -> None:
    """Bob keeps his memory, his words and his vectors; that they are there is no finding."""
    memory = marked(store)
    bobs = marked(store, BOB)
    receipt = forget(store, memory)
    assert receipt.left == ()
    assert texts(store, owner=BOB) == [FACT]
    assert current(store, bobs).evidence == bobs.evidence
    assert store.conversations.recent_user_messages("bob", 1) == [f"You know, {QUOTE}, next to the river."]
    assert holding(home, memory.id) == {}


def test_imported_evidence_does_not_reach_into_another_persons_conversation(store: Store) -> None:
    """A memory of bob's whose evidence names alice's message is forgotten without touching her words."""
    message = say(store, f"You know, {QUOTE}.")
    evidence = Evidence(message.id, message.session_id, QUOTE, "test")
    forget(store, add(store, FACT, BOB, evidence=evidence))
    assert store.conversations.recent_user_messages("alice", 1) == [f"You know, {QUOTE}."]


def test_the_words_are_blanked_in_all_that_quotes_them(home: Path, store: Store) -> None:
    """Other memories' quotes, their former words and the titles of conversations."""
    memory = marked(store)
    assert memory.evidence is not None
    wider = Evidence(memory.evidence.message_id, memory.evidence.session_id, f"{QUOTE}, next to the river", "test")
    river = add(store, "User lives by the river", evidence=wider)
    former = add(store, "User lives there")
    store.memories.edit(former, FACT + " and there", embedded("x"), "edited")
    store.memories.edit(current(store, former), "User lives there", embedded("y"), "edited")
    receipt = forget(store, memory, former)
    assert holding(home, *MARKS) == {}
    assert receipt.left == ()
    evidence = current(store, river).evidence
    assert evidence is not None
    assert evidence.quote == f"{FORGOTTEN}, next to the river"
    assert store.conversations.sessions("alice")[0].title == f"You know, {FORGOTTEN}, next to the river."


def test_answers_no_longer_name_what_was_forgotten(home: Path, store: Store) -> None:
    """The ids go from the lists of what was recalled, for the person and for all who talk to an agent."""
    kept, gone = add(store, "User likes tea"), add(store, "User keeps quokkas")
    agents = add(store, "The shop has quokkas", Owner.agent("shop"))
    for user, agent, recalled in (("alice", None, [kept, gone]), ("bob", "shop", [agents]), ("", "shop", [agents])):
        asked = store.conversations.begin_turn(store.conversations.new_session(user, agent), "What is new?")
        ids = [memory.id for memory in recalled]
        store.conversations.end_turn(asked, "That.", MessageStatus.COMPLETE, "test", ids)
    forget(store, gone, agents)
    lists = [json.loads(row["recalled"]) for row in store.database.rows("SELECT recalled FROM messages")]
    assert [found for found in lists if found] == [[kept.id]]
    assert holding(home, gone.id, agents.id) == {}


def test_agent_memory_is_blanked_where_it_was_said(home: Path, store: Store) -> None:
    """An agent's memory learned from alice is forgotten together with her words for it."""
    message = say(store, f"Note: {QUOTE}.", store.conversations.new_session("alice", "shop"))
    evidence = Evidence(message.id, message.session_id, QUOTE, "test")
    memory = add(store, FACT, Owner.agent("shop"), evidence=evidence)
    receipt = forget(store, memory)
    check_gone(home, receipt, memory)
    assert store.conversations.recent_user_messages("alice", 1) == [f"Note: {FORGOTTEN}."]


def test_an_agent_keeps_its_memory_without_the_words_of_a_forgotten_person(home: Path, store: Store) -> None:
    """Erasing alice takes her quotes out of what the agent knows."""
    message = say(store, f"Note: {QUOTE}.", store.conversations.new_session("alice", "shop"))
    add(store, "The shop sells hay", Owner.agent("shop"), evidence=Evidence(message.id, message.session_id, QUOTE, "t"))
    receipt = cleaned(store, store.eraser.erase_person("alice"))
    assert holding(home, QUOTE, "quokka") == {}
    assert receipt.left == ()
    assert texts(store, owner=Owner.agent("shop")) == ["The shop sells hay"]


def test_pending_work_on_forgotten_words_is_dropped_and_other_work_is_not(store: Store) -> None:
    """What was forgotten is not learned again."""
    memory = marked(store)
    say(store, "I like tea")
    assert len(store.work.pending()) == 2
    forget(store, memory)
    assert [work.user_message_id for work in store.work.pending()] != []
    assert len(store.work.pending()) == 1


def test_forgetting_nothing_and_the_unknown_is_no_error(store: Store) -> None:
    """A receipt of zeros."""
    assert store.eraser.erase([])[0] == ErasureReport()
    assert store.eraser.erase(["no such id"])[0] == ErasureReport()
    assert store.eraser.erase_person("nobody")[0] == ErasureReport()
    assert store.eraser.erase_sessions([])[0] == ErasureReport()


def test_the_reading_stays_with_the_people_concerned(store: Store) -> None:
    """Blanking and unmentioning find messages by index, not through everybody's."""
    memory = marked(store)
    others(store, 20)
    seen: list[str] = []
    connection = store.database._connection
    connection.set_trace_callback(lambda sql: None if sql.startswith("--") else seen.append(sql))
    store.eraser.erase([memory.id])
    connection.set_trace_callback(None)
    reads = [sql for sql in seen if "messages AS m" in sql]
    assert len(reads) >= 2
    for sql in reads:
        plan = [row["detail"] for row in store.database.rows(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in plan if step.startswith("SCAN")], plan


# What the search finds.


def test_what_is_left_somewhere_is_found_and_named(home: Path, store: Store) -> None:
    """A log or an export in the data directory that still holds the words is no clean receipt."""
    memory = marked(store)
    (home / "notes.txt").write_text(f"...{FACT}...setonix...{memory.id}")
    (home / "config.toml").write_text("# setonix is a word like others")
    (home / "copy").mkdir()
    (home / "copy" / "data.bin").write_bytes(b"\0\0" + vector_bytes(memory)[0] + b"\0")
    receipt = forget(store, memory)
    assert {(found.file, found.kind) for found in receipt.left} == {
        ("notes.txt", "text"),
        ("notes.txt", "metadata"),
        ("notes.txt", "id"),
        ("copy/data.bin", "vector"),
    }


def test_the_search_finds_what_cleaning_would_have_removed(home: Path, store: Store) -> None:
    """Without the cleaning the bytes are there, and the proof says so: it can fail."""
    memory = marked(store)
    receipt = store.eraser.verify(*store.eraser.erase([memory.id]))
    assert {"text", "id", "vector", "cue", "metadata"} == {found.kind for found in receipt.left}
    store.finish_erasures()


def test_copies_that_migrations_kept_go_with_the_cleaning(home: Path, store: Store) -> None:
    """A copy of before holds what was forgotten and cannot be cleaned, so it does not stay."""
    memory = marked(store)
    store.database.backup(home / "memchat.db.version0")
    (home / "memchat.db.version0.77.part").write_text(FACT)
    check_gone(home, forget(store, memory), memory)
    assert not list(home.glob("*.version*"))


def test_a_megabyte_text_is_searched_for_too(home: Path, store: Store) -> None:
    """A text that a database spreads over many pages is found by its pieces, and gone after cleaning."""
    text = " ".join(f"quokka{number}" for number in range(90_000))
    memory = add(store, text)
    receipt = store.eraser.verify(*store.eraser.erase([memory.id]))
    assert "text" in {found.kind for found in receipt.left}
    store.finish_erasures()
    assert holding(home, "quokka12", "quokka89999") == {}


# Interrupted.

ERASES = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from memchat.storage.store import Store
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
where, memory_id = sys.argv[2], sys.argv[3]
store = Store(Path(sys.argv[1]), lambda: datetime.now(UTC), "test/24")
if where == "in the transaction":
    with store.database.transaction():
        store.eraser.erase([memory_id])
        die()
store.eraser.erase([memory_id])
if where == "after the transaction":
    die()
if where == "before compacting":
    store.database.former_versions = die
    store.finish_erasures()
store.database._connection.set_progress_handler(die, int(where))
store.finish_erasures()
print("finished")
"""


@pytest.mark.parametrize(
    "where", ["in the transaction", "after the transaction", "before compacting", "1", "300", "1000", "3000"]
)
def test_an_erasure_cut_off_by_a_kill_is_finished_at_the_next_start(home: Path, where: str) -> None:
    """Whole or not at all; and once it was acknowledged, the next cleaning takes the bytes."""
    path = home / "memchat.db"
    with Store(path, lambda: datetime.now(UTC), FINGERPRINT) as store:
        others(store, 300)
        memory = marked(store)
    done = subprocess.run(
        [sys.executable, "-c", ERASES, str(path), where, memory.id], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "")
    with Store(path, lambda: datetime.now(UTC), FINGERPRINT) as store:
        assert store.database.value("PRAGMA integrity_check") == "ok"
        if where == "in the transaction":
            assert store.memories.get(memory.id) == memory
            return
        assert store.memories.get(memory.id) is None
        store.finish_erasures()
        assert holding(home, *MARKS, memory.id, *vector_bytes(memory)) == {}
        assert store.database.value("SELECT count(*) FROM erasures WHERE finished = 0") == 0
        assert len(texts(store)) == 300


def test_cleaning_with_nothing_to_clean_touches_nothing(home: Path, store: Store) -> None:
    """The index goes only when something was erased, and only once."""
    index = home / "index"
    index.mkdir()
    store.finish_erasures()
    assert index.exists()
    store.eraser.erase([marked(store).id])
    store.finish_erasures()
    assert not index.exists()
    index.mkdir()
    store.finish_erasures()
    assert index.exists()


def test_two_who_clean_at_once_both_finish(home: Path, store: Store) -> None:
    """A second window that starts while the first one cleans."""
    others(store, 200)
    memory = marked(store)
    store.eraser.erase([memory.id])
    failures: list[BaseException] = []

    def clean() -> None:
        try:
            with Store(store.database.path, store.clock, FINGERPRINT) as other:
                other.finish_erasures()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=clean) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert holding(home, *MARKS, memory.id) == {}


def test_erased_rows_leave_the_search_by_words_too(store: Store) -> None:
    """The full-text index does not know the words any more."""
    memory = marked(store)
    assert store.memories.keyword_search(MemoryFilter((ALICE,)), ["quokka"], 5) == [memory.id]
    forget(store, memory)
    assert store.memories.keyword_search(MemoryFilter((ALICE,)), ["quokka"], 5) == []
    assert store.database.value("SELECT count(*) FROM words WHERE words MATCH 'quokka'") == 0


def test_forgetting_a_former_version_leaves_its_successor(home: Path, store: Store) -> None:
    """Only what came before it goes with it."""
    first = marked(store)
    second = replace_with(store, "User keeps dogs", first, valid_from=date(2026, 1, 1))
    apply(store, MarkOutdated(second.id))
    receipt = forget(store, first)
    check_gone(home, receipt, first)
    assert texts(store) == ["User keeps dogs"]
    assert current(store, second).supersedes == ()
