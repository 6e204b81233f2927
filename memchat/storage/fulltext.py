"""The full-text index: the terms of a memory, and queries for them.

SQLite's tokenizer stems English. What it knows nothing of is written in letters it does: emoji by
their code points. In scripts without spaces a word is a pair of characters, so that a single one is looked up as the
beginning of a pair, or as the last of its run.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date

from memchat.core.types import Memory
from memchat.text.normalize import fix_surrogates, is_unspaced, without_accents, words


def owner_term(owner: int, word: str) -> str:
    """`word` as it stands in the index of words: every owner has words of its own, so that others' cost nothing."""
    if word.isascii():
        return f"_{owner}_{word}"
    letters = without_accents(word)
    known = any(character.isalnum() for character in letters)
    return f"_{owner}_{letters if known else ''.join(f'u{ord(character):x}' for character in letters)}"


def match_query(terms: Sequence[str], numbers: Sequence[int]) -> str:
    """A full-text query: any of the terms, of any of the owners."""
    return " OR ".join(
        _quoted(owner_term(number, term)) + ("*" if _is_single(term) else "") for number in numbers for term in terms
    )


def _is_single(word: str) -> bool:
    return len(word) == 1 and is_unspaced(word)


def _quoted(term: str) -> str:
    """`term` as a full-text string, in which no character means anything."""
    return '"' + fix_surrogates(term).replace('"', '""').replace("\0", " ") + '"'


def terms(owner: int, memory: Memory) -> str:
    """The words under which `memory` is found, as its owner's: its own, its cues', and its day's."""
    return terms_of(owner, memory.text, memory.cues, memory.valid_from or memory.created_at.date())


def stored_terms(owner: int, text: str, cues: str, day: str) -> str:
    """`terms` of a memory as it lies in the database, for SQL."""
    try:
        listed = json.loads(cues)
    except ValueError:
        listed = []
    return terms_of(owner, text, listed if isinstance(listed, list) else [], date.fromisoformat(day))


def terms_of(owner: int, text: str, cues: Sequence[object], day: date) -> str:
    """See `terms`."""
    whole = " ".join((text, *map(str, cues), f"{day.day} {day:%B %Y}"))
    return " ".join(owner_term(owner, word) for word in index_words(whole))


def index_words(text: str) -> Iterator[str]:
    """The words of `text`, and of every run of pairs its last character as well."""
    found = words(text)
    for word, following in zip(found, [*found[1:], ""], strict=True):
        yield word
        if len(word) == 2 and is_unspaced(word[0]) and not following.startswith(word[1]):
            yield word[1]
