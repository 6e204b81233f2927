"""The result of a command, and the one place that prints it: aligned for a terminal, raw for a pipe, or as JSON.

A terminal gets aligned columns in its own colours, without boxes; a pipe gets tab-separated rows with whole ids. This
uses plain escape codes, because a rich table takes seconds for ten thousand rows.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TextIO

from memchat.errors import MemchatError
from memchat.terminal import NARROWEST, cells, styled

SIDE_BY_SIDE = 80
"""Minimum width of a terminal that shows two texts side by side, in cells."""
GAP = "  "

_NOT_ASCII = re.compile("[^\x00-\x7f]")
_UNSAFE = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A text of one or more lines. `style` is "bold", "dim" or empty."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Names and values, one pair per line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one-line texts, which are read once. The last column wraps.

    `short` maps values of the first column to what a terminal shows for them.
    """

    header: Sequence[str]
    rows: Iterable[Sequence[str]]
    short: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two texts with titles: side by side if the terminal is wide enough, else one below the other."""

    titles: tuple[str, str]
    texts: tuple[str, str]


Block = Line | KeyValues | Table | SideBySide


@dataclass(frozen=True, slots=True)
class RawJson:
    """A value that is encoded as JSON already."""

    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command.

    `data` is printed with `--json`: an object, or an iterable of objects, which is read once and printed as an array
    (with `lines`, as JSON Lines). `shown` is the same for people; if `paged`, a terminal shows it in a pager. `notes`
    go to stderr, and only with `shown`.
    """

    data: object
    shown: Iterable[Block] = ()
    notes: Sequence[str] = ()
    as_json: bool = False
    lines: bool = False
    exit_code: int = 0
    paged: bool = False


def render(result: Result) -> int:
    """Print `result` and return its exit code."""
    if result.as_json or result.lines:
        unicode = is_unicode(sys.stdout)
        for piece in _json(result.data, lines=result.lines):
            sys.stdout.write(piece if unicode else _NOT_ASCII.sub(_escape, piece))
    else:
        if result.paged and sys.stdout.isatty():
            from memchat.cli.pager import print_paged

            print_paged(_screen_lines(result.shown, sys.stdout))
        else:
            show(result.shown, sys.stdout)
        for note in result.notes:
            print_note(note)
    sys.stdout.flush()
    return result.exit_code


def is_unicode(out: TextIO) -> bool:
    """Return whether `out` can write every character; otherwise JSON is written with escapes."""
    return (out.encoding or "utf-8").lower().replace("-", "").replace("_", "").startswith("utf")


def show(blocks: Iterable[Block], out: TextIO) -> None:
    """Print `blocks`: laid out if `out` is a terminal, raw otherwise."""
    lines = _screen_lines(blocks, out) if out.isatty() else chain.from_iterable(map(_plain, blocks))
    out.writelines(line + "\n" for line in lines)


def _screen_lines(blocks: Iterable[Block], out: TextIO) -> Iterator[str]:
    screen = TerminalLayout(out)
    return chain.from_iterable(map(screen.lines, blocks))


def print_note(text: str, style: str = "dim") -> None:
    """Print a line to stderr, for people and not part of the result."""
    if text:
        sys.stderr.writelines(f"{styled(line, style, sys.stderr)}\n" for line in _for_stderr(printable(text)))
        sys.stderr.flush()


def print_error(error: MemchatError) -> None:
    """Print an expected failure to stderr: what happened and, below it, what to do."""
    for text in filter(None, (f"memchat: {error.message}", error.hint)):
        sys.stderr.writelines(f"{line}\n" for line in _for_stderr(printable(text)))
    sys.stderr.flush()


def _for_stderr(text: str) -> Iterator[str]:
    """Yield the lines of `text`, wrapped at words if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield from text.split("\n")
        return
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        width = 0
    yield from fold(text, width or 80)


def printable(text: str) -> str:
    """Remove control sequences and invisible characters from `text`."""
    if _is_plain(text):
        return text
    from memchat.text import sanitize

    return sanitize.strip_control_chars(text)


def one_line(text: str) -> str:
    """Return `text` as one printable line, with whitespace collapsed if it is not plain."""
    if _is_plain(text):
        return text
    # Loaded only for such a text: most lists have none.
    from memchat.text import sanitize

    return sanitize.one_line(text)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


# JSON.


def _json(data: object, *, lines: bool) -> Iterator[str]:
    """Yield `data` as JSON with one item per line, which is fast for thousands of items and easy to search."""
    if isinstance(data, Mapping):
        yield _escaped(json.dumps(data, ensure_ascii=False, indent=None if lines else 2)) + "\n"
        return
    assert isinstance(data, Iterable)
    if lines:
        for item in data:
            yield _encode(item) + "\n"
        return
    lead = "["
    for item in data:
        yield f"{lead}\n{_encode(item)}"
        lead = ","
    yield "[]\n" if lead == "[" else "\n]\n"


def _encode(item: object) -> str:
    return _escaped(item.text if isinstance(item, RawJson) else json.dumps(item, ensure_ascii=False))


def _escaped(text: str) -> str:
    """Escape the control and invisible characters in a JSON text; they occur only within strings."""
    return text if text.isascii() and "\x7f" not in text else _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"


# A pipe.


def _plain(block: Block) -> Iterator[str]:
    match block:
        case Line():
            yield printable(block.text)
        case KeyValues():
            for name, value in block.pairs:
                yield f"{name}: {printable(value)}"
        case Table():
            for row in block.rows:
                yield "\t".join(row if _is_plain("".join(row)) else map(one_line, row))
        case SideBySide():
            yield from _stack(block)


def _stack(block: SideBySide) -> Iterator[str]:
    for title, text in zip(block.titles, block.texts, strict=True):
        yield title
        yield printable(text)
        yield ""


# A terminal.


class TerminalLayout:
    """Lays out blocks for a terminal of its current width."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.width = shutil.get_terminal_size().columns

    def lines(self, block: Block) -> Iterator[str]:
        match block:
            case Line():
                for line in printable(block.text).split("\n"):
                    yield self._style(line, block.style)
            case KeyValues():
                margin = max((len(name) for name, _ in block.pairs), default=0)
                for name, value in block.pairs:
                    label = name
                    for line in fold(printable(value), self.width - margin - len(GAP)):
                        yield f"{self._style(label.ljust(margin), 'dim')}{GAP}{line}"
                        label = ""
            case Table():
                yield from self._table(block)
            case SideBySide() if self.width < SIDE_BY_SIDE:
                yield from _stack(block)
            case SideBySide():
                width = (self.width - len(GAP) - 1) // 2
                left, right = (list(fold(printable(text), width, whole_words=False)) for text in block.texts)
                yield self._style(f"{_pad(block.titles[0], width)}{GAP} {block.titles[1]}", "bold")
                for one, other in zip_longest(left, right, fillvalue=""):
                    yield f"{_pad(one, width)}{GAP} {other}".rstrip()

    def _style(self, text: str, style: str) -> str:
        return styled(text, style, self._out)

    def _table(self, block: Table) -> Iterator[str]:
        rows = [[one_line(cell) for cell in row] for row in block.rows]
        if block.short is not None:
            rows = [[block.short.get(row[0], row[0]), *row[1:]] for row in rows]
        if not rows:
            return
        widths = [max(map(cells, column)) for column in zip(block.header, *rows, strict=True)][:-1]
        margin = sum(widths) + len(GAP) * len(widths)
        apart = self.width - margin < NARROWEST
        head = GAP.join(_pad(cell, width) for cell, width in zip(block.header, widths, strict=False))
        yield self._style(f"{head}{GAP}{block.header[-1]}", "dim")
        indent = GAP if apart else " " * margin
        for row in rows:
            head = GAP.join(_pad(cell, width) for cell, width in zip(row, widths, strict=False)) + GAP
            if apart:
                yield head.rstrip()
                head = GAP
            for line in fold(row[-1], self.width - len(indent)):
                yield f"{head}{line}".rstrip()
                head = indent


def fold(text: str, width: int, *, whole_words: bool = True) -> Iterator[str]:
    """Yield the lines of `text`, wrapped at `width` cells. With `whole_words`, a longer word stays in one piece."""
    width = max(width, 1)
    for line in text.split("\n"):
        if cells(line) <= width:
            yield line
        elif line.isascii():
            import textwrap

            yield from textwrap.wrap(line, width, break_long_words=not whole_words, break_on_hyphens=False) or [""]
        else:
            # textwrap does not know characters of two cells or scripts without spaces.
            from rich.console import Console
            from rich.text import Text

            yield from (part.plain.rstrip() for part in Text(line).wrap(Console(width=width), width))


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
