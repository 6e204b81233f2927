"""Lay out the chat's own lines: wrapped at words, in columns, dim or coloured if the terminal supports it."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TextIO

from memchat.terminal import NARROWEST, cells, styled


def wrap_lines(text: str) -> str:
    """Wrap `text` at words to the width of the terminal, keeping the indentation of its lines."""
    width = max(shutil.get_terminal_size().columns, 20)
    lines: list[str] = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines += wrap_line(line, width, f"{indent}  " if indent else "")
    return "\n".join(lines)


def wrap_line(line: str, width: int, indent: str) -> list[str]:
    """Wrap `line` at `width` cells, with `indent` before all lines but the first; blanks at a break are dropped.

    A word wider than a line is broken at the end of the line.
    """
    if cells(line) <= width:
        return [line]
    lines: list[str] = []
    current, used = "", 0
    for piece in _pieces(line, width - len(indent)):
        if used + cells(piece.rstrip()) > width and current.strip():
            lines.append(current.rstrip())
            current = indent + piece.lstrip()
            used = cells(current)
        else:
            current += piece
            used += cells(piece)
    return [*lines, current.rstrip()]


def _pieces(line: str, width: int) -> Iterator[str]:
    """Yield the words of `line` with the blanks after them; words wider than `width` are split."""
    for token in re.findall(r"\s*\S+\s*?(?=\s|$)|\s+$", line):
        part, used = "", 0
        for char in token:
            if used + cells(char) > width and part.strip():
                yield part
                part, used = "", 0
            part += char
            used += cells(char)
        yield part


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of `rows` of one-line texts; the last column wraps if stdout is a terminal."""
    if not rows:
        return ""
    widths = [max(cells(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    screen = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    lines: list[str] = []
    for row in rows:
        padded = (f"{cell}{' ' * (width - cells(cell))}" for cell, width in zip(row, widths, strict=False))
        head = f"  {'  '.join(padded)}  "
        indent = " " * (cells(head) if screen - cells(head) >= NARROWEST else 6)
        text = head + row[-1]
        lines += wrap_line(text, screen, indent) if screen else [text]
    return "\n".join(line.rstrip() for line in lines)


def quiet(text: str, stream: TextIO, environ: Mapping[str, str] = os.environ) -> str:
    """Dim `text`, which is not part of the conversation."""
    return styled(text, "dim", stream, environ)


def age(then: datetime, now: datetime) -> str:
    """Format how long ago `then` was, in local calendar days: today, yesterday, 3 days ago, 2 months ago."""
    days = (now.astimezone().date() - then.astimezone().date()).days
    if days < 2:
        return "yesterday" if days == 1 else "today"
    units = ((730, 365, "year"), (60, 30, "month"), (14, 7, "week"), (2, 1, "day"))
    length, unit = next((length, unit) for least, length, unit in units if days >= least)
    return f"{days // length} {unit}s ago"


def duration(seconds: float) -> str:
    """Format a duration with at most two units: 6 s, 2 min, 1 h 30 min."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest_s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest_s} s" if rest_s and minutes < 5 else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")
