"""One turn: recorded before anything is done with it, answered with what is remembered, ended exactly once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from memchat.chat.conversation import HISTORY_TRUNCATED, Conversation, ConversationOptions
from memchat.core.protocols import Purpose, Spent
from memchat.core.types import (
    DEFAULT_LEARNING_OPTIONS,
    Draft,
    JobState,
    LearningOptions,
    Message,
    MessageStatus,
    Role,
    Session,
)
from memchat.errors import BadReply, ContextOverflow, ModelUnreachable, StoreBusy
from memchat.learning.pipeline import learn
from memchat.recall.memory_block import parse
from memchat.storage.conversations import ConversationRepository
from tests.learning import harness as room
from tests.learning.harness import AL, NOON, Home, ScriptedModel, facts

UNREACHABLE = ModelUnreachable("The line was cut.")
room.ERRORS["cut"] = UNREACHABLE
KEY = "sk-proj-Zk3vQx8LmN2pRt5wYb7cD9fGh1jK4sAa6uEe0iOo"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as opened:
        yield opened


def recorded(home: Home, session: Session) -> list[tuple[Role, str, MessageStatus]]:
    return [(one.role, one.text, one.status) for one in home.store.conversations.messages(session.id)]


def say(conversation: Conversation, text: str) -> str:
    with conversation.turn(text) as turn:
        return "".join(turn)


# A turn.


def test_a_turn_is_recorded_answered_and_handed_to_the_learner(home: Home) -> None:
    """Message and reply stand in the transcript, the exchange waits to be learned from."""
    model = ScriptedModel("Hello, Al!")
    conversation = home.conversation(model)
    with conversation.turn("Hi, I'm Al") as turn:
        pieces = list(turn)
    assert len(pieces) > 1
    assert "".join(pieces) == turn.reply == "Hello, Al!"
    assert turn.status is MessageStatus.COMPLETE
    assert turn.usage is not None
    assert recorded(home, conversation.session) == [
        (Role.USER, "Hi, I'm Al", MessageStatus.COMPLETE),
        (Role.ASSISTANT, "Hello, Al!", MessageStatus.COMPLETE),
    ]
    (work,) = home.store.work.pending()
    assert (work.state, work.user_message_id) == (JobState.WAITING, turn.asked.id)
    reply = home.store.conversations.messages(conversation.session.id)[1]
    assert reply.model == "scripted/model"


def test_the_message_and_its_work_are_on_disk_before_the_model_is_called(home: Home) -> None:
    """Another process sees both while the model still thinks; nobody else takes the work up meanwhile."""
    model = ScriptedModel("Yes.")
    seen: list[object] = []

    def look() -> None:
        seen.extend(home.elsewhere("SELECT text, role, status FROM messages"))
        seen.extend(home.elsewhere("SELECT state FROM work"))

    model.on_call = look
    say(home.conversation(model), "Are you there?")
    assert seen == [("Are you there?", "user", "complete"), ("claimed",)]


def test_the_conversation_so_far_is_sent_along(home: Home) -> None:
    """Oldest first, after the system message."""
    model = ScriptedModel("One.", "Two.")
    conversation = home.conversation(model)
    say(conversation, "first")
    say(conversation, "second")
    sent = [(one.role, one.content) for one in model.asked[1].messages[1:]]
    assert sent == [(Role.USER, "first"), (Role.ASSISTANT, "One."), (Role.USER, "second")]


def test_a_long_conversation_is_sent_from_its_beginning(home: Home) -> None:
    """As long as it fits the window; when it no longer does, one turn says so, and the next ones do not again."""
    model = ScriptedModel(*["Yes."] * 34)
    conversation = home.conversation(model)
    for number in range(30):
        say(conversation, f"message {number}")
    assert [one.content for one in model.asked[-1].messages[1::2]] == [f"message {number}" for number in range(30)]
    notices = []
    for _ in range(4):
        with conversation.turn("word " * 2_000) as turn:
            list(turn)
        notices.append(turn.notice)
    assert notices == [None, None, HISTORY_TRUNCATED, None]
    assert len(model.asked[-1].messages) == 4


def test_what_bears_on_the_message_is_in_the_prompt_and_noted_with_the_reply(home: Home) -> None:
    """`hits` are what the answer could use."""
    tea, _ = home.keep("User drinks green tea every morning.", "User's sister Ana plays the cello.")
    conversation = home.conversation(ScriptedModel("Green."))
    with conversation.turn("Which tea do I drink in the morning?") as turn:
        list(turn)
    assert [hit.memory.id for hit in turn.hits] == [tea.id]
    assert conversation.last_turn is turn
    assert [one.text for one in parse(turn.request.messages[0].content)] == [tea.text]
    reply = home.store.conversations.messages(conversation.session.id)[1]
    assert reply.recalled == (tea.id,)
    (used,) = [memory for memory in home.memories() if memory.id == tea.id]
    assert used.last_used_at == NOON


def test_wishes_are_in_every_prompt_and_not_twice(home: Home) -> None:
    """What stands as a wish does not stand as a memory too; one that does not fit as a wish may."""
    home.keep_drafts(
        [
            Draft("User wants short answers about tea.", AL, standing=True),
            Draft("User wants tea described " + "in great and loving detail " * 30, AL, standing=True),
        ]
    )
    model = ScriptedModel("Yes.", "Green.")
    first = home.conversation(model)
    say(first, "Is it late?")
    assert "- User wants short answers about tea." in model.asked[0].messages[0].content
    (wish,) = first.last_turn.wishes if first.last_turn else ()
    assert wish.text == "User wants short answers about tea."
    assert home.store.conversations.messages(first.session.id)[1].recalled == (wish.id,)
    say(home.conversation(model), "How does the user want tea described, in loving detail?")
    system = model.asked[1].messages[0].content
    assert system.count("User wants short answers about tea.") == 1
    assert [one.text[:24] for one in parse(system)] == ["User wants tea described"]


def test_a_short_message_is_recalled_for_together_with_the_one_before(home: Home) -> None:
    """ "And my brother's?" says too little alone."""
    home.keep("User's sister Ana has her birthday on 4 May.", "User's brother Leo has his birthday on 9 July.")
    model = ScriptedModel("4 May.", "9 July.")
    conversation = home.conversation(model)
    say(conversation, "When is the birthday of my sister Ana?")
    say(conversation, "And Leo's?")
    assert any("9 July" in one.text for one in parse(model.asked[1].messages[0].content))


# Interrupted and failed turns.


def _interrupted_after(piece: str) -> None:
    raise KeyboardInterrupt(piece)


def test_an_interrupted_reply_is_kept_as_partial_and_its_connection_closed(home: Home) -> None:
    """What was on the screen is in the transcript, and it is learned from all the same."""
    model = ScriptedModel("This is a very long answer.")
    conversation = home.conversation(model)
    turn = conversation.turn("I live in Berlin")
    with pytest.raises(KeyboardInterrupt), turn:
        _interrupted_after(next(iter(turn)))
    assert turn.status is MessageStatus.PARTIAL
    assert recorded(home, conversation.session)[1] == (Role.ASSISTANT, "This", MessageStatus.PARTIAL)
    assert model.closed == 1
    assert home.store.work.pending()[0].state is JobState.WAITING


def test_leaving_early_without_an_error_is_an_interruption_too(home: Home) -> None:
    """A caller may simply stop reading."""
    model = ScriptedModel("This is a very long answer.")
    conversation = home.conversation(model)
    with conversation.turn("Hi") as turn:
        next(iter(turn))
    assert recorded(home, conversation.session)[1] == (Role.ASSISTANT, "This", MessageStatus.PARTIAL)
    assert model.closed == 1


def test_a_stream_that_breaks_leaves_what_came_before(home: Home) -> None:
    """The error reaches the caller, the beginning of the reply the transcript."""
    conversation = home.conversation(ScriptedModel("Half|FAILS|cut"))
    with pytest.raises(ModelUnreachable), conversation.turn("Hi") as turn:
        list(turn)
    assert recorded(home, conversation.session) == [
        (Role.USER, "Hi", MessageStatus.COMPLETE),
        (Role.ASSISTANT, "Half", MessageStatus.PARTIAL),
    ]


@pytest.mark.parametrize(("answer", "error"), [(UNREACHABLE, ModelUnreachable), ("", BadReply), (" \n ", BadReply)])
def test_a_turn_without_a_reply_has_failed_and_its_message_is_kept(
    home: Home, answer: str | BaseException, error: type[Exception]
) -> None:
    """It is marked, learned from all the same, and left out of the next prompt."""
    model = ScriptedModel(answer, "Yes.")
    conversation = home.conversation(model)
    with pytest.raises(error), conversation.turn("I live in Berlin") as turn:
        list(turn)
    assert turn.status is MessageStatus.FAILED
    assert recorded(home, conversation.session) == [(Role.USER, "I live in Berlin", MessageStatus.FAILED)]
    assert home.store.work.pending()[0].state is JobState.WAITING
    say(conversation, "Again?")
    assert [one.content for one in model.asked[1].messages[1:]] == ["Again?"]


def test_a_message_too_long_for_the_window_is_kept_as_failed(home: Home) -> None:
    """It was typed, so it is not lost; no call is made."""
    model = ScriptedModel("never", context_tokens=400)
    conversation = home.conversation(model)
    with pytest.raises(ContextOverflow):
        conversation.turn("word " * 500)
    ((role, _, status),) = recorded(home, conversation.session)
    assert (role, status, model.asked) == (Role.USER, MessageStatus.FAILED, [])
    assert home.store.work.pending()[0].state is JobState.WAITING


class CountingTranscript(ConversationRepository):
    """The real one, which counts how turns end and can be too busy to begin them."""

    def __init__(self, home: Home) -> None:
        super().__init__(home.store.database, home.clock)
        self.ended: list[MessageStatus] = []
        self.busy = False

    def begin_turn(
        self, session: Session, text: str, terms: LearningOptions | None = DEFAULT_LEARNING_OPTIONS
    ) -> Message:
        if self.busy:
            raise StoreBusy("Held by another program.")
        return super().begin_turn(session, text, terms)

    def end_turn(
        self,
        asked: Message,
        text: str,
        status: MessageStatus,
        model: str,
        recalled: Sequence[str],
        *,
        spent: Spent | None = None,
    ) -> Message | None:
        self.ended.append(status)
        return super().end_turn(asked, text, status, model, recalled, spent=spent)


def test_every_turn_ends_exactly_once(home: Home) -> None:
    """However it goes, and also where it is closed a second time."""
    transcript = CountingTranscript(home)
    model = ScriptedModel("Yes.", "Half|FAILS|cut", UNREACHABLE, "This is long.")
    conversation = Conversation(home.session(), model, transcript, home.recall, ConversationOptions(), home.clock)
    with conversation.turn("one") as turn:
        list(turn)
    turn.record(MessageStatus.FAILED)
    for text in ("two", "three"):
        with pytest.raises(ModelUnreachable), conversation.turn(text) as turn:
            list(turn)
    with conversation.turn("four") as turn:
        next(iter(turn))
    assert transcript.ended == [
        MessageStatus.COMPLETE,
        MessageStatus.PARTIAL,
        MessageStatus.FAILED,
        MessageStatus.PARTIAL,
    ]


def test_what_cannot_be_recorded_is_not_sent(home: Home) -> None:
    """No message reaches a model that is not on disk."""
    transcript = CountingTranscript(home)
    transcript.busy = True
    model = ScriptedModel("Yes.")
    conversation = Conversation(home.session(), model, transcript, home.recall, ConversationOptions(), home.clock)
    with pytest.raises(StoreBusy):
        conversation.turn("Hi")
    assert (model.asked, transcript.ended) == ([], [])


# What is kept out.


def test_a_private_conversation_is_recorded_and_teaches_nothing(home: Home) -> None:
    """From its beginning, or from the moment it is made private; memories are recalled all the same."""
    home.keep("User drinks green tea every morning.")
    model = ScriptedModel("a", "b", "c")
    conversation = home.conversation(model, home.session(private=True))
    say(conversation, "Which tea do I drink in the morning?")
    assert len(recorded(home, conversation.session)) == 2
    assert parse(model.asked[0].messages[0].content) != []
    later = home.conversation(model)
    say(later, "I live in Berlin")
    later.set_private(True)
    say(later, "I live in Lyon")
    assert len(home.store.work.pending()) == 1


def test_what_was_said_in_private_is_no_part_of_what_is_read_later(home: Home) -> None:
    """The extraction model sees the exchanges around it as context, and nothing of it; the model that answers does."""
    model = ScriptedModel(*"abc")
    conversation = home.conversation(model)
    say(conversation, "I have a cat")
    conversation.set_private(True)
    say(conversation, "I live in Berlin")
    conversation.set_private(False)
    say(conversation, "It is called Tom")
    assert "I live in Berlin" in str(model.asked[2])
    reader = ScriptedModel(facts(), facts())
    context = home.context(reader)
    while (work := context.store.work.claim("al")) is not None:
        assert learn(context, work).error is None
    context.store.close()
    assert len(reader.asked) == 2
    assert "I have a cat" in str(reader.asked[1])
    assert "Berlin" not in str(reader.asked)


def test_without_memory_nothing_is_recalled_or_learned(home: Home) -> None:
    """And the prompt does not speak of memories."""
    home.keep("User drinks green tea every morning.")
    home.keep_drafts([Draft("User wants short answers.", AL, standing=True)])
    model = ScriptedModel("Yes.")
    conversation = home.conversation(model, remembers=False)
    with conversation.turn("Which tea do I drink in the morning?") as turn:
        list(turn)
    system = model.asked[0].messages[0].content
    assert not conversation.remembers
    assert (turn.hits, turn.wishes, home.store.work.pending()) == ((), (), [])
    assert "tea" not in system
    assert "short answers" not in system
    assert len(recorded(home, conversation.session)) == 2


def test_secrets_reach_neither_disk_nor_model(home: Home) -> None:
    """Masked in the message, in the reply, and with that in what is learned."""
    model = ScriptedModel(f"Your key is {KEY}.")
    conversation = home.conversation(model)
    say(conversation, f"My key is {KEY}, keep it safe")
    assert KEY not in str(model.asked)
    assert not any(KEY in str(row) for row in home.elsewhere("SELECT * FROM messages"))
    assert not any(KEY in str(row) for row in home.elsewhere("SELECT * FROM sessions"))
    home.store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in home.path.parent.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes()


def test_redaction_can_be_switched_off(home: Home) -> None:
    """Then the text is kept and sent as it is."""
    model = ScriptedModel("ok")
    conversation = home.conversation(model, style=ConversationOptions(redacts=False))
    say(conversation, f"My key is {KEY}")
    assert KEY in model.asked[0].messages[-1].content
    assert KEY in recorded(home, conversation.session)[0][1]


def test_text_that_no_file_can_hold_is_mended_first(home: Home) -> None:
    """Lone surrogates, typed or replied, do not lose the turn."""
    model = ScriptedModel("abc\ud83d")
    conversation = home.conversation(model)
    say(conversation, "Hi \udcff there")
    assert [text for _, text, _ in recorded(home, conversation.session)] == ["Hi \ufffd there", "abc\ufffd"]
    assert model.asked[0].messages[-1].content == "Hi \ufffd there"


def test_style_reaches_request_and_work(home: Home) -> None:
    """System prompt and temperature go to the model, instructions and metadata to the learner."""
    model = ScriptedModel("Arr.")
    style = ConversationOptions("You are a pirate.", LearningOptions("Only ships.", {"ship": "Pearl"}), temperature=0.5)
    say(home.conversation(model, style=style), "Ahoy")
    assert model.asked[0].messages[0].content.startswith("You are a pirate.")
    assert model.asked[0].temperature == 0.5
    (work,) = home.store.work.pending()
    assert (work.terms.instructions, work.terms.metadata) == ("Only ships.", {"ship": "Pearl"})


def test_the_agent_and_the_models_own_words_teach_nothing_about_the_person(home: Home) -> None:
    """A memory that comes back in the reply is not learned again."""
    home.keep("User drinks green tea every morning.")
    say(home.conversation(ScriptedModel("You drink green tea every morning.")), "Which tea do I drink in the morning?")
    echo = {"text": "User loves green tea.", "quote": "You drink green tea every morning"}
    context = home.context(ScriptedModel(facts(echo), facts()))
    work = context.store.work.claim("al")
    assert work is not None
    assert learn(context, work).applied == ()
    context.store.close()
    assert home.texts() == ["User drinks green tea every morning."]


# What it takes.


def spent(home: Home) -> tuple[int, int, int, int]:
    """Calls, those estimated, and the tokens of prompts and of answers."""
    total = home.store.usage.totals("al")[Purpose.CHAT]
    return total.calls, total.estimated, total.prompt_tokens, total.completion_tokens


def test_a_turn_notes_its_tokens_as_the_provider_reports_them(home: Home) -> None:
    """In a private conversation, too: they name nothing of it."""
    say(home.conversation(ScriptedModel("Hello!")), "Hi")
    say(home.conversation(ScriptedModel("Hello!"), home.session(private=True)), "Hi")
    assert spent(home) == (2, 0, 20, 10)


def test_a_reply_that_was_cut_off_is_estimated(home: Home) -> None:
    """By the length of what was sent and of what arrived; what never began took nothing."""
    conversation = home.conversation(ScriptedModel(UNREACHABLE, "Half of it|FAILS|cut"))
    for _ in range(2):
        with pytest.raises(ModelUnreachable), conversation.turn("Go on") as turn:
            list(turn)
    sent = sum(len(message.content.encode()) for message in turn.request.messages)
    assert spent(home) == (1, 1, sent // 4, 3)


def test_memory_saves_the_earlier_conversations_in_every_turn(home: Home) -> None:
    """Less what it takes itself; with memory off nothing is saved by it."""
    say(home.conversation(ScriptedModel("I see. " * 400)), "My dog is called Bodo. " * 100)
    home.keep("User's dog is called Bodo.")
    first = home.store.usage.totals("al")[Purpose.CHAT].saved_tokens
    assert first == 0
    with home.conversation(ScriptedModel("Bodo.")).turn("What is my dog called?") as turn:
        list(turn)
    system = turn.request.messages[0].content
    earlier = len(b"I see. " * 400) + len(b"My dog is called Bodo. " * 100)
    taken = len(system.encode()) - len(system.split("What you remember", 1)[0].rstrip().encode())
    assert home.store.usage.totals("al")[Purpose.CHAT].saved_tokens == earlier // 4 - taken // 4
    say(home.conversation(ScriptedModel("I don't know."), remembers=False), "What is my dog called?")
    assert home.store.usage.totals("al")[Purpose.CHAT].saved_tokens == earlier // 4 - taken // 4
