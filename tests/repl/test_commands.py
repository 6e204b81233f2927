"""Slash commands, each without a terminal."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from memchat.app import ChatOptions
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Draft, Owner, Scope
from memchat.errors import AmbiguousId, UsageError
from memchat.repl.commands import COMMANDS, CommandContext, CommandResult, Invocation, dispatch, parse, sources
from memchat.repl.completer import suggestions
from tests.repl.harness import ScriptedApp, settings


@pytest.fixture
def room(tmp_path: Path) -> Iterator[CommandContext]:
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al")) as chat:
        yield CommandContext(chat, app)


def do(room: CommandContext, line: str) -> CommandResult:
    call = parse(line)
    assert call is not None
    return dispatch(room, call)


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("/help", Invocation("help", "")),
        ("  /HELP  ", Invocation("help", "")),
        ("/forget 0198", Invocation("forget", "0198")),
        ("/remember two\nlines", Invocation("remember", "two\nlines")),
        ("# I like tea", Invocation("remember", "I like tea")),
        ("/", Invocation("", "")),
        ("#tag", None),
        ("# A heading\n\nand a text", None),
        ("/etc/hosts is what?", None),
        ("/usr/bin", None),
        ("/tmp is full, what now?", None),
        ("/ hello", None),
        ("//", None),
        ("/quit smoking is hard", None),
        ("/quit\nsmoking", None),
        ("/why is the sky blue?", None),
        ("/help me write a letter", None),
        ("/private schools are expensive", None),
        ("/model trains are fun", None),
        ("/private off", Invocation("private", "off")),
        ("/forget about Paris", Invocation("forget", "about Paris")),
        ("/xyzzy", Invocation("xyzzy", "")),
        ("what is /help", None),
        ("hello", None),
    ],
)
def test_what_is_a_command(line: str, call: Invocation | None) -> None:
    """A slash and a name, or '# ' and one line; paths, pasted headings and words that no command takes are messages."""
    assert parse(line) == call


def test_help_names_every_command(room: CommandContext) -> None:
    """With its arguments and what it does."""
    text = do(room, "/help").text
    for known in COMMANDS.values():
        assert known.usage in text
        assert known.help in text


def test_a_slip_is_answered_with_the_nearest_command(room: CommandContext) -> None:
    """And with the list where nothing is near."""
    with pytest.raises(UsageError) as slip:
        do(room, "/memries")
    assert slip.value.hint == "Did you mean /memories?"
    with pytest.raises(UsageError) as nonsense:
        do(room, "/xyzzy")
    assert nonsense.value.hint == "/help lists them."


def test_what_is_told_is_kept_word_for_word(room: CommandContext) -> None:
    """By /remember and by '# ', and listed with the id that /forget takes."""
    assert do(room, "/remember I am allergic to peanuts").text == "Remembered: I am allergic to peanuts"
    do(room, "# My cat is called Tom")
    listed = do(room, "/memories").text
    assert "I am allergic to peanuts" in listed
    assert "My cat is called Tom" in listed
    first = listed.split()[0]
    assert room.app.find(first, "al").text == "My cat is called Tom"


def test_what_is_told_says_what_it_replaces_and_what_is_close(room: CommandContext) -> None:
    """What is close comes with the id that /forget takes."""
    do(room, "/remember I live in Oslo.")
    assert do(room, "/remember I live in Bergen now.").text == "Updated: I live in Bergen now. (was: I live in Oslo.)"
    do(room, "/remember The wifi is called Falcon.")
    line, close, hint = do(room, "/remember The wifi is called Hawk.").text.splitlines()
    assert line == "Remembered: The wifi is called Hawk."
    assert do(room, f"/forget {close.split()[3]}").text == "Forgotten: The wifi is called Falcon."
    assert hint == "/forget ID erases one."


def test_a_wish_that_is_told_is_for_every_answer(room: CommandContext) -> None:
    """By its words, or by the flag."""
    assert do(room, "/remember Always answer me in German.").text.endswith("(for every answer)")
    assert do(room, "/remember --standing Réponds-moi brièvement.").text.endswith("brièvement. (for every answer)")
    with room.chat.conversation.turn("What is the capital of France?") as turn:
        assert "Always answer me in German." in turn.request.messages[0].content
        assert "Réponds-moi brièvement." in turn.request.messages[0].content


def test_an_agents_memory_is_told_with_a_flag(tmp_path: Path) -> None:
    """For all who talk to it; without an agent that makes no sense."""
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", "shop")) as chat:
        told = do(CommandContext(chat, app), "/remember --agent Shipping is free over 50 euros.").text
        assert told == "Remembered: Shipping is free over 50 euros."
        assert app.memories("al") == []
        (memory,) = app.store.memories.memories(MemoryFilter((Owner.agent("shop"),)))
        assert (memory.text, memory.scope, memory.agent) == ("Shipping is free over 50 euros.", Scope.AGENT, "shop")
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al")) as chat:
        for line in ("/remember --agent Shipping is free.", "/remember --standing"):
            with pytest.raises(UsageError):
                do(CommandContext(chat, app), line)
        assert app.memories("al") == []


def test_nothing_to_remember_is_a_usage_error(room: CommandContext) -> None:
    """As is nothing to forget."""
    for line in ("/remember", "/forget", "/private maybe"):
        with pytest.raises(UsageError):
            do(room, line)


def test_no_memories_are_said_to_be_none(room: CommandContext) -> None:
    """A new person sees a sentence, not an empty screen."""
    assert do(room, "/memories").text == "Nothing is remembered yet."


def test_memories_by_words(room: CommandContext) -> None:
    """Words find what they bring to mind, not everything."""
    do(room, "# I am allergic to peanuts")
    do(room, "# My cat is called Tom")
    found = do(room, "/memories peanuts allergy").text
    assert "peanuts" in found
    assert "Tom" not in found


def test_an_id_is_forgotten_at_once(room: CommandContext) -> None:
    """It names one memory, so nothing has to be asked."""
    do(room, "# My cat is called Tom")
    (memory,) = room.memories()
    answer = do(room, f"/forget {memory.id}")
    assert answer.text == "Forgotten: My cat is called Tom"
    assert answer.question is None
    assert room.memories() == []


def test_an_id_as_it_is_listed_can_be_forgotten(room: CommandContext) -> None:
    """Also where a memory that was replaced in the same minute begins alike."""
    do(room, "# I live in Berlin")
    (berlin,) = room.memories()
    room.app.store.apply([Add(Draft("I live in Paris", berlin.owner), (berlin.id,))], [None])
    for listing in ("/memories", "/memories where I live"):
        short = do(room, listing).text.split()[0]
        assert room.app.find(short, "al").text == "I live in Paris"
    assert do(room, f"/forget {short}").text == "Forgotten: I live in Paris"


def test_words_are_forgotten_only_after_a_yes(room: CommandContext) -> None:
    """What they found is shown first; the rest stays."""
    do(room, "# My cat is called Tom")
    do(room, "# I am allergic to peanuts")
    answer = do(room, "/forget peanuts")
    assert "I am allergic to peanuts" in answer.text
    assert "Tom" not in answer.text
    assert answer.question == "Forget this memory for good?"
    assert len(room.memories()) == 2
    assert answer.confirmed is not None
    assert answer.confirmed() == "Forgotten: I am allergic to peanuts"
    assert [memory.text for memory in room.memories()] == ["My cat is called Tom"]


@pytest.mark.parametrize("words", ["berlin", "about the flat in the capital of Germany"])
def test_words_are_forgotten_wherever_they_stand(room: CommandContext, words: str) -> None:
    """However many memories hold them, in whatever conversation, and each of two that say the same; all are counted."""
    owner = Owner.user("al")
    for number in range(7):
        room.app.memory_service.add(f"My Berlin flat has {number + 3} windows to the street", owner)
    elsewhere = room.app.store.transcripts.new_session("al", None)
    draft = Draft("", owner, scope=Scope.SESSION, session_id=elsewhere.id)
    for text in ("The Berlin flat floods", "the flat floods, Berlin"):
        room.app.memory_service.add(text, owner, replace(draft, text=text))
    do(room, "# I am allergic to peanuts")
    answer = do(room, f"/forget {words}")
    assert answer.question == "Forget these 9 memories for good?"
    assert answer.text.count("Berlin") == 9
    assert answer.confirmed is not None
    answer.confirmed()
    assert [memory.text for memory in room.memories()] == ["I am allergic to peanuts"]


def test_an_agents_memory_is_not_erased_from_a_chat(tmp_path: Path) -> None:
    """It is shared: /why says so and offers nothing, and neither its id nor its words erase it."""
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", "shop")) as chat:
        room = CommandContext(chat, app)
        do(room, "/remember --agent Refunds take 14 days.")
        with chat.conversation.turn("How many days do refunds take?") as turn:
            list(turn)
        why = do(room, "/why").text
        assert "Refunds take 14 days. (of shop, shared by all its users)" in why
        assert "/forget" not in why
        with pytest.raises(UsageError, match="shared by all its users"):
            do(room, f"/forget {why.split()[1]}")
        assert do(room, "/forget refunds").question is None
        assert [hit.memory.text for hit in app.recall.search(chat.query("refunds"))] == ["Refunds take 14 days."]


def test_an_ambiguous_id_forgets_nothing(room: CommandContext) -> None:
    """It is an error that names the candidates."""
    do(room, "# My cat is called Tom")
    do(room, "# I am allergic to peanuts")
    one, other = (memory.id for memory in room.memories())
    shared = next(one[:i] for i in range(len(one), 0, -1) if other.startswith(one[:i]))
    assert len(shared) >= 4
    with pytest.raises(AmbiguousId):
        do(room, f"/forget {shared}")
    assert len(room.memories()) == 2


def test_a_word_that_looks_like_an_id_is_still_a_word(room: CommandContext) -> None:
    """'cafe' is hexadecimal, too."""
    do(room, "# My favourite cafe is Roma")
    assert "Roma" in do(room, "/forget cafe").text


def test_why_names_the_memories_of_the_last_answer(room: CommandContext) -> None:
    """With their scores, and nothing before the first answer."""
    assert do(room, "/why").text == "The last answer used no memories."
    do(room, "# I am allergic to peanuts")
    with room.chat.conversation.turn("What about my peanuts allergy?") as turn:
        list(turn)
    assert "I am allergic to peanuts" in do(room, "/why").text


def test_why_knows_the_last_answer_of_another_day(tmp_path: Path) -> None:
    """From the transcript, which knows what was used and no scores; what was forgotten since is left out."""
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", session="s")) as chat:
        for text in ("# I am allergic to peanuts", "# My peanuts are in the larder"):
            do(CommandContext(chat, app), text)
        with chat.conversation.turn("What about my peanuts allergy?") as turn:
            list(turn)
        assert len(turn.hits) == 2
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", session="s")) as chat:
        room = CommandContext(chat, app)
        why = do(room, "/why").text
        assert "I am allergic to peanuts" in why
        assert "larder" in why
        assert "0." not in why
        do(room, f"/forget {turn.hits[0].memory.id}")
        assert turn.hits[0].memory.text not in do(room, "/why").text


def test_why_names_the_wishes_that_are_always_there(room: CommandContext) -> None:
    """They were in the prompt like the others, here and when the chat is taken up."""
    al = Owner.user("al")
    room.app.memory_service.add("Answer in German", al, Draft("Answer in German", al, standing=True))
    with room.chat.conversation.turn("What is the capital of France?") as turn:
        list(turn)
    assert re.search(r"always +\S+ +Answer in German", do(room, "/why").text)
    room.chat.conversation.last_turn = None
    assert re.search(r"always +\S+ +Answer in German", do(room, "/why").text)


def test_private_is_switched_and_shown(room: CommandContext) -> None:
    """The conversation itself obeys."""
    assert do(room, "/private").text.startswith("Not private")
    assert do(room, "/private on").text.startswith("Private")
    assert room.chat.conversation.private
    do(room, "/private off")
    assert not room.chat.conversation.private


def test_status_session_and_model_say_what_they_are(room: CommandContext) -> None:
    """Short answers to what is going on here."""
    status = do(room, "/status").text
    assert "al" in status
    assert "scripted/model" in status
    assert "0 exchanges waiting" in status
    assert room.chat.conversation.session.id in do(room, "/session").text
    assert do(room, "/model").text == "scripted/model"


def test_another_model_needs_another_start(room: CommandContext) -> None:
    """The error says how to get there."""
    with pytest.raises(UsageError) as error:
        do(room, "/model openai/other")
    assert "--model openai/other" in (error.value.hint or "")


def test_quit_leaves(room: CommandContext) -> None:
    """And nothing else does."""
    assert do(room, "/quit").leave
    assert not do(room, "/help").leave


def test_completion_knows_the_commands_and_the_memories(room: CommandContext) -> None:
    """What is offered can be used as it is."""
    do(room, "# My cat is called Tom")
    known = sources(room)
    assert [offer.text for offer in suggestions("/rem", known)] == ["/remember"]
    (offer,) = suggestions("/forget tom", known)
    assert room.app.find(offer.text, "al").text == "My cat is called Tom"
