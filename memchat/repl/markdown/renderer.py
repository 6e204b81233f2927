"""Render replies as they stream in: each part is printed once, when it can no longer change.

Text appears word by word, code line by line, and a table when it is complete. markdown-it parses the inline text of a
paragraph. The kind of a block is recognised by how its lines begin: waiting for its end would hide a long list or code
block while it is being written. The cursor never moves back, so nothing flickers, and the scrollback is what was shown.
Code has no background colour, so that it can be copied unchanged.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from memchat.repl.markdown.highlight import LineHighlighter
from memchat.repl.markdown.inline import InlineParser
from memchat.repl.markdown.line_parser import (
    Kind,
    Line,
    closes,
    is_decided,
    is_delimiter_row,
    may_be_title,
    parse_line,
    underline_level,
)
from memchat.repl.markdown.tables import TableLayout
from memchat.repl.markdown.wrap import Span, WordWrapper
from memchat.text.sanitize import StreamFilter

if TYPE_CHECKING:
    from rich.console import Console

_RULE_WIDTH = 20
_HEADING_STYLES = {1: "bold underline"}
_LONGEST_CODE_WAIT = 500
"""Characters of an incomplete code line that are held back before it is shown without highlighting."""


class ReplyWriter(Protocol):
    """Receives the pieces of a reply."""

    def feed(self, piece: str) -> None: ...

    def close(self) -> None:
        """Write the rest and end the last line. Also called for a reply that was cut off."""


class StreamingMarkdown:
    """Renders one reply for a terminal."""

    def __init__(self, console: "Console") -> None:
        self._filter = StreamFilter()
        self._flow = WordWrapper(console)
        self._start = ""
        self._text: InlineParser | None = None
        self._flowing = False
        self._heading = False
        self._code: tuple[LineHighlighter, Line] | None = None
        self._table: TableLayout | None = None
        self._held: Line | None = None
        self._gap = False
        self._in_list = False
        self._printed = False

    def feed(self, piece: str) -> None:
        first, *later = self._filter.feed(piece).split("\n")
        self._part(first)
        for part in later:
            if not self._flowing:
                self._whole_line()
            self._flowing = False
            if self._heading:
                self._end_text()
            self._part(part)

    def close(self) -> None:
        if self._start:
            self._whole_line()
        self._end_text()
        self._end_table()
        self._flow.end()
        self._flow.flush()

    def _part(self, body: str) -> None:
        """Process more of the current line."""
        if self._flowing and self._text:
            self._flow.words(self._text.feed(body))
            return
        self._start += body
        if self._code:
            if len(self._start) > _LONGEST_CODE_WAIT:
                # Part of a long code line is printed as it comes, without highlighting.
                start, fence = self._start, self._code[1]
                if self._flow.at_line_start:
                    start = self._code_margin(fence) + _code_of(start, fence)
                self._flow.verbatim([Span(start)])
                self._start = ""
            return
        # A line of a table or of indented code is recognised only when it is complete.
        indented = self._start[:4].expandtabs(4).startswith("    ") and not self._in_list
        maybe_code = indented and (self._gap or not self._text)
        maybe_table = self._table or (self._held and self._held.kind is Kind.TABLE)
        if self._start and not maybe_code and not maybe_table and is_decided(self._start):
            line = parse_line(self._start)
            if not self._may_be_title(line):
                self._begin(line)

    def _whole_line(self) -> None:
        """Process the end of a line of which nothing, or only part of a code line, was printed."""
        line, self._start = self._start, ""
        if self._code:
            highlighter, fence = self._code
            code = _code_of(line, fence)
            if not self._flow.at_line_start:
                # The start of the line is on the screen already.
                self._line([Span(line)])
            elif closes(code, fence.mark):
                self._code = None
                self._gap = True
            else:
                margin = self._code_margin(fence) if code.strip() else ""
                self._line([Span(margin), *highlighter.colour(code)])
        elif self._held and self._held.kind is Kind.TABLE and is_delimiter_row(line):
            self._table, self._held = TableLayout(self._held.text), None
        elif (level := underline_level(line)) and self._underlined(level):
            self._end_text()
        elif self._table and "|" in line:
            self._table.add(line)
        else:
            self._end_table()
            self._begin(parse_line(line))

    def _may_be_title(self, line: Line) -> bool:
        """Return whether to hold back the first `line` of a paragraph, because the next may make it a heading."""
        nested = self._in_list and line.indent > 0
        return not self._held and not self._text and not nested and may_be_title(line)

    def _underlined(self, level: int) -> bool:
        """Print the text above an underline as a heading of `level`; returns False if it is not an underline.

        Text that was too long to hold back is on the screen already; then `===` is dropped, and `---` is a rule.
        """
        title = self._held
        if title and title.kind is Kind.TEXT:
            self._held = None
            self._begin_text(replace(title, kind=Kind.HEADING, level=level))
            return True
        return level == 1 and self._text is not None and not self._in_list and not title

    def _begin(self, line: Line) -> None:
        """Start printing a line whose kind is known."""
        self._start = ""
        if self._held:
            header, self._held = self._held, None
            self._begin_text(header)
            self._flowing = False
        if line.kind is Kind.BLANK:
            self._end_text()
            self._gap = self._printed
        elif line.kind is Kind.FENCE:
            self._gap = self._printed
            self._space()
            if line.is_item and not line.quoted:
                self._line([Span(line.lead.rstrip())])
                self._flow.blank()
                self._in_list = True
            self._in_list = self._in_list and bool(line.margin)
            self._code = (LineHighlighter(line.text), line)
        elif line.kind is Kind.RULE:
            self._space()
            self._line([Span("─" * min(_RULE_WIDTH, self._flow.width))])
        elif line.kind is Kind.TABLE:
            self._end_text()
            self._held = line
        elif self._may_be_title(line):
            self._held = line
        else:
            self._begin_text(line)

    def _begin_text(self, line: Line) -> None:
        if line.kind is Kind.TEXT and self._text and not self._gap:
            self._flow.words(self._text.feed("\n" + line.text))
            self._flowing = True
            return
        self._space()
        if line.kind is Kind.TEXT and line.indent >= 4 and not self._in_list:
            self._line([Span(line.lead + line.text)])
            return
        self._in_list = line.is_item or (self._in_list and line.indent > 0)
        self._flow.begin(line.lead, line.margin)
        self._heading = line.kind is Kind.HEADING
        style = _HEADING_STYLES.get(line.level, "bold") if self._heading else ""
        self._text = InlineParser(style)
        self._flow.words(self._text.feed(line.text))
        self._flowing = True

    def _code_margin(self, fence: Line) -> str:
        """Return the indentation of the list that the code belongs to, unless it takes half of the screen."""
        inside = self._in_list and not fence.quoted and len(fence.margin) <= self._flow.width // 2
        return fence.margin if inside else ""

    def _end_table(self) -> None:
        """Print the table that was held back, if there is one."""
        table, self._table = self._table, None
        if not table:
            return
        self._gap = self._printed
        self._space()
        lines = table.columns(self._flow.width)
        if lines is None:
            # Each row becomes lines of text, with a blank line between rows.
            for number, record in enumerate(table.records()):
                if number:
                    self._flow.blank()
                for line in record:
                    self._flow.begin("", "  ")
                    self._flow.words(line)
                    self._flow.end()
            self._flow.flush()
        else:
            for line in lines:
                self._line(line)
        self._gap = True

    def _end_text(self) -> None:
        """Print the rest of the open paragraph, or a line held back as a possible table or heading."""
        if self._held:
            header, self._held = self._held, None
            self._begin_text(header)
        if self._text:
            self._flow.words(self._text.close())
            self._flow.end()
        self._text = None
        self._flowing = False
        self._heading = False

    def _space(self) -> None:
        """End the paragraph before this block, and print the blank line between them."""
        self._end_text()
        if self._gap:
            self._flow.blank()
        self._gap = False
        self._printed = True

    def _line(self, spans: list[Span]) -> None:
        self._flow.verbatim(spans)
        if self._flow.at_line_start:
            self._flow.blank()
        self._flow.end()
        self._flow.flush()


def _code_of(line: str, fence: Line) -> str:
    """Return `line` without the quote mark or indentation of its code block."""
    indent = len(fence.margin)
    if fence.quoted:
        line = line.lstrip().removeprefix(">").removeprefix(" ")
        indent = fence.indent
    body = line.lstrip(" ")
    return line[min(indent, len(line) - len(body)) :]
