"""The block of a prompt that holds excerpts of earlier conversations: dated, marked by who said it, fenced as data."""

from collections.abc import Sequence

from memchat.core.types import Role
from memchat.recall.excerpts import Excerpt
from memchat.recall.periods import with_days
from memchat.text.normalize import without_speaker
from memchat.text.sanitize import EXCERPTS_CLOSE, EXCERPTS_OPEN, escape_fence


def line(excerpt: Excerpt) -> str:
    """One excerpt as the model sees it: its day, who said it, the words with the days they meant, whether they hold."""
    who = "you" if excerpt.role is Role.ASSISTANT else "the person"
    note = caveat(excerpt)
    said = escape_fence(with_days(excerpt.with_question(), excerpt.day))
    return f"- [{excerpt.day}, {who}] {said}" + (f" ({note})" if note else "")


def caveat(excerpt: Excerpt) -> str:
    """Whether the words still hold, as far as memory knows; empty where nothing speaks against it."""
    if excerpt.stale is None:
        return ""
    if excerpt.stale.now:
        return f"no longer so; now: {escape_fence(without_speaker(excerpt.stale.now))}"
    return f"ended {excerpt.stale.ended}" if excerpt.stale.ended else "no longer so"


def render(excerpts: Sequence[Excerpt]) -> str:
    """The fenced block, in the order in which things were said."""
    in_order = sorted(excerpts, key=lambda excerpt: excerpt.said_at)
    return "\n".join((EXCERPTS_OPEN, *map(line, in_order), EXCERPTS_CLOSE))
