"""A long conversation is summed up, and nothing of it is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from memchat.chat.compaction import KEPT_MESSAGES
from memchat.chat.conversation import Turn
from memchat.chat.sessions import ChatOptions
from memchat.core.protocols import Purpose
from memchat.repl.auto_compaction import Compaction
from memchat.repl.commands.registry import CommandContext
from memchat.repl.notifications import NotificationQueue
from tests.repl.harness import ScriptedApp, settings
from tests.repl.test_commands import do

PATIENCE_S = 60.0


@pytest.fixture
def context(tmp_path: Path) -> Iterator[CommandContext]:
    notes = NotificationQueue()
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al"), notes) as chat:
        yield CommandContext(chat, app, notes)


def say(context: CommandContext, text: str) -> Turn:
    with context.chat.conversation.turn(text) as turn:
        list(turn)
    return turn


def settle() -> None:
    """Wait for what is summed up behind the prompt."""
    for thread in threading.enumerate():
        if thread.name == "compaction":
            thread.join(PATIENCE_S)


def test_older_messages_are_sent_as_a_summary(context: CommandContext) -> None:
    """The newest stay as they were said, and on disk all of them do."""
    assert "too short" in do(context, "/compact").text
    for number in range(5):
        say(context, f"message {number}")
    assert do(context, "/compact").text.startswith("From now on 6 messages are sent as a summary:\nIn short:")
    sent = say(context, "And now?").request.messages
    assert "In short:" in sent[0].content
    assert "hm" not in sent[0].content.split("In short:")[0].splitlines()[-1]
    assert sent[1].content == "message 3"
    assert len(sent) == 1 + KEPT_MESSAGES + 1
    session = context.chat.conversation.session
    assert len(context.app.store.conversations.messages(session.id)) == 12
    before = context.app.store.usage.totals("al")[Purpose.CHAT]
    assert do(context, "/compact").text.startswith("From now on 8 messages")
    after = context.app.store.usage.totals("al")[Purpose.CHAT]
    assert (after.calls, after.saved_tokens) == (before.calls + 1, before.saved_tokens)


def test_a_conversation_that_fills_its_window_is_summed_up_behind_the_prompt(context: CommandContext) -> None:
    """It says so once, and again when it is done."""
    compaction = Compaction(context)
    assert compaction.after(say(context, "hello")) is None
    for _ in range(3):
        say(context, "word " * 1_000)
    said = compaction.after(say(context, "And now?"))
    assert said is not None
    assert "Summarising its older messages" in said
    settle()
    assert context.notes.take() == ["From now on 6 older messages are sent as a summary."]
    assert context.app.store.usage.totals("al")[Purpose.CHAT].calls == 6
    assert compaction.after(say(context, "hello")) is None


@pytest.mark.parametrize("line", ["/undo", "/forget cat"])
def test_what_is_forgotten_is_not_in_a_summary(context: CommandContext, line: str) -> None:
    """Neither in one that is there nor in one that is being written."""
    context.app.memory_service.add("My cat is called Tom", context.session.owner)
    for number in range(5):
        say(context, f"message {number}")
    do(context, "/compact")
    result = do(context, line)
    if result.confirmed is not None:
        result.confirmed()
    assert context.chat.conversation.summary is None
    assert "In short:" not in say(context, "And now?").request.messages[0].content


def test_another_model_goes_on_with_the_summary(context: CommandContext) -> None:
    """As it is the same conversation; another conversation has none."""
    for number in range(5):
        say(context, f"message {number}")
    do(context, "/compact")
    do(context, "/model scripted/other")
    assert "In short:" in say(context, "And now?").request.messages[0].content
    do(context, "/new")
    assert "In short:" not in say(context, "And now?").request.messages[0].content
