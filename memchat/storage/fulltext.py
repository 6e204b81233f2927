"""Build the terms of the full-text index, and queries for them.

SQLite's tokenizer stems English. Characters it ignores, such as emoji, are written as their code points. In scripts
without spaces a term is a pair of characters: a single one is looked up as the beginning of a pair, or as the last of
its run.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date

from memchat.core.types import Memory
from memchat.text.dates import format_date
from memchat.text.normalize import fix_surrogates, is_unspaced, without_accents, words


def owner_term(owner: int, word: str) -> str:
    """Return `word` as it is indexed: with its owner, so that a query reads no other owner's entries."""
    if word.isascii():
        return f"_{owner}_{word}"
    letters = without_accents(word)
    known = any(character.isalnum() for character in letters)
    return f"_{owner}_{letters if known else ''.join(f'u{ord(character):x}' for character in letters)}"


def match_query(terms: Sequence[str], numbers: Sequence[int]) -> str:
    """Return a full-text query for any of the terms of any of the owners."""
    parts = []
    for number in numbers:
        for term in terms:
            escaped = fix_surrogates(owner_term(number, term)).replace('"', '""').replace("\0", " ")
            prefix = "*" if len(term) == 1 and is_unspaced(term) else ""
            parts.append(f'"{escaped}"{prefix}')
    return " OR ".join(parts)


def terms(owner: int, memory: Memory) -> str:
    """Return the terms under which `memory` is found: of its text, its cues and its day."""
    return terms_of(owner, memory.text, memory.cues, memory.valid_from or memory.created_at.date())


def stored_terms(owner: int, text: str, cues: str, day: str) -> str:
    """Return the terms of a memory from its columns, for SQL."""
    try:
        listed = json.loads(cues)
    except ValueError:
        listed = []
    return terms_of(owner, text, listed if isinstance(listed, list) else [], date.fromisoformat(day))


def terms_of(owner: int, text: str, cues: Sequence[object], day: date) -> str:
    """Return the terms of a text, its cues and its day, joined by spaces."""
    whole = " ".join((text, *map(str, cues), format_date(day)))
    return " ".join(owner_term(owner, word) for word in index_words(whole))


def index_words(text: str) -> Iterator[str]:
    """Yield the words of `text`, and also the last character of every run of pairs."""
    found = words(text)
    for word, following in zip(found, [*found[1:], ""], strict=True):
        yield word
        if len(word) == 2 and is_unspaced(word[0]) and not following.startswith(word[1]):
            yield word[1]
