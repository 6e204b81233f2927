"""What a command found, and the one place that prints it: aligned for people, raw for pipes, or as JSON.

A terminal gets aligned columns in its own colours, nothing boxed; a pipe gets tab-separated rows with whole ids. Plain
escape codes do for that: ten thousand rows through a rich table take seconds.
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

NARROWEST = 24
"""A last column with less room than this goes on lines of its own."""
SIDE_BY_SIDE = 80
"""From how many columns on two texts stand beside each other."""
GAP = "  "

_CODES = {"bold": "1", "dim": "2"}
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_UNSAFE = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A text, of one line or several. `style` is bold, dim or nothing."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Names and values, one pair a line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one-line texts, read once. The last column wraps; `short` is what a terminal shows for the first one."""

    header: Sequence[str]
    rows: Iterable[Sequence[str]]
    short: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two texts with their titles: side by side where there is room, else one below the other."""

    titles: tuple[str, str]
    texts: tuple[str, str]


Block = Line | KeyValues | Table | SideBySide


@dataclass(frozen=True, slots=True)
class RawJson:
    """A piece of JSON that is text already."""

    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to.

    `data` is what `--json` prints: an object, or an iterable of objects, which is read once and printed as an array (as
    JSON Lines with `lines`). `shown` is the same for people, at a terminal through a pager where it is `paged`. `notes`
    goes to stderr and only with `shown`.
    """

    data: object
    shown: Iterable[Block] = ()
    notes: Sequence[str] = ()
    as_json: bool = False
    lines: bool = False
    exit_code: int = 0
    paged: bool = False


def render(result: Result) -> int:
    """Print `result`; returns its exit code."""
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
    """Whether `out` writes every character as it is; elsewhere JSON is written with escapes."""
    return (out.encoding or "utf-8").lower().replace("-", "").replace("_", "").startswith("utf")


def show(blocks: Iterable[Block], out: TextIO) -> None:
    """Print `blocks`, for eyes where `out` is a terminal, else raw."""
    lines = _screen_lines(blocks, out) if out.isatty() else chain.from_iterable(map(_plain, blocks))
    out.writelines(line + "\n" for line in lines)


def _screen_lines(blocks: Iterable[Block], out: TextIO) -> Iterator[str]:
    screen = TerminalLayout(out)
    return chain.from_iterable(map(screen.lines, blocks))


def print_note(text: str, style: str = "dim") -> None:
    """A line for people that is no answer: on stderr."""
    if text:
        sys.stderr.writelines(f"{styled(line, style, sys.stderr)}\n" for line in _for_stderr(printable(text)))
        sys.stderr.flush()


def print_error(error: MemchatError) -> None:
    """An expected failure: what happened, and below it what to do."""
    for text in filter(None, (f"memchat: {error.message}", error.hint)):
        sys.stderr.writelines(f"{line}\n" for line in _for_stderr(printable(text)))
    sys.stderr.flush()


def _for_stderr(text: str) -> Iterator[str]:
    """`text` in lines that fit the terminal of standard error, broken between words; elsewhere as it is."""
    if not sys.stderr.isatty():
        yield from text.split("\n")
        return
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        width = 0
    yield from fold(text, width or 80)


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey or hide."""
    if _is_plain(text):
        return text
    from memchat.text import sanitize

    return sanitize.strip_control_chars(text)


def one_line(text: str) -> str:
    """`text` fit for one line of a screen."""
    return text if _is_plain(text) else " ".join(printable(text).split())


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def styled(text: str, style: str, out: TextIO) -> str:
    plain = not style or not out.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return text if plain else f"\x1b[{_CODES[style]}m{text}\x1b[0m"


# JSON.


def _json(data: object, *, lines: bool) -> Iterator[str]:
    """Text of one item a line: quick to write for thousands of them, and easy to search."""
    if isinstance(data, Mapping):
        yield _escaped(json.dumps(data, ensure_ascii=False, indent=None if lines else 2)) + "\n"
        return
    assert isinstance(data, Iterable)
    if lines:
        for item in data:
            yield _encoded(item) + "\n"
        return
    lead = "["
    for item in data:
        yield f"{lead}\n{_encoded(item)}"
        lead = ","
    yield "[]\n" if lead == "[" else "\n]\n"


def _encoded(item: object) -> str:
    return _escaped(item.text if isinstance(item, RawJson) else json.dumps(item, ensure_ascii=False))


def _escaped(text: str) -> str:
    """JSON with what a terminal would obey or hide as escapes: such characters stand in strings alone."""
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
            yield from _stacked(block)


def _stacked(block: SideBySide) -> Iterator[str]:
    for title, text in zip(block.titles, block.texts, strict=True):
        yield title
        yield printable(text)
        yield ""


# A terminal.


class TerminalLayout:
    """Lays blocks out for a terminal of the width it has now."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.width = shutil.get_terminal_size().columns

    def lines(self, block: Block) -> Iterator[str]:
        match block:
            case Line():
                for line in printable(block.text).split("\n"):
                    yield self._styled(line, block.style)
            case KeyValues():
                yield from self._facts(block)
            case Table():
                yield from self._table(block)
            case SideBySide():
                yield from _stacked(block) if self.width < SIDE_BY_SIDE else self._beside(block)

    def _styled(self, text: str, style: str) -> str:
        return styled(text, style, self._out)

    def _facts(self, block: KeyValues) -> Iterator[str]:
        margin = max((len(name) for name, _ in block.pairs), default=0)
        for name, value in block.pairs:
            label = name
            for line in fold(printable(value), self.width - margin - len(GAP)):
                yield f"{self._styled(label.ljust(margin), 'dim')}{GAP}{line}"
                label = ""

    def _table(self, block: Table) -> Iterator[str]:
        rows = [[one_line(cell) for cell in row] for row in block.rows]
        if block.short is not None:
            rows = [[block.short.get(row[0], row[0]), *row[1:]] for row in rows]
        if not rows:
            return
        widths = [max(map(cells, column)) for column in zip(block.header, *rows, strict=True)][:-1]
        margin = sum(widths) + len(GAP) * len(widths)
        apart = self.width - margin < NARROWEST
        head = GAP.join(_padded(cell, width) for cell, width in zip(block.header, widths, strict=False))
        yield self._styled(f"{head}{GAP}{block.header[-1]}", "dim")
        indent = GAP if apart else " " * margin
        for row in rows:
            head = GAP.join(_padded(cell, width) for cell, width in zip(row, widths, strict=False)) + GAP
            if apart:
                yield head.rstrip()
                head = GAP
            for line in fold(row[-1], self.width - len(indent)):
                yield f"{head}{line}".rstrip()
                head = indent

    def _beside(self, block: SideBySide) -> Iterator[str]:
        width = (self.width - len(GAP) - 1) // 2
        left, right = (list(fold(printable(text), width, whole_words=False)) for text in block.texts)
        titles = (_padded(block.titles[0], width), block.titles[1])
        yield self._styled(f"{titles[0]}{GAP} {titles[1]}", "bold")
        for one, other in zip_longest(left, right, fillvalue=""):
            yield f"{_padded(one, width)}{GAP} {other}".rstrip()


def fold(text: str, width: int, *, whole_words: bool = True) -> Iterator[str]:
    """The lines of `text` broken at `width` cells. A longer word stays whole, to be copied in one piece, or is cut."""
    width = max(width, 1)
    for line in text.split("\n"):
        if cells(line) <= width:
            yield line
        elif line.isascii():
            import textwrap

            yield from textwrap.wrap(line, width, break_long_words=not whole_words, break_on_hyphens=False) or [""]
        else:
            yield from _fold_wide(line, width)


def _fold_wide(line: str, width: int) -> Iterator[str]:
    """Characters of two cells, and scripts without spaces, are more than textwrap knows about."""
    from rich.console import Console
    from rich.text import Text

    for part in Text(line).wrap(Console(width=width), width):
        yield part.plain.rstrip()


def cells(text: str) -> int:
    """How many columns `text`, which is one line, takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
