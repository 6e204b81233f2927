"""Tell which texts are English enough for all-MiniLM-L6-v2, a model of English.

Two signs are read off a text: how many pieces of its vocabulary a word takes, and how many of its words are common
English ones. Measured on requests and facts in English, German, Spanish, and Japanese.
"""

import re
from enum import StrEnum
from functools import lru_cache

from memchat.core.protocols import WordPieces
from memchat.llm.minilm import UNKNOWN
from memchat.llm.wordpieces import EnglishWordPieces, MultilingualWordPieces
from memchat.text.normalize import STOP_WORDS

READABLE_PIECES = 1.8
"""A text of more pieces a word means little to a model of English."""
ENGLISH_PIECES = 1.6
REQUEST_PIECES = 1.45
"""Maximum pieces per word of an English memory, and of an English request."""
FEW_PIECES = 1.2
"""A memory with fewer pieces per word is English, even without common words."""
COMMON_SHARE = 0.1
COMMON_SHARE_OF_REQUEST = 0.2
"""The least share of common English words in English memories and requests."""

CLEAR_SHARE = 0.5
CLEAR_PIECES = 1.6
"""A request with so many common English words may have rarer ones: "What is the function of mitochondria?" """

_COMMON = STOP_WORDS | {"user"}
_BETWEEN_WORDS = re.compile("[\\s!-/:-@\\[-`{-~\u2010-\u201f\u2026\u00a1\u00ab\u00bb\u00bf]+")
"""Scripts without spaces stay in one piece here, which then takes many of the vocabulary's."""
_ASCII_BETWEEN_WORDS = {code: " " for code in range(128) if _BETWEEN_WORDS.fullmatch(chr(code))}
_HAN = re.compile("[\u3400-\u9fff]")
_KANA_OR_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_COST_OF_UNKNOWN = 3
_MAX_CHARACTERS = 600
"""A language shows in the beginning of a text."""


class Language(StrEnum):
    """The language of a memory, as far as its words tell."""

    ENGLISH = "English"
    UNCLEAR = "unclear"
    OTHER = "another"
    CHINESE = "Chinese"
    """In Chinese characters alone; Japanese has others beside them."""


class BuiltinVocabulary:
    """Implements `core.protocols.Vocabulary`: English word pieces between English texts, else multilingual ones."""

    def __init__(self) -> None:
        self._english, self._multilingual = EnglishWordPieces(), MultilingualWordPieces()

    def between(self, request: str, memory: str) -> WordPieces:
        """Return the word pieces that suit the languages of both texts."""
        return self._english if is_english_request(request) and is_readable(memory) else self._multilingual

    def tokens(self, text: str) -> int:
        """Estimate the number of tokens of `text` in a prompt."""
        (pieces,) = self._multilingual.pieces([text])
        return len(pieces)


def is_english_request(text: str) -> bool:
    """Return whether a request is written in English."""
    pieces, common = _signs(text)
    return (common >= COMMON_SHARE_OF_REQUEST and pieces <= REQUEST_PIECES) or (
        common >= CLEAR_SHARE and pieces <= CLEAR_PIECES
    )


def is_readable(text: str) -> bool:
    """Return whether a model of English can make sense of a memory."""
    return _signs(text)[0] <= READABLE_PIECES


def language_of(text: str) -> Language:
    """Return the language of `text`, or UNCLEAR if its words do not tell."""
    pieces, common = _signs(text)
    if pieces > READABLE_PIECES:
        return Language.CHINESE if _HAN.search(text) and not _KANA_OR_HANGUL.search(text) else Language.OTHER
    english = pieces <= ENGLISH_PIECES and (pieces <= FEW_PIECES or common >= COMMON_SHARE)
    return Language.ENGLISH if english else Language.UNCLEAR


@lru_cache(maxsize=50_000)
def _cost(word: str) -> int:
    """Count the pieces of `word`, an unknown one several times; cached, since words recur.

    The pieces of an accented word are those of the plain one, so it counts as an unknown one at least: a text with many
    is not English, though Vietnamese consists of short pieces.
    """
    (ids,) = EnglishWordPieces().pieces([word])
    pieces = len(ids) + (_COST_OF_UNKNOWN - 1) * int((ids == UNKNOWN).sum())
    return pieces if word.isascii() else max(pieces, _COST_OF_UNKNOWN)


@lru_cache(maxsize=5_000)
def _signs(text: str) -> tuple[float, float]:
    """Return the mean number of pieces of a word of `text`, and the share of its words that are common in English."""
    start = text[:_MAX_CHARACTERS].casefold()
    # Twice as fast, and most texts of English are of ASCII.
    said = start.translate(_ASCII_BETWEEN_WORDS).split() if start.isascii() else _BETWEEN_WORDS.split(start)
    said = [word for word in said if word]
    if not said:
        return 0.0, 0.0
    return sum(map(_cost, said)) / len(said), sum(map(_COMMON.__contains__, said)) / len(said)
