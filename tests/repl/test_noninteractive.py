"""A chat without a terminal."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from memchat.chat.sessions import ChatOptions
from memchat.learning.worker import LearningWorker
from memchat.repl.noninteractive import run_piped
from memchat.repl.notifications import NotificationQueue
from tests.repl.harness import ScriptedApp, settings
from tests.storage.memory_factories import memories_of


def talk(home: Path, lines: Sequence[bytes]) -> tuple[int, str, str, list[str]]:
    """Exit code, stdout, stderr, and what is remembered afterwards."""
    out, err, notes = StringIO(), StringIO(), NotificationQueue()
    with ScriptedApp(settings(home)) as app, app.chat(ChatOptions("al"), notes) as chat:
        code = run_piped(chat, app, lines, out, err, notes)
        return code, out.getvalue(), err.getvalue(), [memory.text for memory in memories_of(app.store, "al")]


def test_each_line_is_a_turn_with_a_raw_reply(tmp_path: Path) -> None:
    """Mark-up stays as it is, each reply ends with a newline, blank lines are no turns."""
    code, out, _, _ = talk(tmp_path, [b"one\n", b"\n", b"   \n", b"two"])
    assert code == 0
    assert out == "You **said** 'one', and that is all. \nYou **said** 'two', and that is all. \n"


def test_a_line_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Garbled it would be remembered; the other lines are turns all the same."""
    code, out, err, _ = talk(tmp_path, [b"caf\xe9\n", b"two\n"])
    assert code == 2
    assert err.startswith("This line is not UTF-8 text.")
    assert out.count("You **said**") == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, encoding: str) -> None:
    """PowerShell writes one first; its > writes UTF-16."""
    lines = "I like tea\nI like jam\n".encode(encoding).splitlines(keepends=True)
    _, out, _, memories = talk(tmp_path, lines)
    assert memories == ["Likes tea."]
    assert "'I like jam'" in out


def test_the_end_waits_until_everything_is_learned(tmp_path: Path) -> None:
    """What was said is remembered when the program ends, and said on stderr alone."""
    _, out, err, memories = talk(tmp_path, [b"I like tea\n"])
    assert memories == ["Likes tea."]
    assert "Remembered: Likes tea." in err
    assert "Remembered" not in out


class BusyWorker(LearningWorker):
    """Never done; `waits` has how long it was waited for, in seconds."""

    def __init__(self) -> None:
        super().__init__(lambda: pytest.fail("nothing is learned here"), lambda result: None, user="al", idle=True)
        self.waits: list[float | None] = []

    def wait_until_idle(self, timeout_s: float | None = None) -> bool:
        self.waits.append(timeout_s)
        return False


def test_the_wait_at_the_end_is_told_and_has_a_bound(tmp_path: Path) -> None:
    """A slow model must not hold a pipeline for ever; what it has not learned is kept."""
    err, worker = StringIO(), BusyWorker()
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al"), NotificationQueue()) as chat:
        assert run_piped(replace(chat, learning_worker=worker), app, [], StringIO(), err) == 0
    assert worker.waits == [5.0, 600.0]
    assert err.getvalue().splitlines() == [
        "Saving what I learned… (Ctrl-C to quit now and finish next time)",
        "Learning is not finished. It will continue the next time you start memchat.",
    ]


def test_a_turn_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is named with its hint, and the exit code tells of it."""
    code, out, err, _ = talk(tmp_path, [b"fail\n", b"two\n"])
    assert code == 4
    assert err.startswith("Nothing answers there.\nIs it running?\n")
    assert out.endswith("You **said** 'two', and that is all. \n")


def test_commands_are_carried_out_and_answered_in_their_place(tmp_path: Path) -> None:
    """What is to be remembered is, no model sees it, and /quit leaves the rest unread."""
    code, out, err, memories = talk(
        tmp_path, [b"/remember I like figs\n", b"one\n", b"/memories\n", b"/quit\n", b"two\n"]
    )
    assert (code, err) == (0, "")
    assert memories == ["I like figs"]
    first, reply, listed, counted = out.splitlines()
    assert counted.startswith("1 memory.")
    assert first == "Remembered: I like figs"
    assert reply.startswith("You **said** 'one'")
    assert listed.endswith("  I like figs")


def test_a_heading_in_a_pipe_is_a_message(tmp_path: Path) -> None:
    """Files are piped in, and those have lines like that."""
    _, out, _, memories = talk(tmp_path, [b"# I like figs\n", b"/tmp/x is full\n"])
    assert out.count("You **said**") == 2
    assert memories == []


def test_a_command_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """A slip is named with its hint, and the exit code tells of it."""
    code, out, err, _ = talk(tmp_path, [b"/sattus\n", b"two\n"])
    assert code == 2
    assert (
        err
        == "There is no command /sattus. Nothing was sent.\nDid you mean /status? To send it as a message: //sattus\n"
    )
    assert out.startswith("You **said** 'two'")


def test_a_mistyped_command_is_never_sent(tmp_path: Path) -> None:
    """Not to the model, not to the disk, and nothing is learned from it."""
    code, out, err, memories = talk(tmp_path, [b"/privat on\n", b"/remembr I like tea\n", b"//remembr I like tea\n"])
    assert (code, memories) == (2, ["Likes tea."])
    assert out.count("You **said**") == 1
    assert "'/remembr I like tea'" in out
    assert err.count("Nothing was sent.") == 2


def test_nothing_is_erased_that_would_be_asked_about(tmp_path: Path) -> None:
    """An id is enough; words only show what they would find, for there is nobody to say yes."""
    code, out, err, memories = talk(tmp_path, [b"/remember I like figs\n", b"/forget figs\n"])
    assert code == 2
    assert out.splitlines()[1].endswith("  I like figs")
    assert "no terminal" in err
    assert memories == ["I like figs"]


def test_a_conversation_that_outgrows_the_window_is_told_so_once(tmp_path: Path) -> None:
    """On stderr, and the chat goes on."""
    code, out, err, _ = talk(tmp_path, [b"word " * 2_500 + b"\n"] * 4)
    assert (code, out.count("\n")) == (0, 4)
    assert err.count("has grown too long") == 1
