"""Split statements into the units by which two of them are compared: stems of words, and pieces of unspaced scripts."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from memchat.text.normalize import content_words, is_unspaced, without_accents

STEM = 5
"""Number of letters by which words are compared, without their endings: smokes, smoking."""
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|e)$|(?<=\d)(?:st|nd|rd|th)$")
_HANGUL, _KATAKANA, _HAN = "\uac00-\ud7af", "\u30a1-\u30ff", "\u3005\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_EAST_ASIAN = re.compile(f"[{_HANGUL}]+|[{_KATAKANA}]+|[{_HAN}]+")
_FIRST_EAST_ASIAN = "\u3040"
"""The unspaced scripts before this character are taken in pairs, like the words for lexical search."""
_SHORT = 2


def stems(words: Iterable[str]) -> frozenset[str]:
    """Return the first letters of each word without its ending, by which words are compared."""
    return frozenset(map(_stem, words))


def units(text: str, *, characters: bool = False) -> dict[str, None]:
    """Return the units of a statement in order, without accents; with `characters` the single Chinese ones, too.

    Hiragana, which mostly inflects, gives none. A Korean word is told by its first two syllables, since particles
    follow. Words in Chinese characters and Katakana, which nothing separates, give pairs.
    """
    found = dict.fromkeys(filter(None, map(_unit_of, content_words(text))))
    return found if text.isascii() else found | dict.fromkeys(_east_asian(text, characters))


def is_short(unit: str) -> bool:
    """Whether `unit` alone says little: a particle, an article, or one character of an unspaced script."""
    return len(unit) <= (1 if is_unspaced(unit[0]) else _SHORT)


def _stem(word: str) -> str:
    return _ENDING.sub("", word)[:STEM]


@lru_cache(maxsize=20_000)
def _unit_of(word: str) -> str:
    """Return the unit of a word as lexical search splits text; empty for the scripts that are split otherwise."""
    if is_unspaced(word[0]):
        return word if word[0] < _FIRST_EAST_ASIAN else ""
    return _stem(without_accents(word))


def _east_asian(text: str, characters: bool) -> Iterator[str]:
    for run in _EAST_ASIAN.findall(text):
        if "\uac00" <= run[0] <= "\ud7af":
            yield run[:2]
        else:
            yield from run if characters or len(run) == 1 else ()
            yield from (run[at : at + 2] for at in range(len(run) - 1))
