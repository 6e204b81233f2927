"""What a person must be able to rely on: nothing is sent, stored or learned that they did not mean."""

from pathlib import Path

import pytest

from memchat.core.types import MessageStatus, Role
from tests.repl.harness import ScriptedApp, settings
from tests.repl.person import Person, said
from tests.storage.memory_factories import memories_of


def remembered(home: Path) -> list[str]:
    with ScriptedApp(settings(home)) as app:
        return [memory.text for memory in memories_of(app.store, "al")]


def leave(person: Person) -> None:
    person.prompt()
    person.type("\x04")
    assert person.leave() == 0


def test_a_mistyped_command_is_never_sent(person: Person, tmp_path: Path) -> None:
    """The nearest one is named, in red, and nothing is on disk."""
    person.type("/privat on\r")
    person.see("There is no command /privat")
    person.see("Did you mean /private\\?")
    assert b"\x1b[31mThere is no command" in person.bytes
    leave(person)
    assert said(tmp_path) == []


def test_two_slashes_send_what_looks_like_a_command(person: Person, tmp_path: Path) -> None:
    """Without the second one."""
    person.type("//private on\r")
    person.see("You said")
    leave(person)
    assert said(tmp_path)[0][1] == "/private on"


def test_what_is_stopped_before_a_word_is_not_learned_until_the_person_goes_on(person: Person, tmp_path: Path) -> None:
    """It is kept, marked, and goes along with the next message."""
    person.type("hang on, I like tea\r")
    person.see("Ctrl-C stops")
    person.type("\x03")
    person.see("Stopped. /retry asks again")
    leave(person)
    assert said(tmp_path) == [(Role.USER, "hang on, I like tea", MessageStatus.STOPPED)]
    assert remembered(tmp_path) == []
    again = Person(tmp_path, TEST_SESSION=session_of(tmp_path))
    again.prompt()
    again.type("hello\r")
    again.see("Remembered: Likes tea")
    leave(again)
    assert remembered(tmp_path) == ["Likes tea."]


def session_of(home: Path) -> str:
    with ScriptedApp(settings(home)) as app:
        session = app.store.conversations.latest_session("al", None)
        assert session is not None
        return session.id


def test_enter_pressed_before_the_prompt_is_up_sends(tmp_path: Path) -> None:
    """What was typed while the program was starting is sent like anything else."""
    person = Person(tmp_path, early="early message\r")
    person.see("You said 'early message'")
    leave(person)
    assert said(tmp_path)[0][1] == "early message"


def test_ctrl_z_suspends(tmp_path: Path) -> None:
    """The shell goes on; what was half typed is still there when the chat is back, and is sent as usual."""
    person = Person(tmp_path, shell="{} ; echo in the shell ; fg")
    person.prompt()
    person.type("half a thou")
    person.see("half a thou")
    person.type("\x1a")
    person.see("in the shell")
    person.type("ght\r")
    person.see("You said 'half a thought'")
    leave(person)


def test_a_dumb_terminal_gets_no_escape_byte(tmp_path: Path) -> None:
    """From the first line to the last, a reply, a wait and an error included."""
    person = Person(tmp_path, TERM="dumb")
    person.see("^>$")
    for line in ("hello", "/xyzzy", "# I like figs", "/memories", "think"):
        person.type(f"{line}\r")
        person.see(r"^>\Z")
    person.see("It is 4")
    person.type("\x04")
    assert person.leave() == 0
    assert b"You said" in person.bytes
    assert b"\x1b" not in person.bytes


def test_thinking_is_no_part_of_the_reply(person: Person, tmp_path: Path) -> None:
    """Not on the screen unless it is asked for, not on disk, and never sent along."""
    person.type("think please\r")
    person.see("It is 4\\.")
    assert "make" not in person.prompt()
    person.type("/thinking\r")
    person.see("two and two make")
    leave(person)
    assert [text for _, text, _ in said(tmp_path)] == ["think please", "It is 4."]


def test_thinking_can_be_shown(tmp_path: Path) -> None:
    """Dim, as it comes, above the reply."""
    person = Person(tmp_path, MEMCHAT_THINKING="shown")
    person.prompt()
    person.type("think please\r")
    person.see("^two and two make\n\nIt is 4\\.")
    assert b"\x1b[2mtwo " in person.bytes
    leave(person)


def test_a_reply_that_was_cut_says_so(person: Person, tmp_path: Path) -> None:
    """And is kept as a part."""
    person.type("cut it\r")
    person.see("reached the model's length limit|reached the model's")
    leave(person)
    assert said(tmp_path)[1] == (Role.ASSISTANT, "It is ", MessageStatus.PARTIAL)


@pytest.mark.parametrize("word", ["exit", "quit", "/quit"])
def test_words_that_mean_leaving_leave(person: Person, tmp_path: Path, word: str) -> None:
    """With or without a slash."""
    person.type(f"{word}\r")
    assert person.leave() == 0
    assert said(tmp_path) == []
