"""Tables: columns side by side without boxes, or one `header: value` line a cell where the screen is too narrow."""

import re
from typing import TYPE_CHECKING

from memchat.repl.markdown.inline import spans_of
from memchat.repl.markdown.wrap import BREAKABLE, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

_GAP = 2
_NARROWEST = 8
"""Columns below which the words of a cell can no longer be read one under the other."""

_LONGEST_WORD = 16
"""Columns up to which a word is kept whole; a longer one, such as an address, may be broken within its cell."""

_CELL_END = re.compile(r"(?<!\\)\|")


class TableLayout:
    """Collects the rows of one table, and lays them out when the table has ended and all its cells are known."""

    def __init__(self, header: str) -> None:
        self._header = cells_of(header)
        self._rows: list[list[str]] = []

    def add(self, line: str) -> None:
        """Take one more row; it gets as many cells as the header has."""
        count = len(self._header)
        self._rows.append((cells_of(line) + [""] * count)[:count])

    def columns(self, width: int) -> list[list[Span]] | None:
        """The printed lines, without newlines or trailing blanks; None if `width` is too narrow for the columns."""
        widths = _widths([self._header, *self._rows], width)
        if widths is None:
            return None
        rule = (" " * _GAP).join("-" * column for column in widths)
        lines = [*_laid_out(self._header, widths, "bold"), [Span(rule)]]
        rows = [_laid_out(row, widths, "") for row in self._rows]
        wrapped = any(len(row) > 1 for row in rows)
        for number, row in enumerate(rows):
            if wrapped and number:
                lines.append([])
            lines += row
        return lines

    def records(self) -> list[list[list[Span]]]:
        """Each row as a list of `header: value` lines; of a table without rows, its header alone."""
        rows = self._rows or [[""] * len(self._header)]
        return [
            [_labelled(head, cell) for head, cell in zip(self._header, row, strict=True) if head or cell]
            for row in rows
        ]


def cells_of(line: str) -> list[str]:
    """The cells of a table row: `| a | b |` gives `["a", "b"]`."""
    line = line.strip().removeprefix("|")
    cells = _CELL_END.split(line)
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _labelled(head: str, cell: str) -> list[Span]:
    label = [*spans_of(head, "bold"), Span(": " if cell else ":", "bold")] if head else []
    return label + spans_of(cell)


def _widths(rows: "Sequence[Sequence[str]]", width: int) -> list[int] | None:
    """Column widths that fit into `width`, or None if that would break words or leave a cell fewer than `_NARROWEST`.

    Where the cells do not fit as they are, the widest columns give way first.
    """
    columns = [[_plain(cell) for cell in column] for column in zip(*rows, strict=True)]
    needs = [max(1, *(_cells(cell) for cell in column)) for column in columns]
    context = width - _GAP * (len(needs) - 1)
    floors = [
        min(need, max(_NARROWEST, min(_longest_word(column), _LONGEST_WORD)))
        for need, column in zip(needs, columns, strict=True)
    ]
    return _shrunk(needs, floors, context) if sum(floors) <= context else None


def _longest_word(cells: "Sequence[str]") -> int:
    """The columns of the longest run of text in `cells` that a line break should not cut."""
    return max((_cells(word) for cell in cells for word in BREAKABLE.sub(" ", cell).split()), default=0)


def _shrunk(widths: "Sequence[int]", floors: "Sequence[int]", context: int) -> list[int]:
    """`widths` made to fit into `context`, which holds the sum of `floors`."""
    shrunk = list(widths)
    excess = sum(shrunk) - context
    while excess > 0:
        widest = max((i for i, w in enumerate(shrunk) if w > floors[i]), key=shrunk.__getitem__)
        others = [w for i, w in enumerate(shrunk) if w < shrunk[widest]]
        step = shrunk[widest] - max(floors[widest], max(others, default=0), shrunk[widest] - excess)
        shrunk[widest] -= step
        excess -= step
    return shrunk


def _laid_out(cells: "Sequence[str]", widths: "Sequence[int]", style: str) -> list[list[Span]]:
    """The printed lines of one row."""
    from rich.console import Console

    total = sum(widths) + _GAP * len(widths)
    console = Console(width=total, color_system=None, no_color=True, force_terminal=False)
    lines = console.render_lines(_grid(cells, widths, style), pad=False)
    return [_trimmed([Span(s.text, str(s.style or "")) for s in line]) for line in lines]


def _grid(cells: "Sequence[str]", widths: "Sequence[int]", style: str) -> "Table":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for width in widths:
        grid.add_column(width=width, overflow="fold")
    grid.add_row(*(Text.assemble(*((s.text, s.style) for s in spans_of(cell, style))) for cell in cells))
    return grid


def _plain(cell: str) -> str:
    return "".join(span.text for span in spans_of(cell))


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _trimmed(spans: list[Span]) -> list[Span]:
    while spans and not spans[-1].text.strip():
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].style)
    return spans
