"""Long lists at a terminal go through the person's pager."""

import json
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Shell

MARKED = "sh -c 'echo PAGED && cat'"


@pytest.fixture
def many(shell: Shell, tmp_path: Path) -> Shell:
    """Sixty memories, and a conversation of sixty messages."""
    source = tmp_path / "facts.jsonl"
    source.write_text("\n".join(json.dumps({"text": f"Owns book {number:02}."}) for number in range(60)))
    assert shell.run("memories", "import", str(source), "--no-learn").code == 0
    said = "".join(f"Hello number {number}.\n" for number in range(30))
    assert shell.run("chat", "--session", "long", "--private", stdin=said).code == 0
    return shell


def test_a_long_list_is_paged_and_a_short_one_is_not(many: Shell) -> None:
    """Memories and the messages of a conversation; colours and numbers are those of a terminal."""
    for command in (("memories", "list"), ("sessions", "show", "long"), ("sessions", "search", "Hello")):
        shown = many.at_terminal(*command, env={"PAGER": MARKED})
        assert shown.out.startswith("PAGED\n"), command
        assert "\x1b[2m" in shown.out
        assert shown.code == 0
    assert "@60" in many.at_terminal("memories", "list", env={"PAGER": MARKED}).out
    for short in (("memories", "list", "--limit", "5"), ("sessions", "list")):
        assert "PAGED" not in many.at_terminal(*short, env={"PAGER": MARKED}).out


def test_no_pager_where_it_is_not_wanted(many: Shell) -> None:
    """Switched off by option or as `cat`; never for JSON, in a pipe, or at a terminal that takes no escapes."""
    every = ["Owns book 00.", "Owns book 59."]
    for options, env in (
        (("--no-pager",), {"PAGER": MARKED}),
        ((), {"PAGER": "cat"}),
        ((), {"PAGER": ""}),
        ((), {"PAGER": "no-such-pager-here"}),
        (("--json",), {"PAGER": MARKED}),
        ((), {"PAGER": MARKED, "TERM": "dumb"}),
    ):
        shown = many.at_terminal("memories", "list", *options, env=env).out
        assert "PAGED" not in shown, (options, env)
        assert all(text in shown for text in every), (options, env)
    assert "PAGED" not in many.program("memories", "list", env={"PAGER": MARKED}).out


def test_the_pager_may_be_left_early(many: Shell) -> None:
    """What it does not read is not missed."""
    shown = many.at_terminal("memories", "list", env={"PAGER": "true", "NO_COLOR": "1"})
    assert (shown.out, shown.code) == ("", 0)


def test_without_colours_the_pager_gets_none(many: Shell) -> None:
    """NO_COLOR holds for paged lists, too."""
    assert "\x1b" not in many.at_terminal("memories", "list", env={"PAGER": MARKED, "NO_COLOR": "1"}).out


def test_less_shows_a_screenful_and_stays_on_ctrl_c(many: Shell) -> None:
    """As git has it: keys move, Ctrl-C ends nothing, q leaves."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "memories", "list"],
        env={**many.environ, "TERM": "xterm-256color", "PAGER": "less"},
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=60,
    )
    child.expect_exact("@22")
    child.expect_exact("\r\n:")
    assert "@23" not in child.before
    child.sendintr()
    child.send("G")
    child.expect_exact("@60")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
