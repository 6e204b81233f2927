"""Conversations from elsewhere on the command line: learned, estimated, interrupted, taken up again."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memchat.core.types import LearningOptions
from memchat.storage.database import Database
from tests.cli.conftest import Shell
from tests.importers.samples import DIALOGUES, as_json, chatgpt


def messages_in(home: Path) -> list[tuple[str, str]]:
    """What was said, with its date, oldest first."""
    with Database(home / "memchat.db") as database:
        return [
            (row["text"], row["created_at"][:10]) for row in database.rows("SELECT * FROM messages ORDER BY number")
        ]


@pytest.mark.parametrize("command", ["memories", "sessions"])
def test_a_conversation_keeps_its_dates_and_is_learned_from(shell: Shell, command: str) -> None:
    """Under either command; a second time nothing is new."""
    file = shell.home.parent / "conversations.json"
    file.write_bytes(DIALOGUES["ChatGPT"])
    done = shell.run(command, "import", str(file))
    assert (done.code, done.lines) == (0, ["Imported 2 messages in 1 conversation.", "1 memory learned or changed."])
    assert messages_in(shell.home) == [("I live in Berlin.", "2023-11-14"), ("Noted.", "2023-11-14")]
    assert "Berlin" in shell.run("memories", "list").out
    assert "Homes 1" in shell.run("sessions", "list").out
    again = shell.run(command, "import", str(file))
    assert again.lines == ["Imported 0 messages in 0 conversations."]


def test_a_dialogue_without_dates_is_known_again(shell: Shell) -> None:
    """Whenever it comes the second time."""
    first, again = (shell.run("sessions", "import", "-", stdin=DIALOGUES["chat messages"]) for _ in range(2))
    assert first.lines[0].startswith("Imported 2 messages")
    assert again.lines[0].startswith("Imported 0 messages")


def test_a_dry_run_says_what_learning_takes_and_imports_nothing(shell: Shell) -> None:
    """Calls, tokens and cost."""
    data = shell.run("sessions", "import", "-", "--dry-run", "--json", stdin=DIALOGUES["Claude"]).json
    assert (data["formats"], data["conversations"], data["messages"], data["calls"]) == (["Claude"], 1, 2, 1)
    assert data["prompt_tokens"] > 0
    assert data["cost_usd"] == 0.0
    assert (
        "Learning takes 1 call of offline"
        in shell.run("sessions", "import", "-", "--dry-run", stdin=DIALOGUES["Claude"]).out
    )
    assert shell.run("sessions", "list").out == ""


def test_conversations_can_be_kept_without_learning_from_them(shell: Shell) -> None:
    """Or learned from later, by the next conversation."""
    assert shell.run("sessions", "import", "-", "--no-learn", stdin=DIALOGUES["Claude"]).code == 0
    assert shell.run("status", "--json").json["pending"] == []
    assert shell.run("sessions", "import", "-", "--no-wait", stdin=DIALOGUES["ChatGPT"]).code == 0
    assert len(shell.run("status", "--json").json["pending"]) == 1
    assert shell.run("memories", "list").out == ""


def test_an_own_export_comes_back_with_its_ids_and_is_not_learned_from_again(shell: Shell) -> None:
    """Its memories have an export of their own."""
    assert shell.run("ask", "I live in Berlin.").code == 0
    lines = shell.run("sessions", "export").out
    there = {"MEMCHAT_HOME": str(shell.home.parent / "elsewhere")}
    assert shell.run("sessions", "import", "-", stdin=lines, env=there).code == 0
    before, after = json.loads(lines), json.loads(shell.run("sessions", "export", env=there).out)
    for one in (*before["messages"], *after["messages"]):
        one.pop("model"), one.pop("recalled")
    assert before == after
    assert shell.run("memories", "list", env=there).out == ""


def test_an_import_that_is_killed_goes_on_where_it_was(shell: Shell) -> None:
    """Each message is there once, in its conversation, with its date."""
    count = 150
    file = shell.home.parent / "conversations.json"
    file.write_bytes(as_json([chatgpt(number, 1_700_000_000.0 + 86_400 * number) for number in range(count)]))
    command = [sys.executable, "-m", "memchat", "sessions", "import", str(file), "--no-wait"]
    for wanted in (2, 60):
        killed = subprocess.Popen(command, env={**shell.environ}, cwd=shell.home.parent)
        until = time.monotonic() + 60
        while time.monotonic() < until and killed.poll() is None:
            if (shell.home / "memchat.db").exists() and stored(shell.home) >= wanted:
                killed.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        killed.wait()
    assert subprocess.run(command, env={**shell.environ}, cwd=shell.home.parent, check=False).returncode == 0
    said = messages_in(shell.home)
    assert len(said) == 2 * count
    assert len({day for _, day in said}) == count
    assert len(shell.run("status", "--json").json["pending"]) == count


def stored(home: Path) -> int:
    """How many messages there are, none while there is no table yet."""
    try:
        with Database(home / "memchat.db") as database:
            return int(database.value("SELECT count(*) FROM messages"))
    except Exception:
        return 0


def test_the_terms_of_learning_are_those_of_the_settings(shell: Shell) -> None:
    """The instructions for what is worth keeping hold for imports, too."""
    env = {"MEMCHAT_INSTRUCTIONS": "Only remember health"}
    assert shell.run("sessions", "import", "-", "--no-wait", stdin=DIALOGUES["Claude"], env=env).code == 0
    with Database(shell.home / "memchat.db") as database:
        kept = [row["instructions"] for row in database.rows("SELECT instructions FROM work")]
    assert kept == [LearningOptions("Only remember health").instructions]
