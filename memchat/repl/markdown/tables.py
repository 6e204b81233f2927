"""Tables, row by row as they arrive: columns side by side, no boxes."""

import re
from typing import TYPE_CHECKING

from memchat.repl.markdown.inline import spans_of
from memchat.repl.markdown.wrap import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

_GAP = 2
_NARROWEST = 4
_CELL_END = re.compile(r"(?<!\\)\|")


class StreamingTable:
    """Lays out the rows of one table.

    The widths are settled by the header and the first row, the room left over shared out, so that every later row can
    be printed when it arrives; a cell that is wider wraps within its column.
    """

    def __init__(self, header: str, width: int) -> None:
        self._header = cells_of(header)
        self._width = width
        self._columns: list[int] = []

    def row(self, line: str) -> list[list[Span]]:
        """The printed lines of one row, without newlines or trailing blanks; the first row brings the header along."""
        cells = self._fit(cells_of(line))
        lines: list[list[Span]] = []
        if not self._columns:
            self._columns = _widths([self._header, cells], self._width)
            lines = self.header()
        return lines + self._lay(cells, "")

    def header(self) -> list[list[Span]]:
        """The header's printed lines: for a table that has no rows, else part of the first one's."""
        self._columns = self._columns or _widths([self._header], self._width)
        rule = (" " * _GAP).join("-" * width for width in self._columns)
        return [*self._lay(self._header, "bold"), [Span(rule)]]

    @property
    def empty(self) -> bool:
        return not self._columns

    def _fit(self, cells: list[str]) -> list[str]:
        count = len(self._header)
        return (cells + [""] * count)[:count]

    def _lay(self, cells: "Sequence[str]", style: str) -> list[list[Span]]:
        from rich.console import Console

        console = Console(width=self._width + _GAP, color_system=None, no_color=True, force_terminal=False)
        lines = console.render_lines(self._grid(cells, style), pad=False)
        return [_trimmed([Span(s.text, str(s.style or "")) for s in line]) for line in lines]

    def _grid(self, cells: "Sequence[str]", style: str) -> "Table":
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        for width in self._columns:
            grid.add_column(width=width, overflow="fold")
        grid.add_row(*(Text.assemble(*((s.text, s.style) for s in spans_of(c.strip(), style))) for c in cells))
        return grid


def cells_of(line: str) -> list[str]:
    """The cells of a table row: `| a | b |` gives `["a", "b"]`."""
    line = line.strip().removeprefix("|")
    cells = _CELL_END.split(line)
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _widths(rows: "Sequence[Sequence[str]]", width: int) -> list[int]:
    """Column widths that fit into `width`: twice what the rows need where there is room, a fair share where not."""
    from rich.cells import cell_len

    needs = [
        max(cell_len("".join(s.text for s in spans_of(cell))) for cell in column) for column in zip(*rows, strict=True)
    ]
    needs = [max(need, 1) for need in needs]
    room = max(width - _GAP * (len(needs) - 1), len(needs))
    spare = room - sum(needs)
    if spare >= 0:
        return [need + min(need, spare * need // sum(needs)) for need in needs]
    widths = list(needs)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widest = widths.index(max(widths))
        others = sum(widths) - widths[widest]
        second = max((w for i, w in enumerate(widths) if i != widest), default=0)
        widths[widest] = max(_NARROWEST, min(widths[widest] - 1, max(room - others, second)))
    return widths


def _trimmed(spans: list[Span]) -> list[Span]:
    while spans and not spans[-1].text.strip():
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].style)
    return spans
