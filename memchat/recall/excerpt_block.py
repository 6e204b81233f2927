"""The block of excerpts in a prompt: dated, marked by who said it and whether it still holds, fenced as data.

It is written here and read back here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from memchat.core.types import Role
from memchat.recall.excerpts import Excerpt
from memchat.recall.memory_block import fenced_lines
from memchat.recall.periods import with_days
from memchat.text.normalize import without_speaker
from memchat.text.sanitize import EXCERPTS_CLOSE, EXCERPTS_OPEN, escape_fence

_LINE = re.compile(
    r"- \[(?P<day>\d{4}-\d\d-\d\d), (?P<who>you|the person)\] (?P<text>.*?)"
    r"(?: \((?P<note>no longer so(?:; now: .*)?|ended \d{4}-\d\d-\d\d)\))?$"
)


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """One line of the block, read back: the words of a day, and the note whether they still hold."""

    day: date
    by_assistant: bool
    text: str
    note: str = ""


def line(excerpt: Excerpt) -> str:
    """Return an excerpt as the model sees it: day, speaker, words with the days they mean, and whether they hold."""
    who = "you" if excerpt.role is Role.ASSISTANT else "the person"
    note = caveat(excerpt)
    said = escape_fence(with_days(excerpt.with_question(), excerpt.day))
    return f"- [{excerpt.day}, {who}] {said}" + (f" ({note})" if note else "")


def caveat(excerpt: Excerpt) -> str:
    """Return why the words no longer hold, as far as memory knows; empty if nothing contradicts them."""
    if excerpt.stale is None:
        return ""
    if excerpt.stale.now:
        return f"no longer so; now: {escape_fence(without_speaker(excerpt.stale.now))}"
    return f"ended {excerpt.stale.ended}" if excerpt.stale.ended else "no longer so"


def render(excerpts: Sequence[Excerpt]) -> str:
    """Return the fenced block, with the excerpts in chronological order."""
    in_order = sorted(excerpts, key=lambda excerpt: excerpt.said_at)
    return "\n".join((EXCERPTS_OPEN, *map(line, in_order), EXCERPTS_CLOSE))


def parse(prompt: str) -> list[QuotedLine]:
    """Return the excerpts in the last block of `prompt`, in order; none when there is no block."""
    matches = (_LINE.match(row) for row in fenced_lines(prompt, EXCERPTS_OPEN, EXCERPTS_CLOSE))
    return [
        QuotedLine(date.fromisoformat(match["day"]), match["who"] == "you", match["text"], match["note"] or "")
        for match in matches
        if match
    ]
