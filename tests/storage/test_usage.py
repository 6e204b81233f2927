"""The tokens that people spend and save: added up by day, and gone with the person."""

from pathlib import Path

import pytest

from memchat.core.protocols import PromptShare, Purpose, Spent
from memchat.core.types import MessageStatus, Owner, Session
from memchat.storage.database import Database
from memchat.storage.migrations import MIGRATIONS
from memchat.storage.results import TokenTotal
from memchat.storage.store import Store
from tests.conftest import FINGERPRINT, SettableClock
from tests.storage.memory_factories import ALICE, add, holding, say

DAY = "2026-03-01"
MODEL = "some/model"
WIDE = 1_000_000


def turn(
    store: Store, text: str, spent: Spent | None, session: Session | None = None, private: bool = False
) -> Session:
    """A turn with a reply of the same length."""
    session = session or store.conversations.new_session("alice", None)
    asked = (
        store.conversations.begin_turn(session, text, None)
        if private
        else store.conversations.begin_turn(session, text)
    )
    store.conversations.end_turn(asked, text, MessageStatus.COMPLETE, MODEL, [], spent=spent)
    return session


def saved(store: Store, memory_tokens: int = 0, sent: str = "", room: int = WIDE) -> int:
    """What one more turn adds to the tokens that alice has saved. Its message and its reply are short."""
    before = store.usage.totals("alice").get(Purpose.CHAT)
    session = store.conversations.new_session("alice", None)
    asked = store.conversations.begin_turn(session, "Go on.")
    share = PromptShare(memory_tokens, len(sent) + len(asked.text), room)
    store.conversations.end_turn(asked, "", MessageStatus.FAILED, MODEL, [], spent=Spent(1, 1, share=share))
    store.conversations.take_back(asked)
    return store.usage.totals("alice")[Purpose.CHAT].saved_tokens - (before.saved_tokens if before else 0)


def test_tokens_are_added_up_by_purpose(store: Store, clock: SettableClock) -> None:
    """Over conversations, models and days, for one person."""
    session = turn(store, "hello", Spent(10, 2))
    clock.forward(days=3)
    turn(store, "hello again", Spent(20, 3, estimated=1), session)
    store.usage.add(session.id, Purpose.LEARN, "another/model", Spent(5, 1, calls=2))
    assert store.usage.totals("alice") == {
        Purpose.CHAT: TokenTotal(DAY, 2, 1, 30, 5, 0),
        Purpose.LEARN: TokenTotal("2026-03-04", 2, 0, 5, 1, 0),
    }
    assert store.usage.totals("bob") == {}


def test_tokens_with_one_agent_are_told_apart(store: Store) -> None:
    """As its conversations are."""
    turn(store, "hello", Spent(10, 2))
    turn(store, "hello", Spent(7, 1), store.conversations.new_session("alice", "shop"))
    assert store.usage.totals("alice", "shop")[Purpose.CHAT].prompt_tokens == 7
    assert store.usage.totals("alice")[Purpose.CHAT].prompt_tokens == 17


def test_a_day_of_one_model_is_one_row(store: Store) -> None:
    """However many turns it has: no conversation can be told from it."""
    for _ in range(5):
        turn(store, "hello", Spent(10, 2))
    (row,) = store.database.rows("SELECT * FROM usage")
    assert (row["day"], row["calls"]) == (DAY, 5)


def test_what_was_said_and_is_not_sent_is_saved_but_for_what_memory_took(store: Store) -> None:
    """Four bytes a token; message and reply of every earlier conversation count."""
    turn(store, "x" * 400, None)
    assert saved(store) == 200
    assert saved(store, memory_tokens=50) == 150
    assert saved(store, sent="x" * 400) == 100
    turn(store, "y" * 40, None, store.conversations.new_session("alice", "shop"))
    turn(store, "z" * 40, None, store.conversations.new_session("bob", None))
    assert saved(store) == 200


def test_no_more_is_saved_than_the_window_would_have_taken(store: Store) -> None:
    """Nor does a full window turn it into a loss."""
    turn(store, "x" * 4_000, None)
    assert saved(store, room=300) == 300
    assert saved(store, room=-20) == 0


def test_memory_can_take_more_than_it_saves(store: Store) -> None:
    """At first there is little history, and the figure says so."""
    assert saved(store, memory_tokens=120) == -120


def test_private_and_deleted_messages_are_no_history(store: Store) -> None:
    """What nothing is learned from, and what is gone, is not what memory stands for."""
    turn(store, "p" * 4_000, None, private=True)
    assert saved(store) == 0
    session = turn(store, "x" * 400, None)
    asked = store.conversations.last_question(session)
    assert asked is not None
    store.conversations.drop_replies(asked)
    assert saved(store) == 100
    store.database.execute("UPDATE messages SET text = 'gone' WHERE id = ?", (asked.id,))
    assert saved(store) == 1
    store.erase_sessions([session.id])
    assert saved(store) == 0


def test_a_store_from_before_knows_how_long_its_conversations_are(tmp_path: Path) -> None:
    """Without private messages."""
    before = [name for name, _ in MIGRATIONS].index("tokens spent, and how long conversations are")
    path = tmp_path / "memchat.db"
    with Database(path, MIGRATIONS[:before]) as old:
        old.execute("INSERT INTO sessions (id, user, started_at, last_at) VALUES ('s', 'alice', '2026', '2026')")
        for number, private in ((1, 0), (2, 0), (3, 1)):
            old.execute(
                "INSERT INTO messages (id, session_id, role, text, created_at, status, private)"
                " VALUES (?, 's', 'user', 'żółw', '2026-03-01T09:00:00.000000Z', 'complete', ?)",
                (f"m{number}", private),
            )
    with Database(path) as database:
        assert [tuple(row) for row in database.rows("SELECT * FROM conversation_sizes")] == [("s", "alice", "", 14)]


def test_a_person_who_is_forgotten_leaves_no_figures(home: Path, store: Store) -> None:
    """Those of others stay; nothing that ends later brings them back."""
    other = turn(store, "hello", Spent(3, 1), store.conversations.new_session("bob", None))
    gone = store.conversations.new_session("alice-of-old", "shop-of-old")
    turn(store, "hello", Spent(10, 2), gone)
    add(store, "User likes tea", Owner.user("alice-of-old"))
    store.erase_person("alice-of-old")
    store.usage.add(gone.id, Purpose.LEARN, MODEL, Spent(10, 2))
    store.usage.add_for(Owner.user("alice-of-old"), None, MODEL, Spent(10, 2))
    assert store.usage.totals("alice-of-old") == {}
    assert store.usage.totals(other.user)[Purpose.CHAT].prompt_tokens == 3
    assert holding(home, "alice-of-old", "shop-of-old") == {}
    store.erase_everything()
    assert store.database.value("SELECT count(*) FROM usage") == 0


def test_forgetting_a_conversation_keeps_the_sums(store: Store) -> None:
    """They were spent all the same, and name no conversation."""
    session = turn(store, "hello", Spent(10, 2))
    store.erase_sessions([session.id])
    assert store.usage.totals("alice")[Purpose.CHAT].prompt_tokens == 10


@pytest.mark.parametrize(
    ("owner", "agent", "user", "with_agent"),
    [(ALICE, "shop", "alice", "shop"), (Owner.agent("shop"), None, "", "shop")],
)
def test_a_memory_written_by_hand_is_learned_for_its_owner(
    store: Store, owner: Owner, agent: str | None, user: str, with_agent: str
) -> None:
    """There is no conversation to count it with."""
    add(store, "The shop opens at nine", owner)
    store.usage.add_for(owner, agent, MODEL, Spent(8, 2))
    assert store.usage.totals(user, with_agent) == {Purpose.LEARN: TokenTotal(DAY, 1, 0, 8, 2, 0)}


def test_copies_of_the_database_have_the_figures(tmp_path: Path, store: Store, clock: SettableClock) -> None:
    """As they have all else."""
    turn(store, "hello", Spent(10, 2))
    say(store, "x" * 40)
    store.database.backup(tmp_path / "copy.db")
    with Store(tmp_path / "copy.db", clock, FINGERPRINT) as copy:
        assert copy.usage.totals("alice") == store.usage.totals("alice")
        assert saved(copy) == saved(store)
