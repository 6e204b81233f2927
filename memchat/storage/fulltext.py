"""The full-text index: the terms of a memory, and queries for them."""

from collections.abc import Sequence

from memchat.core.types import Memory
from memchat.text.normalize import fix_surrogates, words


def owner_term(owner: int, word: str) -> str:
    """`word` as it stands in the index of words: every owner has words of its own, so that others' cost nothing."""
    return f"_{owner}_{word}"


def match_query(terms: Sequence[str], numbers: Sequence[int]) -> str:
    """A full-text query: any of the terms, of any of the owners."""
    return " OR ".join(_quoted(owner_term(number, term)) for number in numbers for term in terms)


def _quoted(term: str) -> str:
    """`term` as a full-text string, in which no character means anything."""
    return '"' + fix_surrogates(term).replace('"', '""').replace("\0", " ") + '"'


def terms(owner: int, memory: Memory) -> str:
    """The words under which `memory` is found, as its owner's: its own, its cues', and its day's."""
    day = memory.valid_from or memory.created_at
    dated = f"{day.day} {day:%B %Y}"
    return " ".join(owner_term(owner, word) for word in words(" ".join((memory.text, *memory.cues, dated))))
