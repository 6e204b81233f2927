"""Rows of the last list, named by @N."""

import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Shell


def terminal(shell: Shell, *arguments: str) -> str:
    """The output of a command in a terminal."""
    shown, status = pexpect.run(
        f"{sys.executable} -m memchat {' '.join(arguments)}",
        env={**shell.environ, "TERM": "xterm", "COLUMNS": "80"},
        encoding="utf-8",
        withexitstatus=True,
    )
    assert status == 0, shown
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_a_row_of_the_last_list_is_named_by_its_number(shell: Shell) -> None:
    """In the terminal each has one; it is a memory of this user, and keeps its number when others go."""
    shell.add("Likes tea.", "Likes figs.", "Likes jam.")
    shown = terminal(shell, "memories", "list")
    assert re.search(r"^@1 [0-9a-f]{8}  .*Likes jam\.", shown, re.MULTILINE)
    assert shell.run("memories", "show", "@2", "--json").json["text"] == "Likes figs."
    assert shell.run("forget", "@1", "--yes").code == 0
    assert shell.run("memories", "edit", "@3", "Likes green tea.").code == 0
    assert shell.run("forget", "@1", "--yes").code == 1
    assert shell.run("forget", "@4", "--yes").code == 2
    assert shell.run("forget", "@2", "--yes", "--user", "bob").code == 2
    assert {line.split("\t")[-1] for line in shell.run("memories", "list").lines} == {"Likes figs.", "Likes green tea."}


def test_a_conversation_of_the_last_list_is_named_by_its_number(shell: Shell) -> None:
    """Apart from the memories."""
    for name in ("one", "two"):
        shell.run("ask", f"Hello {name}.", "--session", name, "--no-memory")
    assert "@1 two" in terminal(shell, "sessions", "list")
    assert shell.run("sessions", "rename", "@2", "First").code == 0
    assert shell.run("sessions", "show", "one", "--json").json["title"] == "First"
    assert shell.run("memories", "show", "@1").code == 2


def test_the_file_behind_it_is_private_and_says_nothing(shell: Shell) -> None:
    """No id, no name: what is forgotten leaves no trace in it."""
    (id_,) = shell.add("Likes tea.")
    terminal(shell, "memories", "list")
    file = shell.home / "last_list.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert id_ not in file.read_text()
    assert "alice" not in file.read_text()
    done = shell.run("forget", "@1", "--yes")
    assert "no traces are left" in done.out


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}'])
def test_a_damaged_file_is_no_list(shell: Shell, content: str, tmp_path: Path) -> None:
    """It is as if none had been shown."""
    shell.add("Likes tea.")
    (shell.home / "last_list.json").write_text(content)
    assert shell.run("memories", "show", "@1").code == 2
