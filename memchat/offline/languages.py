"""Guess the language of a message, and say in it what the offline model can do."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memchat.text.normalize import STOP_WORDS, without_points

LEAST_SHARE = 0.2
"""The share of a message's words that must be small words of a language."""


@dataclass(frozen=True, slots=True)
class _Language:
    """`letters` tell it, or else small `words`; `honest` says that the offline model does not read it."""

    letters: tuple[tuple[str, str], ...]
    words: frozenset[str]
    honest: str


def honest_sentence(message: str) -> str | None:
    """Return the sentence that offline mode reads English only, in the language of `message`; None for English."""
    plain = without_points(message.casefold())
    said = "".join(character if character.isalpha() else " " for character in plain).split()
    letters = [one for one in _languages() if one.letters]
    foreign = sum(not word.isascii() for word in said) * 2 > len(said)
    for one in letters if foreign else ():
        if any(first <= character <= last for character in plain for first, last in one.letters):
            return one.honest
    english = sum(word in STOP_WORDS for word in said)
    shares = {one.honest: sum(word in one.words for word in said) for one in _languages() if one.words}
    sentence, most = max(shares.items(), key=lambda share: share[1])
    return sentence if most > english and most >= LEAST_SHARE * len(said) else None


@cache
def _languages() -> tuple[_Language, ...]:
    """Read the languages in the order of `languages.txt`: kana before Han, Ukrainian before Russian."""
    found = []
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        _, told_by, honest = line.split(" | ")
        # а-яё is а to я and ё.
        ranges = re.findall("(.)(?:-(.))?", "" if " " in told_by else told_by)
        letters = tuple((first, last or first) for first, last in ranges)
        found.append(_Language(letters, frozenset() if letters else frozenset(told_by.split()), honest))
    return tuple(found)
