"""The chat on a real pseudo-terminal, 80 columns by 24 lines."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from memchat.chat.sessions import ChatOptions
from memchat.core.types import MessageStatus, Role
from tests.repl.harness import SLOW_WORDS, ScriptedApp, settings
from tests.repl.person import PATIENCE_S, Person, said
from tests.storage.memory_factories import memories_of

MOVES_BACK = re.compile(rb"\x1b\[[0-9;]*[ABFHJKLMPSTfsu]|\x1b\[\?1049|\x1b[78DM]")
"""Cursor up or to a place, erasing, scrolling, the alternate screen."""


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    person = Person(tmp_path)
    try:
        person.prompt()
        yield person
    finally:
        person.child.close(force=True)


def test_the_first_line_says_who_what_and_how_much(person: Person) -> None:
    """And how to get help."""
    first = person.look().splitlines()[0]
    assert first == "al · scripted/model · 0 memories · /help for help"


def test_a_reply_is_streamed_and_never_touched_again(person: Person) -> None:
    """Its bytes move the cursor up, erase and scroll not once."""
    person.type("slow please\r")
    person.see("(word ){10}")
    start = person.bytes.index(b"word")
    person.prompt()
    reply = person.bytes[start : person.bytes.rindex(b"word") + 4]
    assert reply.count(b"word") > SLOW_WORDS / 2
    assert not MOVES_BACK.search(reply)


def test_ctrl_c_stops_the_reply_and_nothing_else(person: Person, tmp_path: Path) -> None:
    """What came is kept and marked; the next message is answered."""
    person.type("slow please\r")
    person.see("word word word")
    person.type("\x03")
    person.see("Stopped. The partial reply is kept")
    person.prompt()
    person.type("still there?\r")
    person.see("You said 'still there\\?'")
    person.prompt()
    person.type("\x04")
    assert person.leave() == 0
    (_, _, _), (_, text, status), *rest = said(tmp_path)
    assert status is MessageStatus.PARTIAL
    assert 0 < text.count("word") < SLOW_WORDS
    assert len(rest) == 2


def test_a_paste_of_several_lines_is_one_message(person: Person, tmp_path: Path) -> None:
    """It waits for Enter, also when it ends with a line break."""
    person.type("\x1b[200~one\r\ntwo\nthree\n\x1b[201~")
    person.see("^❯ one\n  two\n  three$")
    assert "You said" not in person.look()
    person.type("\r")
    person.see("You said")
    person.prompt()
    person.type("\x04")
    assert person.leave() == 0
    assert said(tmp_path)[0][1] == "one\ntwo\nthree"


@pytest.mark.parametrize("key", ["\x1b\r", "\n"])
def test_a_new_line_can_be_typed(person: Person, key: str) -> None:
    """Alt-Enter and Ctrl-J break the line, Enter sends both lines."""
    person.type("one")
    person.type(key)
    person.type("two")
    person.see("^❯ one\n  two$")


def test_the_terminal_is_asked_nothing(person: Person) -> None:
    """A cursor report that never comes would end in a warning over the prompt; also where something is asked."""
    person.type("# My cat is called Tom\r")
    person.see("Remembered: My cat")
    person.type("/forget tom\r")
    person.see("Permanently forget")
    person.type("n")
    person.see("Nothing was forgotten")
    assert b"\x1b[6n" not in person.bytes


def test_ctrl_d_leaves(person: Person) -> None:
    """With exit code 0, and the terminal takes pastes and shows its cursor as before."""
    person.type("\x04")
    assert person.leave() == 0
    assert person.bytes.rindex(b"\x1b[?2004l") > person.bytes.rindex(b"\x1b[?2004h")
    assert person.bytes.rindex(b"\x1b[?25h") > person.bytes.rindex(b"\x1b[?25l")


def test_ctrl_c_clears_the_line_and_leaves_when_it_is_empty_twice(person: Person) -> None:
    """Once is not enough, and says so."""
    person.type("half a thou")
    person.see("half a thou")
    person.type("\x03")
    person.prompt()
    person.type("\x03")
    person.see("Press Ctrl-C again")
    person.type("\x03")
    assert person.leave() == 0


def test_typing_takes_the_first_ctrl_c_back(person: Person) -> None:
    """Twice means twice in a row."""
    person.type("\x03")
    person.see("Press Ctrl-C again")
    person.type("x\x7f")
    person.type("\x03hello\r")
    person.see("You said 'hello'")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_prompt_in_good_order(person: Person, number: int, code: int) -> None:
    """The exit code names it, no traceback is left behind, the terminal is as it was."""
    os.kill(person.child.pid, number)
    assert person.leave() == code
    assert b"Traceback" not in person.bytes
    assert person.bytes.rindex(b"\x1b[?2004l") > person.bytes.rindex(b"\x1b[?2004h")


def test_a_signal_during_a_reply_keeps_what_came_of_it(person: Person, tmp_path: Path) -> None:
    """The transcript has the part that was on the screen."""
    person.type("slow please\r")
    person.see("word word word")
    os.kill(person.child.pid, signal.SIGTERM)
    assert person.leave() == 143
    assert b"Traceback" not in person.bytes
    assert said(tmp_path)[1][2] is MessageStatus.PARTIAL


def test_a_failing_model_is_one_line_and_a_hint(person: Person) -> None:
    """And the chat goes on."""
    person.type("fail\r")
    person.see(
        "^Nothing answers there.\nIs it running\\?\nYour message is kept: /retry asks again, /undo takes it back.$"
    )
    person.prompt()
    person.type("hello\r")
    person.see("You said 'hello'")
    assert "Traceback" not in person.look()


def test_what_was_learned_is_said_above_the_prompt(person: Person) -> None:
    """While something else is being typed, which stays as it is."""
    person.type("I like tea\r")
    person.see("You said")
    person.type("half a thou")
    shown = person.see("Remembered: Likes tea")
    assert re.search(r"^❯ half a thou\Z", person.see(r"^❯ half a thou\Z"), re.MULTILINE)
    assert shown.count("Remembered") == 1


def test_leaving_waits_until_everything_is_learned(person: Person, tmp_path: Path) -> None:
    """It says so, and what was said is remembered afterwards."""
    person.type("I like tea\r\x04")
    person.see("Saving what I learned")
    assert person.leave() == 0
    with ScriptedApp(settings(tmp_path)) as app:
        assert [memory.text for memory in memories_of(app.store, "al")] == ["Likes tea."]


def test_leaving_can_be_cut_short_and_loses_nothing(person: Person, tmp_path: Path) -> None:
    """The work is still there, and the next chat takes it up."""
    person.type("I like tea\r\x04")
    person.see("Saving what I learned")
    person.type("\x03")
    assert person.leave() == 0
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al")) as chat:
        assert chat.learning_worker.wait_until_idle(PATIENCE_S)
        assert [memory.text for memory in memories_of(app.store, "al")] == ["Likes tea."]


@pytest.mark.parametrize("user", ["al", "bo"])
def test_leaving_does_not_wait_for_a_turn_under_way_elsewhere(person: Person, tmp_path: Path, user: str) -> None:
    """Somebody else's, or the person's own in another window: here this process, which lives on."""
    with ScriptedApp(settings(tmp_path)) as app:
        conversations = app.store.conversations
        conversations.begin_turn(conversations.new_session(user, None), "I like tea")
        person.type("hello\r")
        person.see("You said")
        person.prompt()
        person.type("\x04")
        assert person.leave() == 0


def test_keys_typed_during_a_reply_wait_for_the_prompt(person: Person) -> None:
    """They do not appear in the middle of the text, and Enter sends them."""
    person.type("hello there\r")
    person.type("and this\r")
    shown = person.see("You said 'and this'")
    assert "You said 'hello there', and that is all." in shown


def test_former_messages_come_back_with_the_arrow(tmp_path: Path) -> None:
    """From the transcript, also in another process."""
    first = Person(tmp_path)
    first.prompt()
    first.type("something memorable\r")
    first.see("You said")
    first.prompt()
    first.type("\x04")
    assert first.leave() == 0
    second = Person(tmp_path)
    second.prompt()
    second.type("\x1b[A")
    second.see("^❯ something memorable$")
    second.type("\x03\x04")
    assert second.leave() == 0


def test_a_slip_in_a_command_names_the_right_one(person: Person) -> None:
    """A command's failure is a line, too."""
    person.type("/sattus\r")
    person.see("Did you mean /status\\?")


def test_forgetting_by_words_asks_first(person: Person) -> None:
    """No is no, yes forgets."""
    person.type("# My cat is called Tom\r")
    person.see("Remembered: My cat")
    person.type("/forget tom\r")
    person.see("Permanently forget")
    person.type("n")
    person.see("Nothing was forgotten")
    person.type("/forget tom\r")
    person.see(r"Permanently forget[^\n]*\Z")
    person.type("y")
    person.see("Forgotten: My cat")


def test_a_reply_goes_on_at_the_new_width_after_a_resize(person: Person) -> None:
    """Lines printed from then on are as wide as the screen is."""
    person.type("slow please\r")
    person.see("word word word")
    person.child.setwinsize(24, 40)
    person.screen.resize(24, 40)
    person.see(r"^(word ){7}word$")
    person.prompt()


def test_one_line_says_what_was_used_and_what_was_learned(tmp_path: Path) -> None:
    """Where learning by rules ends before the next prompt; nothing that is printed moves for it."""
    person = Person(tmp_path, MEMCHAT_EXTRACTION_MODEL="offline", TEST_LEARNED_WITHIN_S="30")
    person.prompt()
    person.type("# My favourite tea is Assam\r")
    person.see("Remembered: My favourite")
    person.type("I like tea, which tea is my favourite?\r")
    person.see("^used 1 memory · learned 1: Likes tea\\.$")
    assert person.prompt().count("Likes tea") == 1
    person.child.close(force=True)


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
def test_a_conversation_that_is_taken_up_shows_its_last_words(tmp_path: Path, size: tuple[int, int]) -> None:
    """The last exchange, shortened to a few lines, right above the prompt."""
    with ScriptedApp(settings(tmp_path)) as app:
        session = app.store.conversations.new_session("al", None, name="trip")
        for role, text in ((Role.USER, "old news"), (Role.ASSISTANT, "old answer"), (Role.USER, "Where to? " * 60)):
            app.store.conversations.record(session, role, text)
        app.store.conversations.record(session, Role.ASSISTANT, "To 函館, by ship. " * 40)
    person = Person(tmp_path, size, TEST_SESSION="trip")
    shown = person.prompt()
    assert re.search(r"^Continuing '[^']+', 4 messages\.\n  you: Where to\?", shown.replace("\n'", "'"), re.MULTILINE)
    assert re.search(r"^  assistant: To 函館", shown.replace("函 館 ", "函館"), re.MULTILINE)
    assert shown.count("…") == 2
    assert "old answer" not in shown
    assert len(shown.splitlines()) <= size[1]
    person.child.close(force=True)


def test_the_line_below_the_prompt_says_when_nothing_waits_any_more(tmp_path: Path) -> None:
    """Without a key being pressed."""
    person = Person(tmp_path, MEMCHAT_TOOLBAR="on")
    person.see("^al · scripted/model · memory on$")
    person.type("I like tea\r")
    person.see("Remembered: Likes tea")
    person.see("memory on\\Z")
    person.child.close(force=True)
