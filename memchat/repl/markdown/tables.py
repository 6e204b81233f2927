"""Lay out tables in columns without boxes, or as one `header: value` line per cell on a narrow screen."""

import re
from typing import TYPE_CHECKING

from memchat.repl.markdown.inline import spans_of
from memchat.repl.markdown.wrap import BREAKABLE, Span

if TYPE_CHECKING:
    from collections.abc import Sequence


_GAP = 2
_NARROWEST = 8
"""Minimum width of a column, in cells."""

_LONGEST_WORD = 16
"""Length up to which a word is kept whole, in cells; a longer one, such as an address, may be broken."""

_CELL_END = re.compile(r"(?<!\\)\|")


class TableLayout:
    """Collects the rows of a table, and lays them out when it is complete."""

    def __init__(self, header: str) -> None:
        self._header = cells_of(header)
        self._rows: list[list[str]] = []

    def add(self, line: str) -> None:
        """Add a row, with as many cells as the header has."""
        count = len(self._header)
        self._rows.append((cells_of(line) + [""] * count)[:count])

    def columns(self, width: int) -> list[list[Span]] | None:
        """Return the lines without newlines or trailing blanks, or None if the columns do not fit `width`.

        They do not fit if a word would break or a column be below `_NARROWEST`. The widest ones are narrowed first.
        """
        cells = zip(self._header, *self._rows, strict=True)
        columns = [["".join(span.text for span in spans_of(cell)) for cell in column] for column in cells]
        needs = [max(1, *map(_cells, column)) for column in columns]
        words = [BREAKABLE.sub(" ", " ".join(column)).split() for column in columns]
        floors = [
            min(need, max(_NARROWEST, min(max(map(_cells, own), default=0), _LONGEST_WORD)))
            for need, own in zip(needs, words, strict=True)
        ]
        available = width - _GAP * (len(needs) - 1)
        if sum(floors) > available:
            return None
        widths = _shrunk(needs, floors, available)
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
        """Return each row as a list of `header: value` lines; only the header if there are no rows."""
        rows = self._rows or [[""] * len(self._header)]
        return [
            [
                ([*spans_of(head, "bold"), Span(": " if cell else ":", "bold")] if head else []) + spans_of(cell)
                for head, cell in zip(self._header, row, strict=True)
                if head or cell
            ]
            for row in rows
        ]


def cells_of(line: str) -> list[str]:
    """Split a table row into its cells: `| a | b |` gives `["a", "b"]`."""
    line = line.strip().removeprefix("|")
    cells = _CELL_END.split(line)
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _shrunk(widths: "Sequence[int]", floors: "Sequence[int]", available: int) -> list[int]:
    """Reduce `widths` to a sum of `available`, which is at least the sum of `floors`."""
    shrunk = list(widths)
    excess = sum(shrunk) - available
    while excess > 0:
        widest = max((i for i, w in enumerate(shrunk) if w > floors[i]), key=shrunk.__getitem__)
        others = [w for i, w in enumerate(shrunk) if w < shrunk[widest]]
        step = shrunk[widest] - max(floors[widest], max(others, default=0), shrunk[widest] - excess)
        shrunk[widest] -= step
        excess -= step
    return shrunk


def _laid_out(cells: "Sequence[str]", widths: "Sequence[int]", style: str) -> list[list[Span]]:
    """Return the lines of one row, without trailing blanks."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    total = sum(widths) + _GAP * len(widths)
    console = Console(width=total, color_system=None, no_color=True, force_terminal=False)
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for width in widths:
        grid.add_column(width=width, overflow="fold")
    grid.add_row(*(Text.assemble(*((s.text, s.style) for s in spans_of(cell, style))) for cell in cells))
    lines = []
    for line in console.render_lines(grid, pad=False):
        spans = [Span(segment.text, str(segment.style or "")) for segment in line]
        while spans and not spans[-1].text.strip():
            spans.pop()
        if spans:
            spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].style)
        lines.append(spans)
    return lines


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
