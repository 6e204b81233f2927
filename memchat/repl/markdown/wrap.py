"""Wrap words on the screen as they arrive; written text never changes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

QUOTE_BAR = "│"
"""Mark of a quote on the screen, since `> ` may be the prompt."""

_OPENING = "「『（〈《【〔"
_CLOSING = "、。，．！？」』）〉》】〕：；…ー〜々"
_IDEOGRAPH = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003fffd"

BREAKABLE = re.compile(f"[{_IDEOGRAPH}]")
"""Characters of scripts without spaces; a line may break after each."""

_ATOM = re.compile(
    rf"(?P<newline>\n)|(?P<space>[ \t]+)|(?P<wide>[{_OPENING}]*[{_IDEOGRAPH}][{_CLOSING}]*)"
    rf"|(?P<word>[^ \t\n{_IDEOGRAPH}]+)"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style, a rich style definition such as `bold cyan`."""

    text: str
    style: str = ""


class WordWrapper:
    """Writes spans to a console, wrapping lines at words to its current width.

    Written text is never changed, and lines have no trailing blanks. A word wider than the screen is written whole and
    wrapped by the terminal, so that a long address can be copied in one piece.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._out: list[Span] = []
        self._column = 0
        self._margin = ""
        self._gap = ""
        self._midword = False
        self._width = self.width

    @property
    def at_line_start(self) -> bool:
        return self._column == 0

    @property
    def width(self) -> int:
        """Current width of the screen, in cells; assumed constant within one call."""
        return max(self._console.width, 1)

    def begin(self, first: str, margin: str) -> None:
        """Start a line with `first`; its wrapped lines start with `margin`."""
        self.end()
        self._width = self.width
        self._margin = margin if self._cells(margin) <= self._width // 2 else ""
        self._put_lead(first)

    def end(self) -> None:
        """End the current line, if there is one."""
        if self._column:
            self._break("")

    def blank(self) -> None:
        self.end()
        self._break("")

    def words(self, spans: Iterable[Span]) -> None:
        """Write `spans`, wrapped at words. A word may continue across spans and calls."""
        self._width = self.width
        word: list[Span] = []
        for style, match in ((span.style, match) for span in spans for match in _ATOM.finditer(span.text)):
            kind, span = match.lastgroup, Span(match.group(), style)
            if kind == "word":
                word.append(span)
                continue
            self._place(word)
            word = []
            if kind == "newline":
                self._break(self._margin)
            elif kind == "space":
                self._gap += span.text
                self._midword = False
            else:
                self._midword = False
                self._place([span])
                self._midword = False
        self._place(word)
        self.flush()

    def verbatim(self, spans: Iterable[Span]) -> None:
        """Write `spans`, which contain no newline, and leave wrapping to the terminal."""
        for span in spans:
            self._put(span)
        self.flush()

    def flush(self) -> None:
        """Send everything written so far to the terminal."""
        if not self._out:
            return
        from rich.segment import Segment, Segments

        style_of = self._console.get_style
        segments = [Segment(span.text, style_of(span.style) if span.style else None) for span in self._out]
        self._out.clear()
        self._console.print(Segments(segments), soft_wrap=True)
        self._console.file.flush()

    def _place(self, word: list[Span]) -> None:
        if not word:
            return
        cells = sum(self._cells(span.text) for span in word)
        used = self._column + len(self._gap)
        if not self._midword and used + cells > self._width and self._column > self._cells(self._margin):
            self._break(self._margin)
        elif self._gap:
            self._put(Span(self._gap))
        self._gap = ""
        for span in word:
            self._put(span)
        self._midword = True

    def _put(self, span: Span) -> None:
        if not span.text:
            return
        self._out.append(span)
        self._column += self._cells(span.text)
        if self._column > self._width:
            self._column = self._column % self._width or self._width

    def _break(self, margin: str) -> None:
        self._out.append(Span("\n"))
        self._column = 0
        self._gap = ""
        self._midword = False
        self._put_lead(margin)

    def _put_lead(self, lead: str) -> None:
        """Write the lead of a line, with the bars of quotes dimmed."""
        for part in re.split(f"({QUOTE_BAR})", lead):
            self._put(Span(part, "dim" if part == QUOTE_BAR else ""))

    def _cells(self, text: str) -> int:
        from rich.cells import cell_len

        return len(text) if text.isascii() else cell_len(text)
