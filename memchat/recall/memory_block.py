"""The block of a prompt that holds what is remembered: dated, fenced as data; written here and read back here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from memchat.core.types import Memory, Scope
from memchat.text.sanitize import FENCE_CLOSE, FENCE_OPEN, escape_fence

OPEN, CLOSE = FENCE_OPEN, FENCE_CLOSE
NOTHING = "No relevant memories found."

_LINE = re.compile(r"^- (?P<text>.*?)(?: \((?P<notes>[^()]*)\))?$")


@dataclass(frozen=True, slots=True)
class BlockLine:
    """One line of the block, read back."""

    text: str
    notes: str = ""


def line(memory: Memory, today: date) -> str:
    """Return a memory as the model sees it: its words, since when they hold, and whether they still do."""
    since = f"since {memory.valid_from}" if memory.valid_from else f"noted {memory.created_at.date()}"
    return f"- {escape_fence(memory.text)} ({', '.join((since, *caveats(memory, today)))})"


def caveats(memory: Memory, today: date) -> list[str]:
    """Return the notes on a memory: whether it still holds, and whom it is about."""
    notes = []
    if memory.valid_to is not None:
        notes.append(f"ended {memory.valid_to}" if memory.ended(today) else f"until {memory.valid_to}")
    if memory.doubtful:
        notes.append("possibly outdated")
    if memory.scope is not Scope.USER:
        notes.append("this conversation" if memory.scope is Scope.SESSION else "about the service")
    return notes


def render(memories: Sequence[Memory], today: date) -> str:
    """Return the fenced block; without memories it says so."""
    lines = [line(memory, today) for memory in memories] or [NOTHING]
    return "\n".join((OPEN, *lines, CLOSE))


def parse(prompt: str) -> list[BlockLine]:
    """Return the memories in the last block of `prompt`, in order; empty if there is no block."""
    matches = (_LINE.match(row) for row in fenced_lines(prompt, OPEN, CLOSE))
    return [BlockLine(match["text"], match["notes"] or "") for match in matches if match]


def fenced_lines(prompt: str, opening: str, closing: str) -> list[str]:
    """Return the lines of the last block of `prompt` between these fences; none when there is no block."""
    start, end = prompt.rfind(f"{opening}\n"), prompt.rfind(f"\n{closing}")
    return prompt[start + len(opening) + 1 : end].splitlines() if 0 <= start < end else []
