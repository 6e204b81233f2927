"""How results look on a terminal of some width."""

import io

import pytest

from memchat.cli.output import Block, KeyValues, Line, SideBySide, Table, fold, show
from memchat.terminal import cells


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def shown(block: Block, out: io.StringIO) -> list[str]:
    show([block], out)
    return out.getvalue().splitlines()


LONG = "Works as a ranger in the national park and walks many miles on most days of the week."


def test_a_table_wraps_its_last_column_under_itself(terminal: Terminal) -> None:
    """Nothing boxed, no trailing blanks, no line wider than the screen."""
    lines = shown(Table(("ID", "MEMORY"), [("a1", LONG), ("b22", "Likes tea.")]), terminal)
    assert lines == [
        "ID   MEMORY",
        "a1   Works as a ranger in the national park and walks many miles on most days of",
        "     the week.",
        "b22  Likes tea.",
    ]


def test_a_narrow_terminal_gets_the_last_column_below(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for words beside the rest."""
    monkeypatch.setenv("COLUMNS", "30")
    lines = shown(Table(("ID", "SINCE", "MEMORY"), [("a1b2c3d4", "2026-01-01", "Likes tea.")]), terminal)
    assert lines[1:] == ["a1b2c3d4  2026-01-01", "  Likes tea."]


def test_wide_characters_are_measured_in_cells(terminal: Terminal) -> None:
    """Japanese takes two columns a character and has no spaces to break at."""
    lines = shown(Table(("ID", "MEMORY"), [("名前", "東京に住んでいる。" * 8), ("a", "x")]), terminal)
    assert all(cells(line) <= 80 for line in lines)
    assert lines[-1] == "a     x"


def test_short_ids_on_a_terminal_only(terminal: Terminal) -> None:
    """A pipe gets them whole."""
    table = Table(("ID", "MEMORY"), [("abcdefgh-1", "x")], {"abcdefgh-1": "abcdefgh"})
    assert shown(table, terminal)[1] == "abcdefgh  x"
    assert shown(table, io.StringIO()) == ["abcdefgh-1\tx"]


def test_two_texts_stand_side_by_side_where_there_is_room(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 80 columns on; else one below the other."""
    block = SideBySide(("One", "Two"), (LONG, "Short."))
    lines = shown(block, terminal)
    assert lines[0].split() == ["One", "Two"]
    assert lines[1].endswith("Short.")
    assert all(len(line) <= 80 for line in lines)
    monkeypatch.setenv("COLUMNS", "79")
    assert shown(block, Terminal())[:2] == ["One", LONG]


def test_control_characters_never_arrive(terminal: Terminal) -> None:
    """In whatever block they stand."""
    bad = "a\x1b[31mb\x07c\u202ed"
    for block in (
        Line(bad),
        KeyValues([("x", bad)]),
        Table(("A", "B"), [(bad, bad)]),
        SideBySide(("A", "B"), (bad, bad)),
    ):
        for out in (Terminal(), io.StringIO()):
            show([block], out)
            assert not {"\x1b", "\x07", "\u202e"} & set(out.getvalue())


def test_styles_are_for_terminals_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for pipes, NO_COLOR or dumb terminals."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert shown(Line("x", "bold"), Terminal()) == ["\x1b[1mx\x1b[0m"]
    assert shown(Line("x", "bold"), io.StringIO()) == ["x"]
    monkeypatch.setenv("TERM", "dumb")
    assert shown(Line("x", "bold"), Terminal()) == ["x"]
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(Line("x", "bold"), Terminal()) == ["x"]


def test_a_long_word_stays_whole_to_be_copied() -> None:
    """Unless it stands beside something else."""
    address = "https://example.org/" + "a" * 40
    assert list(fold(f"see {address}", 20)) == ["see", address]
    assert all(len(line) <= 20 for line in fold(address, 20, whole_words=False))
