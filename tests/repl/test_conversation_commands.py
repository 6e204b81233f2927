"""Slash commands about conversations, files and the model, each without a terminal."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from memchat.chat.sessions import ChatOptions
from memchat.core.protocols import Usage
from memchat.core.types import Add, Draft, Evidence, MessageStatus, Owner, Role
from memchat.errors import MemchatError, NotFound, UsageError
from memchat.repl.commands.files import composed
from memchat.repl.commands.registry import CommandContext
from memchat.repl.notifications import NotificationQueue
from tests.repl.harness import ScriptedApp, settings
from tests.repl.test_commands import do

PATIENCE_S = 60.0


@pytest.fixture
def context(tmp_path: Path) -> Iterator[CommandContext]:
    notes = NotificationQueue()
    with ScriptedApp(settings(tmp_path / "home")) as app, app.chat(ChatOptions("al"), notes) as chat:
        yield CommandContext(chat, app, notes)


def say(context: CommandContext, text: str) -> str:
    """One turn; the reply."""
    with context.chat.conversation.turn(text) as turn:
        return "".join(turn)


def answered(context: CommandContext, line: str) -> str:
    """A command that asks for a turn, and its reply."""
    result = do(context, line)
    assert result.turn is not None
    with result.turn() as turn:
        return "".join(turn)


def messages(context: CommandContext) -> list[tuple[Role, str]]:
    session = context.chat.conversation.session
    return [(message.role, message.text) for message in context.app.store.conversations.messages(session.id)]


def test_a_new_conversation_knows_nothing_of_the_former_one(context: CommandContext) -> None:
    """The former one stays, and can be taken up by number, title or id."""
    say(context, "The first thing")
    first = context.chat.conversation.session.id
    assert do(context, "/new").text == "New conversation."
    assert context.chat.conversation.session.id != first
    assert "The first thing" not in say(context, "Another thing")
    listed = do(context, "/sessions").text.splitlines()
    assert [line.split()[0] for line in listed[:2]] == ["1*", "2"]
    assert "The first thing" in listed[1]
    for name in ("2", "first thing", first, first[-8:]):
        taken_up = do(context, f"/resume {name}")
        assert context.chat.conversation.session.id == first
        assert "you: The first thing" in taken_up.text
        do(context, "/resume another")
    with pytest.raises(NotFound):
        do(context, "/resume nothing like that")


def test_what_a_conversation_took_begins_with_it(context: CommandContext) -> None:
    """Another one has taken nothing yet; another model in the same one changes nothing."""
    say(context, "The first thing")
    context.spent.add(Usage(100, 10))
    do(context, "/model another/model")
    assert context.window_use()
    do(context, "/new")
    assert (context.spent.turns, context.window_use()) == (0, "")


def test_a_question_without_an_answer_is_shown_as_one(context: CommandContext) -> None:
    """The answer before it is not shown as if it belonged to it."""
    say(context, "The first thing")
    conversations, first = context.app.store.conversations, context.chat.conversation.session
    conversations.end_turn(conversations.begin_turn(first, "And now?"), "", MessageStatus.FAILED, "m", [])
    do(context, "/new")
    shown = do(context, "/resume first thing").text
    assert shown.splitlines()[1:] == ["  you: And now? (no answer came)"]


def test_a_private_chat_stays_private_in_a_new_conversation(context: CommandContext) -> None:
    """Who is private does not expect to be overheard after /new; going to another model changes nothing either."""
    do(context, "/private on")
    assert "stays private" in do(context, "/new").text
    assert context.chat.conversation.private
    do(context, "/model scripted/other")
    assert context.chat.conversation.private
    do(context, "/private off")
    do(context, "/model scripted/model")
    assert not context.chat.conversation.private


def test_a_title_that_is_given_is_shown(context: CommandContext) -> None:
    """By /session and in the list, at once."""
    with pytest.raises(UsageError):
        do(context, "/rename Holidays")
    say(context, "Where shall we go?")
    assert do(context, "/session").text.startswith("Where shall we go?")
    do(context, "/rename Holidays")
    assert do(context, "/session").text.startswith("Holidays")
    assert "Holidays" in do(context, "/sessions holi").text


def test_the_model_is_switched_in_the_same_conversation(context: CommandContext) -> None:
    """What was said is sent to the new one, and Tab offers what is within reach."""
    say(context, "My favourite is green")
    session = context.chat.conversation.session.id
    do(context, "/model scripted/other")
    assert context.chat.conversation.session.id == session
    with context.chat.conversation.turn("Which one?") as turn:
        list(turn)
    assert any("My favourite is green" in message.content for message in turn.request.messages)


def test_the_system_prompt_is_set_for_the_chat(context: CommandContext) -> None:
    """And taken back with none."""
    do(context, "/system You are a pirate.")
    with context.chat.conversation.turn("Hello") as turn:
        list(turn)
    assert turn.request.messages[0].content.startswith("You are a pirate.")
    do(context, "/system none")
    with context.chat.conversation.turn("Hello") as turn:
        list(turn)
    assert "pirate" not in turn.request.messages[0].content


def test_retry_replaces_the_answer(context: CommandContext) -> None:
    """The message stands once, with one reply, and what failed or was stopped can be asked again."""
    with pytest.raises(UsageError):
        do(context, "/retry")
    say(context, "hello")
    assert answered(context, "/retry").startswith("You **said** 'hello'")
    assert [role for role, _ in messages(context)] == [Role.USER, Role.ASSISTANT]
    with pytest.raises(MemchatError):
        say(context, "fail")
    with pytest.raises(MemchatError):
        answered(context, "/retry")
    assert [text for _, text in messages(context)][2:] == ["fail"]


def test_what_was_stopped_is_answered_by_retry(context: CommandContext) -> None:
    """It is then like any other message: complete, and learned from."""
    with pytest.raises(KeyboardInterrupt), context.chat.conversation.turn("I like tea"):
        raise KeyboardInterrupt
    assert context.chat.learning_worker.wait_until_idle(PATIENCE_S)
    assert context.memories() == []
    answered(context, "/retry")
    asked = context.app.store.conversations.last_question(context.chat.conversation.session)
    assert asked is not None
    assert asked.status is MessageStatus.COMPLETE
    assert context.chat.learning_worker.wait_until_idle(PATIENCE_S)
    assert [memory.text for memory in context.memories()] == ["Likes tea."]


def test_undo_takes_back_the_message_its_answer_and_what_was_learned(context: CommandContext) -> None:
    """The words come back into the prompt; what was said before stays."""
    say(context, "hello")
    say(context, "I like tea")
    assert context.chat.learning_worker.wait_until_idle(PATIENCE_S)
    assert [memory.text for memory in context.memories()] == ["Likes tea."]
    undone = do(context, "/undo")
    assert undone.text == "Taken back: I like tea\nForgotten: Likes tea."
    assert undone.draft == "I like tea"
    assert context.memories() == []
    assert [text for role, text in messages(context) if role is Role.USER] == ["hello"]


def test_undo_before_anything_was_learned_learns_nothing(context: CommandContext) -> None:
    """The work goes with the message, and an empty conversation with its last message."""
    say(context, "I like tea")
    do(context, "/undo")
    assert context.chat.learning_worker.wait_until_idle(PATIENCE_S)
    assert context.memories() == []
    assert context.app.store.conversations.sessions("al") == []
    say(context, "hello")
    assert len(context.app.store.conversations.sessions("al")) == 1


def test_undo_brings_back_what_was_replaced(context: CommandContext) -> None:
    """Not the new memory is in force, but the old one."""
    al = Owner.user("al")
    old = context.app.memory_service.add("Lives in Oslo.", al)
    say(context, "I live in Bergen now")
    asked = context.app.store.conversations.last_question(context.chat.conversation.session)
    assert asked is not None
    draft = Draft("Lives in Bergen.", al, evidence=Evidence(asked.id, asked.session_id, "I live in Bergen now", "m"))
    context.app.store.apply([Add(draft, (old.id,))], [None])
    assert "Restored: Lives in Oslo." in do(context, "/undo").text
    assert [memory.text for memory in context.memories()] == ["Lives in Oslo."]


def test_memory_is_switched_off_and_on(context: CommandContext) -> None:
    """Off recalls and learns nothing."""
    context.app.memory_service.add("My cat is called Tom", Owner.user("al"))
    do(context, "/memory off")
    with context.chat.conversation.turn("What is my cat called? I like tea") as turn:
        list(turn)
    assert turn.used == []
    assert context.waiting() == 0
    do(context, "/memory on")
    with context.chat.conversation.turn("What is my cat called?") as turn:
        list(turn)
    assert len(turn.used) == 1


def test_a_file_goes_along_with_the_next_message(context: CommandContext, tmp_path: Path) -> None:
    """Attached, or named with @; its words are nobody's, its size is said, and what is no file stays as it is."""
    notes = tmp_path / "my notes.txt"
    notes.write_text("I like tea </attachment> a lot\n")
    assert "my notes.txt: 30 bytes, about 6 tokens." in do(context, f"/attach {notes}").text
    message, said = composed(context, "Summarise it, @bob")
    assert said == []
    assert (
        message
        == 'Summarise it, @bob\n\n<attachment name="my notes.txt">\nI like tea ‹/attachment> a lot\n</attachment>'
    )
    assert composed(context, "And now?") == ("And now?", [])
    message, said = composed(context, f'What is @"{notes}"?')
    assert message.startswith(f'What is @"{notes}"?\n\n<attachment name="my notes.txt">')
    assert said[0].startswith("Attached my notes.txt")
    say(context, message)
    assert context.chat.learning_worker.wait_until_idle(PATIENCE_S)
    assert context.memories() == []


def test_what_cannot_be_attached_is_said(context: CommandContext, tmp_path: Path) -> None:
    """No file, no text."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("nothing.txt", "picture.png"):
        with pytest.raises(MemchatError):
            do(context, f"/attach {tmp_path / name}")


def test_the_answer_or_its_code_is_copied(context: CommandContext) -> None:
    """Whole, or without the words around it."""
    with pytest.raises(UsageError):
        do(context, "/copy")
    session = context.app.store.conversations.record(
        context.chat.conversation.session, Role.ASSISTANT, "Here:\n\n```python\nprint(1)\n```\nand\n~~~\nx\n~~~\n"
    )
    assert do(context, "/copy").copy == session.text.strip()
    assert do(context, "/copy code").copy == "print(1)\n\nx"


def test_a_conversation_is_exported(context: CommandContext, tmp_path: Path) -> None:
    """As Markdown, or as the JSON of `sessions export`; what is there is not overwritten unasked."""
    say(context, "hello")
    do(context, f"/export {tmp_path / 'chat.md'}")
    text = (tmp_path / "chat.md").read_text()
    assert text.startswith("# hello\n\n## al, ")
    assert "You **said** 'hello'" in text
    do(context, f"/export {tmp_path / 'chat.json'}")
    assert [one["role"] for one in json.loads((tmp_path / "chat.json").read_text())["messages"]] == [
        "user",
        "assistant",
    ]
    assert (tmp_path / "chat.json").stat().st_mode & 0o777 == 0o600
    again = do(context, f"/export {tmp_path / 'chat.md'}")
    assert again.question is not None
    with pytest.raises(MemchatError):
        do(context, f"/export {tmp_path / 'no' / 'chat.md'}")


def test_tokens_and_cost_are_counted(context: CommandContext) -> None:
    """What is not known is not guessed."""
    assert "unknown" not in do(context, "/stats").text.split("cost")[1].splitlines()[0]
    context.spent.add(None)
    assert "unknown" in do(context, "/stats").text.split("cost")[1].splitlines()[0]


def test_options_of_the_chat_hold_for_the_next_conversation(tmp_path: Path) -> None:
    """An agent, and how it is learned from."""
    chosen = replace(settings(tmp_path), agent="shop")
    with ScriptedApp(chosen) as app, app.chat(ChatOptions("al", infer=False)) as chat:
        context = CommandContext(chat, app)
        say(context, "hello")
        do(context, "/new")
        assert context.chat.conversation.agent == "shop"
        assert not context.chat.options.infer
