"""Score the soft words that texts share with a request, by the word pieces that suit the languages of both."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memchat.core.protocols import Vocabulary, WordPieces
from memchat.text.normalize import without_accents, words

if TYPE_CHECKING:
    from memchat.recall.scoring import Floats, Pieces


@dataclass(frozen=True, slots=True)
class RequestWords:
    """A request with its words: `counts` says how many of the `total` memories or messages hold each."""

    text: str
    counts: Mapping[str, int]
    total: int


def soft_words(asked: RequestWords, texts: Mapping[str, str], vocabulary: Vocabulary) -> dict[str, float]:
    """Score the soft words of each key of `texts`, 0 to 1. The value, the text without a day, tells its language."""
    from memchat.recall.scoring import soft_match

    groups: dict[WordPieces, list[str]] = {}
    for text, undated in texts.items():
        groups.setdefault(vocabulary.between(asked.text, undated), []).append(text)
    found: dict[str, float] = {}
    for word_pieces, group in groups.items():
        pieces, weights = _weigh(asked, word_pieces)
        shares = soft_match(pieces, weights, word_pieces.pieces(group), word_pieces)
        found |= zip(group, shares.tolist(), strict=True)
    if not asked.text.isascii():
        for text, share in _shares_of_words(asked, texts).items():
            found[text] = max(found[text], share)
    return found


def _shares_of_words(asked: RequestWords, texts: Iterable[str]) -> dict[str, float]:
    """Return the share of the request's words that each text contains, weighted by rarity and without accents.

    In scripts without spaces the pieces of a word depend on its neighbours; pairs of characters do not.
    """
    weights = [
        (without_accents(word), math.log((asked.total + 2) / (count + 0.5))) for word, count in asked.counts.items()
    ]
    every = max(sum(weight for _, weight in weights), 1e-6)
    shares = {}
    for text in texts:
        held = set(map(without_accents, words(text)))
        shares[text] = max(0.0, sum(weight for word, weight in weights if word in held) / every)
    return shares


def _weigh(asked: RequestWords, word_pieces: WordPieces) -> "tuple[Pieces, Floats]":
    """Return the pieces of the request's words, each with the weight of its word."""
    import numpy as np

    from memchat.recall.scoring import word_weights

    if not asked.counts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    pieces = word_pieces.pieces(list(asked.counts))
    weights = word_weights(list(asked.counts.values()), asked.total, word_pieces.expected_shares(pieces))
    return np.concatenate(pieces), np.repeat(weights, [len(ids) for ids in pieces])
