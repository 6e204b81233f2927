"""Commands that take their time show at a terminal how far they are, and nowhere else."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell


@pytest.fixture
def many(shell: Shell, tmp_path: Path) -> Shell:
    """Thirty memories and two conversations."""
    source = tmp_path / "facts.jsonl"
    source.write_text("\n".join(json.dumps({"text": f"Owns book {number:02}."}) for number in range(30)))
    assert shell.run("memories", "import", str(source), "--no-learn").code == 0
    for session in ("one", "two"):
        shell.run("ask", "Hello there.", "--private", "--session", session)
    return shell


def test_export_backup_and_forget_count_to_their_total(many: Shell, tmp_path: Path) -> None:
    """The bar reaches the end, and the result stands below."""
    exported = many.at_terminal("memories", "export").out
    assert "Exporting" in exported
    assert "30/30" in exported
    assert exported.count('"text"') == 30
    assert "2/2" in many.at_terminal("sessions", "export").out
    copied = many.at_terminal("backup", str(tmp_path / "copy.db")).out
    assert "Copying" in copied
    forgotten = many.at_terminal("forget", "--all", "--yes").out
    assert "Deleting" in forgotten
    assert "30/30" in forgotten
    assert "no traces are left" in " ".join(forgotten.split())


def test_no_bar_elsewhere(many: Shell, tmp_path: Path) -> None:
    """Neither in a pipe, nor at a terminal that takes no escapes."""
    assert many.program("memories", "export").err == ""
    assert many.program("sessions", "export").err == ""
    assert many.program("backup", str(tmp_path / "copy.db")).err == ""
    shown = many.at_terminal("forget", "--all", "--yes", env={"TERM": "dumb"}).out
    assert "Deleting" not in shown
    assert "\x1b" not in shown


def test_a_copy_made_in_steps_is_whole(many: Shell, tmp_path: Path) -> None:
    """It holds what the database held."""
    copy = tmp_path / "copied" / "memchat.db"
    copy.parent.mkdir()
    assert many.run("backup", str(copy)).code == 0
    there = many.run("memories", "list", "--json", env={"MEMCHAT_HOME": str(copy.parent)}).json
    assert there == many.run("memories", "list", "--json").json
