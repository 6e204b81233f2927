"""Tables of replies that stream onto the screen."""

import pytest
from rich.cells import cell_len

from tests.repl.reply_on_screen import Screen


def test_a_table_is_held_back_until_it_ends() -> None:
    """Its widths come from all its rows, so none is printed before the last is known."""
    screen = Screen()
    assert screen.feed("| a | b |\n|---|---|\n| 1 | 2 |\n| 333 | 4 |\n") == ""
    assert screen.feed("\n").splitlines() == ["a    b", "---  -", "1    2", "333  4"]


@pytest.mark.parametrize("after", ["# Next\n", "```\ncode\n```\n", "- item\n", "text\n"])
def test_another_block_ends_a_table(after: str) -> None:
    """No blank line is needed behind a table; one is printed."""
    shown = Screen().feed("| a | b |\n|---|---|\n| 1 | 2 |\n", after, "\n")
    assert shown.startswith("a  b\n-  -\n1  2\n\n")


@pytest.mark.parametrize("width", [40, 80])
def test_every_row_takes_part_in_the_widths_of_a_table(width: int) -> None:
    """A long word that comes late is not broken, also where another cell has to wrap."""
    late = "| Świnoujście | a port on the Baltic that one reaches by a ferry or by a tunnel under the river |"
    shown = Screen(width=width).finish(f"| Town | What |\n|---|---|\n| Visby | walls |\n{late}\n")
    assert "\nŚwinoujście  a port" in shown
    assert all(cell_len(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize("width", [40, 80])
def test_wide_characters_count_two_columns_in_a_table(width: int) -> None:
    """The second column begins in the same place in every row."""
    table = "| a | b |\n|---|---|\n| 日本語 | X1 |\n| 🎉 party | X2 |\n| Visby | X3 |"
    lines = Screen(width=width).finish(table).splitlines()[2:]
    assert [cell_len(line[: line.index("X")]) for line in lines] == [10, 10, 10]


def test_rows_with_wrapped_cells_are_set_apart() -> None:
    """A blank line tells where a row ends; a table whose cells all fit has none."""
    long = "one two three four five six seven eight nine"
    shown = Screen(width=40).finish(f"| k | v |\n|---|---|\n| 1 | {long} |\n| 2 | short |\n| 3 | x |")
    first = ["1  one two three four five six seven", "   eight nine"]
    assert shown.splitlines()[2:] == [*first, "", "2  short", "", "3  x"]


def test_ten_columns_on_a_narrow_screen_become_lines() -> None:
    """Each row is printed as `header: value` lines, with a blank line between two rows."""
    heads = [f"heading{n}" for n in range(10)]
    rows = [[f"{row}value{n}" for n in range(10)] for row in "ab"]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * 10, *rows))
    expected = "\n\n".join("\n".join(f"{h}: {v}" for h, v in zip(heads, row, strict=True)) for row in rows)
    assert Screen(width=40).finish(*table) == f"{expected}\n"
    assert Screen(width=120).finish(table).splitlines()[0].split() == heads


def test_a_table_that_would_break_words_becomes_lines() -> None:
    """Words stay whole on a narrow screen; scripts without spaces and long addresses may wrap in their cells."""
    rows = "| Visby | Sweden | walls | port |\n| Świnoujście | Poland | lighthouse, the tallest | harbour |\n"
    shown = Screen(width=40).finish(f"| Town | Country | Sight | More |\n|---|---|---|---|\n{rows}")
    assert "\n\nTown: Świnoujście\nCountry: Poland\nSight: lighthouse, the tallest\n" in shown
    address = "https://example.org/" + "a" * 60
    for long in ("日本語の長い説明がここに入りますのでとても長いです", address):
        table = Screen(width=40).finish(f"| k | v |\n|---|---|\n| one | {long} |")
        assert table.startswith("k    v\n")
        assert "".join(line[5:] for line in table.splitlines()[2:]) == long


def test_long_values_of_a_table_in_lines_wrap_between_words() -> None:
    """They hang under their header and fit the screen."""
    heads = "| " + " | ".join(f"heading{n}" for n in range(6)) + " |"
    row = "| " + " | ".join(["the words of a long cell that has to wrap"] * 6) + " |"
    lines = Screen(width=40).finish(f"{heads}\n{'|---' * 6}|\n{row}").splitlines()
    assert lines[:2] == ["heading0: the words of a long cell that", "  has to wrap"]


def test_a_table_without_rows_shows_its_header() -> None:
    """A reply that ends early still shows what came."""
    assert Screen().finish("| a | b |\n|---|---|\n").splitlines() == ["a  b", "-  -"]


def test_a_lone_bar_is_text() -> None:
    """A line that only looks like the start of a table is printed as it is."""
    assert Screen().finish("| not a table\nnext line") == "| not a table\nnext line\n"
