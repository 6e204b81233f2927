import json
from collections.abc import Generator
from pathlib import Path

import pytest

from memchat.chat.conversation import Conversation, ConversationOptions
from memchat.core.protocols import Completion, Delta, ModelRequest
from memchat.core.types import JobState, LearningOptions, MessageStatus, Role, Session
from memchat.errors import AmbiguousId, ModelUnreachable, NotFound, UsageError
from memchat.storage.conversations import FIRST_READ
from memchat.storage.store import Store
from tests.conftest import FINGERPRINT, SettableClock
from tests.storage.memory_factories import add, current, say


class Looking:
    """A model that looks into the database, through a connection of its own, at the moment it is called."""

    name = "looking"
    context_tokens = 4096

    def __init__(self, store: Store, *, breaks: bool = False) -> None:
        self.path, self.clock, self.breaks = store.database.path, store.clock, breaks
        self.seen: list[str] = []
        self.states: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def complete(self, request: ModelRequest) -> Completion:
        raise NotImplementedError

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        with Store(self.path, self.clock, FINGERPRINT) as other:
            self.seen = [row["text"] for row in other.database.rows("SELECT text FROM messages ORDER BY number")]
            self.states = [work.state for work in other.work.pending()]
        yield Delta("Half a ")
        if self.breaks:
            raise ModelUnreachable("gone")
        yield Delta("reply.")


def conversation(store: Store, model: Looking) -> Conversation:
    session = store.conversations.new_session("alice", None)
    return Conversation(session, model, store.conversations, None, ConversationOptions(), store.clock)


def messages(store: Store, session: Session) -> list[tuple[str, str, str]]:
    return [(m.role, m.text, m.status) for m in store.conversations.messages(session.id)]


def test_a_message_is_on_disk_before_the_model_is_called(store: Store) -> None:
    """Another connection sees it at the moment of the call."""
    model = Looking(store)
    talk = conversation(store, model)
    with talk.turn("I like tea") as turn:
        assert list(turn) == ["Half a ", "reply."]
    assert model.seen == ["I like tea"]
    assert messages(store, talk.session) == [
        (Role.USER, "I like tea", MessageStatus.COMPLETE),
        (Role.ASSISTANT, "Half a reply.", MessageStatus.COMPLETE),
    ]


def test_a_reply_that_was_cut_off_is_kept_and_marked(store: Store) -> None:
    """What had arrived stays in the transcript as partial."""
    talk = conversation(store, Looking(store, breaks=True))
    with pytest.raises(ModelUnreachable), talk.turn("I like tea") as turn:
        list(turn)
    assert messages(store, talk.session)[1] == (Role.ASSISTANT, "Half a ", MessageStatus.PARTIAL)


def test_pending_work_is_written_with_the_message(store: Store) -> None:
    """It is claimed while the reply is under way, and free once that has ended, reply or no reply."""
    session = store.conversations.new_session("alice", None)
    asked = store.conversations.begin_turn(session, "I like tea", LearningOptions("only food", {"a": 1}))
    (work,) = store.work.pending("alice")
    assert (work.state, work.user_message_id) == (JobState.CLAIMED, asked.id)
    assert (work.terms.instructions, dict(work.terms.metadata)) == ("only food", {"a": 1})
    assert store.work.claim(None) is None
    assert store.conversations.end_turn(asked, "", MessageStatus.FAILED, "test", []) is None
    assert [work.state for work in store.work.pending()] == [JobState.WAITING]
    assert messages(store, session) == [(Role.USER, "I like tea", MessageStatus.FAILED)]


def test_a_turn_ends_in_one_transaction(store: Store) -> None:
    """When the reply cannot be written, the work stays claimed and nothing of the end is there."""
    asked = store.conversations.begin_turn(store.conversations.new_session("alice", None), "I like tea")
    store.database.execute("CREATE TEMP TRIGGER full BEFORE UPDATE ON work BEGIN SELECT raise(ABORT, 'no room'); END")
    with pytest.raises(Exception, match="no room"):
        store.conversations.end_turn(asked, "Noted.", MessageStatus.COMPLETE, "test", [])
    store.database.execute("DROP TRIGGER full")
    assert [message.role for message in store.conversations.messages(asked.session_id)] == [Role.USER]
    assert [work.state for work in store.work.pending()] == [JobState.CLAIMED]


def test_a_turn_whose_conversation_was_erased_meanwhile_leaves_nothing(store: Store) -> None:
    """The reply of a forgotten conversation is not written."""
    asked = store.conversations.begin_turn(store.conversations.new_session("alice", None), "I like tea")
    store.eraser.erase_person("alice")
    assert store.conversations.end_turn(asked, "Noted.", MessageStatus.COMPLETE, "test", []) is None
    assert store.database.value("SELECT count(*) FROM messages") == 0
    assert store.work.pending() == []


def test_what_an_answer_used_is_noted(store: Store, clock: SettableClock) -> None:
    """The reply names the memories, and they know when they were last used."""
    memory = add(store, "User likes tea")
    asked = store.conversations.begin_turn(store.conversations.new_session("alice", None), "What do I like?")
    clock.forward(seconds=5)
    reply = store.conversations.end_turn(asked, "Tea.", MessageStatus.COMPLETE, "test", [memory.id])
    assert reply is not None
    assert store.conversations.message(reply.id) == reply
    assert reply.recalled == (memory.id,)
    assert current(store, memory).last_used_at == clock()


def test_nothing_is_learned_where_that_is_not_wanted(store: Store) -> None:
    """A private turn is recorded and leaves no work."""
    session = store.conversations.new_session("alice", None, private=True)
    store.conversations.begin_turn(session, "psst", None)
    store.conversations.record(session, Role.USER, "said elsewhere")
    assert store.work.pending() == []
    found = store.conversations.session(session.id)
    assert found is not None
    assert (found.private, found.messages) == (True, 2)


def test_a_session_of_somebody_else_cannot_be_written_to(store: Store) -> None:
    """Two people who chose the same session name do not end in one conversation."""
    store.conversations.begin_turn(store.conversations.new_session("alice", None, name="work"), "mine")
    with pytest.raises(UsageError, match="another user"):
        store.conversations.begin_turn(store.conversations.new_session("bob", None, name="work"), "not mine")
    assert store.database.value("SELECT count(*) FROM messages") == 1
    assert len(store.work.pending()) == 1


def test_sessions_are_listed_by_when_they_were_last_used(store: Store, clock: SettableClock) -> None:
    """Each person has their own; the title is what was said first."""
    first = store.conversations.new_session("alice", None)
    say(store, "  first\n  words  ", first)
    clock.forward(seconds=1)
    say(store, "second", store.conversations.new_session("alice", "cook"))
    say(store, "other", user="bob")
    clock.forward(seconds=1)
    say(store, "again", first)
    assert [session.title for session in store.conversations.sessions("alice")] == ["first words", "second"]
    assert [session.title for session in store.conversations.sessions("alice", 1)] == ["first words"]
    latest = store.conversations.latest_session("alice", "cook")
    assert latest is not None
    assert latest.title == "second"
    assert store.conversations.recent_user_messages("alice", 2) == ["again", "second"]


def test_a_session_that_was_given_a_name_is_found_by_that_alone(store: Store) -> None:
    """Neither by its beginning nor in other letters: another conversation may well have that name."""
    for name in ("w", "w7", "100%", "2026-06-03"):
        store.conversations.record(store.conversations.new_session("alice", None, name=name), Role.USER, name)
    find = store.conversations.find_session
    for name in ("w", "w7", "100%", "2026-06-03"):
        assert find(name, "alice").id == name
    for unknown in ("W", "100", "%", "_", "", "w_", "2026-06-0", "2026"):
        with pytest.raises(NotFound):
            find(unknown, "alice")
    with pytest.raises(NotFound):
        find("w7", "bob")
    store.conversations.rename(find("w", "alice"), "W\ud800")
    assert find("w", "alice").title == "W\ufffd"


def test_a_session_without_a_name_is_found_by_a_beginning_that_is_its_alone(store: Store) -> None:
    """However the id is written; of several that begin so none is chosen."""
    first, second = (say(store, text, store.conversations.new_session("alice", None)).session_id for text in "ab")
    find = store.conversations.find_session
    apart = next(i for i, (one, other) in enumerate(zip(first, second, strict=True), 1) if one != other)
    assert find(first[:apart], "alice").id == find(first[:apart].upper(), "alice").id == first
    assert find(second, "alice").id == second
    with pytest.raises(AmbiguousId) as raised:
        find(first[: apart - 1], "alice")
    assert second in raised.value.message
    with pytest.raises(NotFound):
        find(first[:apart], "alice", shortest=apart + 1)
    with pytest.raises(NotFound):
        find(first[:apart], "bob")


def test_two_people_may_give_the_same_name(store: Store) -> None:
    """Each finds their own under it."""
    conversations = store.conversations
    mine = conversations.new_session("alice", None, name="work")
    conversations.record(mine, Role.USER, "mine")
    assert conversations.name_for("work", "bob") == "work@bob"
    assert conversations.name_for("play", "bob") == "play"
    conversations.record(conversations.new_session("bob", None, name="work@bob"), Role.USER, "his")
    assert conversations.find_session("work", "alice") == conversations.session("work")
    assert conversations.find_session("work", "bob").id == "work@bob"


def test_messages_come_in_order_and_by_the_last_few(store: Store) -> None:
    """The same for what came before a message, and for the reply to it."""
    session = store.conversations.new_session("alice", None)
    asked = [say(store, f"question {number}", session) for number in range(3)]
    assert [message.text for message in store.conversations.messages(session.id, 3)] == [
        "Noted.",
        "question 2",
        "Noted.",
    ]
    assert [message.text for message in store.conversations.before(asked[1], 9)] == ["question 0", "Noted."]
    reply = store.conversations.reply_to(asked[0])
    assert reply is not None
    assert reply.text == "Noted."
    last = store.conversations.record(session, Role.USER, "one more")
    assert store.conversations.reply_to(last) is None
    assert store.conversations.before(asked[0], 9) == []


def test_what_was_said_before_is_read_backwards_to_its_beginning(store: Store) -> None:
    """However long the conversation is, each message once, and nothing of another one."""
    session = store.conversations.new_session("alice", None)
    texts = [str(number) for number in range(3 * FIRST_READ)]
    for text in texts:
        store.conversations.record(session, Role.USER, text)
        store.conversations.record(store.conversations.new_session("alice", None), Role.USER, "elsewhere")
    last = store.conversations.record(session, Role.USER, "last")
    earlier = store.conversations.earlier(last)
    assert next(earlier).text == texts[-1]
    assert [message.text for message in earlier] == texts[-2::-1]
    first = store.conversations.messages(session.id)[0]
    assert list(store.conversations.earlier(first)) == []


def test_broken_characters_in_what_is_said_are_replaced(store: Store) -> None:
    """A pipe can deliver anything: the message says what was stored, and the model gets the same."""
    session = store.conversations.new_session("alice", None)
    asked = store.conversations.begin_turn(session, "tea \udcff\0", LearningOptions("\ud800", {"k": "\udc00"}))
    assert asked.text == "tea \ufffd\0"
    reply = store.conversations.end_turn(asked, "\ud83d", MessageStatus.COMPLETE, "test", [])
    assert reply is not None
    assert [message.text for message in store.conversations.messages(session.id)] == ["tea \ufffd\0", "\ufffd"]
    assert json.loads(store.database.value("SELECT metadata FROM work")) == {"k": "\ufffd"}


def test_a_megabyte_is_a_message_like_others(store: Store, home: Path) -> None:
    """A long paste is kept whole, and its title is short."""
    text = "line\n" * 200_000
    asked = say(store, text)
    message = store.conversations.message(asked.id)
    assert message is not None
    assert message.text == text
    assert len(store.conversations.sessions("alice")[0].title) <= 60
