"""Messages are made findable behind the prompt: a lasting backlog, small vectors, nothing left behind."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from memchat.core.protocols import MessageFilter
from memchat.core.types import Add, Draft, Evidence, Message, Owner, Role
from memchat.llm.builtin_embedder import BuiltinEmbedder
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.llm.litellm_embedder import LiteLLMEmbedder
from memchat.storage import message_reader
from memchat.storage.database import Database
from memchat.storage.inspection import DatabaseInspection
from memchat.storage.message_reader import MessageCache
from memchat.storage.migrations import MIGRATIONS
from memchat.storage.repairs import DatabaseRepairs
from memchat.storage.store import Store
from memchat.storage.vectors import message_matrix
from memchat.storage.vectors.message_codec import decode_rows, encode_rows
from memchat.storage.vectors.message_matrix import MessageMatrix, MessageRow, Selection
from memchat.text.embedding import embed, message_texts
from tests.benchmarks.synthetic import facts
from tests.scripted_server import ScriptedServer

USER = "alice"
VIEW = MessageFilter(Owner.user(USER))
EMBEDDER = BuiltinEmbedder()
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "memchat.db", lambda: NOW, FINGERPRINT) as store:
        yield store


def say(store: Store, *lines: str, user: str = USER) -> list[Message]:
    session = store.conversations.new_session(user, None)
    return [store.conversations.record(session, Role.USER, line) for line in lines]


def index(store: Store, user: str | None = None) -> None:
    while store.message_index.index_next(user, EMBEDDER, 2):
        pass


def found(store: Store, text: str) -> list[str]:
    """The texts of the messages nearest to `text`, nearest first."""
    numbers = store.messages.nearest_messages(VIEW, EMBEDDER.embed([text]), 5)
    texts = {one.number: one.text for one in store.messages.message_candidates(VIEW, numbers)}
    return [texts[number] for number in numbers]


def counts(store: Store) -> tuple[int, int, int]:
    tables = ("message_backlog", "message_vectors", "message_words")
    first, second, third = (int(store.database.value(f"SELECT count(*) FROM {table}")) for table in tables)
    return first, second, third


def test_a_message_waits_until_it_is_indexed_and_is_then_found(store: Store) -> None:
    """By its meaning and by its words."""
    say(store, "The cello stands in the hall.", "My boat is painted green.")
    assert counts(store) == (2, 0, 0)
    index(store)
    assert counts(store) == (0, 2, 2)
    assert found(store, "colour of the ship")[0] == "My boat is painted green."
    assert len(store.messages.messages_with(VIEW, ["cello"], 5)) == 1


def test_the_newest_messages_are_indexed_first_and_one_persons_alone(store: Store) -> None:
    """A backlog of years does not keep the last conversation waiting."""
    say(store, "old")
    say(store, "bob's", user="bob")
    say(store, "new", "newest")
    assert store.message_index.index_next(USER, EMBEDDER, 2) == 2
    assert store.message_index.backlog(USER) == 1
    assert store.message_index.backlog() == 2
    assert "old" not in found(store, "old")


def test_a_store_from_before_gets_a_backlog_of_all_but_private_messages(tmp_path: Path) -> None:
    """The migration only takes note; the work is done behind the prompt."""
    before = [step for step in MIGRATIONS if step[0] != "messages found by meaning and by words"]
    path = tmp_path / "memchat.db"
    with Database(path, before[: MIGRATIONS.index(next(s for s in MIGRATIONS if s not in before))]) as old:
        old.execute("INSERT INTO sessions (id, user, started_at, last_at) VALUES ('s', 'alice', '2026', '2026')")
        for number, private in ((1, 0), (2, 1)):
            old.execute(
                "INSERT INTO messages (id, session_id, role, text, created_at, status, private)"
                " VALUES (?, 's', 'user', 'My boat is green.', '2026-03-01T09:00:00.000000Z', 'complete', ?)",
                (f"m{number}", private),
            )
    with Store(path, lambda: NOW, FINGERPRINT) as store:
        assert store.message_index.backlog(USER) == 1
        index(store)
        assert found(store, "boat") == ["My boat is green."]


def test_changed_words_are_indexed_again_with_the_message_that_follows(store: Store) -> None:
    """Its window held the former words."""
    said = say(store, "My boat is painted green.", "It lies in the harbour.", "Far away.")
    index(store)
    store.database.execute("UPDATE messages SET text = '[forgotten]' WHERE id = ?", (said[0].id,))
    assert counts(store) == (2, 1, 2)
    index(store)
    assert counts(store) == (0, 3, 3)


def test_deleting_a_conversation_takes_vectors_words_and_backlog_along(store: Store) -> None:
    """By the database itself."""
    said = say(store, "My boat is painted green.", "It lies in the harbour.")
    store.message_index.index_next(USER, EMBEDDER, 1)
    store.database.execute("DELETE FROM sessions WHERE id = ?", (said[0].session_id,))
    assert counts(store) == (0, 0, 0)


def test_the_first_message_asks_the_embedder_for_its_own_vectors_alone(tmp_path: Path) -> None:
    """An embedder that learns its dimension from its first answer is not asked for the dimension by itself."""
    with ScriptedServer() as server, Store(tmp_path / "memchat.db", lambda: NOW, "openai/text-embedding-3:?") as store:
        say(store, "I live in Berlin.")
        embedder = LiteLLMEmbedder("openai/text-embedding-3", api_key="sk-scripted", api_base=server.base_url)
        store.message_index.index_next(None, embedder, 2)
        assert [request["json"]["input"] for request in server.requests] == [["I live in Berlin."]]


def test_a_message_changed_while_it_is_embedded_stays_in_the_backlog(store: Store) -> None:
    """Its vectors would be those of the former words."""
    (said,) = say(store, "My boat is painted green.")

    class Slow(BuiltinEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            store.database.execute("UPDATE messages SET text = '[forgotten]' WHERE id = ?", (said.id,))
            return super().embed(texts)

    store.message_index.index_next(USER, Slow(), 2)
    assert counts(store) == (1, 0, 0)


def test_vectors_of_another_embedder_are_made_again(store: Store, tmp_path: Path) -> None:
    """They do not compare."""
    say(store, "My boat is painted green.")
    index(store)
    with Store(tmp_path / "memchat.db", lambda: NOW, f"another:{EMBEDDER.dimension}") as other:
        assert other.message_index.queue_foreign() == 1
        assert not other.messages.nearest_messages(VIEW, EMBEDDER.embed(["boat"]), 5)
        index(other)
        assert other.messages.nearest_messages(VIEW, EMBEDDER.embed(["boat"]), 5)


@pytest.mark.parametrize("text", ["word " * 5_000, "A sentence. " * 900, "line\n" * 500, "x"])
def test_the_vectors_of_a_message_take_less_than_4_kilobytes(store: Store, text: str) -> None:
    """However long it is."""
    say(store, text)
    index(store)
    assert store.database.value("SELECT max(length(rows)) FROM message_vectors") < 4_000


def test_a_signed_byte_a_number_keeps_cosines_to_a_hundredth() -> None:
    """What ranking sees is unchanged."""
    rows = EMBEDDER.embed(["My boat is green.", "The cello stands in the hall.", "Seven minutes for a soft egg."])
    again = decode_rows(encode_rows(rows), EMBEDDER.dimension)
    assert np.abs(rows @ rows.T - rows @ again.T).max() < 0.01


def test_erasing_a_conversation_leaves_no_byte_of_its_messages_vectors(store: Store, tmp_path: Path) -> None:
    """The receipt proves it, and reads them."""
    (said, _) = say(store, "My boat is painted in marmalade colours.", "It lies in the harbour.")
    say(store, "The cello stands in the hall.")
    index(store)
    vectors = [bytes(row[0]) for row in store.database.rows("SELECT rows FROM message_vectors WHERE number <= 2")]
    receipt, traces = store.eraser.erase_sessions([said.session_id])
    looked_for = sum(kind == "vector" for kind in traces.needles.values())
    assert looked_for == sum(len(rows) // EMBEDDER.dimension for rows in vectors)
    store.finish_erasures()
    assert not store.eraser.verify(receipt, traces).left
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(stored[:64] in held for stored in vectors)
    assert b"marmalade" not in held


def test_forgetting_a_memory_takes_the_vectors_made_from_its_words_along(store: Store, tmp_path: Path) -> None:
    """Those of the message and of the one after it, whose window held the words."""
    said, *_ = say(store, "My boat is painted in marmalade colours.", "It lies in the harbour.", "Far away.")
    index(store)
    draft = Draft(
        "User's boat is marmalade.", Owner.user(USER), evidence=Evidence(said.id, said.session_id, said.text, "")
    )
    (applied,) = store.apply([Add(draft)], embed(EMBEDDER, [draft]))
    vectors = [bytes(row[0]) for row in store.database.rows("SELECT rows FROM message_vectors WHERE number <= 2")]
    receipt, traces = store.eraser.erase([applied.memory.id])
    store.finish_erasures()
    assert not store.eraser.verify(receipt, traces).left
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(rows[:64] in held for rows in vectors)
    index(store)
    assert not any("marmalade" in text for text in found(store, "boat"))


def test_an_erasure_empties_the_matrix_of_other_readers(store: Store, tmp_path: Path) -> None:
    """A new epoch makes them read again."""
    (said,) = say(store, "My boat is painted green.")
    index(store)
    with Store(tmp_path / "memchat.db", lambda: NOW, FINGERPRINT) as other:
        assert found(other, "boat")
        store.eraser.erase_sessions([said.session_id])
        assert not found(other, "boat")


def test_sketches_find_what_comparing_all_finds() -> None:
    """Among the best by sketch are the best by cosine."""
    chance = np.random.default_rng(7)
    centres = chance.standard_normal((40, 384))
    rows = (centres[np.arange(2_000) % 40] + 0.8 * chance.standard_normal((2_000, 384))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    messages = [MessageRow(number, False, 0, 0, 0, encode_rows(row[None])) for number, row in enumerate(rows)]
    matrix = MessageMatrix.sketched_by([message.rows for message in messages[::3]], 384)
    matrix.extend(messages)
    nearest = matrix.nearest(rows[:1], 60, Selection(agent=0, own=-1))
    assert set(np.argsort(-(rows @ rows[0]))[:10].tolist()) <= set(nearest)


def test_messages_found_by_sketches_are_ordered_by_their_stored_vectors(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large history answers what a small one does, whose vectors are compared whole."""
    say(store, *(fact.text for fact in facts(80)))
    index(store)
    asked = ("What should I cook?", "Where does my sister live?", "What helps against hay fever?")
    whole = [found(store, text) for text in asked]
    monkeypatch.setattr(message_matrix, "WHOLE_ROWS", 40)
    monkeypatch.setattr(message_reader, "READ_AT_ONCE", 30)
    store.messages.share(MessageCache())
    assert [found(store, text) for text in asked] == whole


def test_message_texts_are_the_window_and_no_more_segments_than_asked_for() -> None:
    """Segments together say what the message says."""
    texts = message_texts("One. Two. Three. Four. Five.", "Before.", 4)
    assert texts[0] == "Before.\nOne. Two. Three. Four. Five."
    assert len(texts) <= 4
    assert " ".join(texts[1:]) == "One. Two. Three. Four. Five."
    assert message_texts("One.", None, 4) == ["One."]


def test_a_half_finished_batch_leaves_the_rest_in_the_backlog(store: Store, tmp_path: Path) -> None:
    """An interruption at any point costs that batch."""
    say(store, "one", "two", "three")

    class Killed(BuiltinEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.message_index.index_next(USER, Killed(), 2)
    assert counts(store) == (3, 0, 0)
    with closing(sqlite3.connect(tmp_path / "memchat.db")) as direct:
        assert direct.execute("SELECT count(*) FROM message_backlog").fetchone() == (3,)


def test_doctor_finds_messages_that_search_would_miss_and_has_them_indexed_again(store: Store) -> None:
    """Words without a message, a message without words, and vectors that are no use."""
    say(store, "My boat is painted green.", "It lies in the harbour.")
    index(store)
    inspection, repairs = DatabaseInspection(store.database), DatabaseRepairs(store.memories)
    assert inspection.check_message_index() == (0, 0)
    assert repairs.requeue_messages() == 0
    store.database.execute("UPDATE message_vectors SET rows = x'0102' WHERE number = 1")
    store.database.execute("DELETE FROM message_words WHERE rowid = 2")
    store.database.execute("INSERT INTO message_words (rowid, terms) VALUES (99, 'stray')")
    assert inspection.check_message_index() == (2, 1)
    assert repairs.requeue_messages() == 3
    assert inspection.check_message_index() == (0, 0)
    index(store)
    assert set(found(store, "boat")) == {"My boat is painted green.", "It lies in the harbour."}


def test_doctor_makes_a_damaged_index_of_words_again(store: Store) -> None:
    """From the messages."""
    say(store, "My boat is painted green.")
    index(store)
    store.database.execute("UPDATE message_words_data SET block = x'00' WHERE id > 10")
    assert DatabaseRepairs(store.memories).requeue_messages() > 0
    index(store)
    assert len(store.messages.messages_with(VIEW, ["boat"], 5)) == 1
