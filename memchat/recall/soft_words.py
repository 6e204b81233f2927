"""The soft words that texts share with a request, by the word pieces that suit the languages of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memchat.core.protocols import Vocabulary, WordPieces

if TYPE_CHECKING:
    from memchat.recall.scoring import Floats, Pieces


@dataclass(frozen=True, slots=True)
class RequestWords:
    """A request with the words that are looked for: how many of the `total` memories or messages hold each."""

    text: str
    counts: Mapping[str, int]
    total: int


def soft_words(asked: RequestWords, texts: Mapping[str, str], vocabulary: Vocabulary) -> dict[str, float]:
    """The soft words of each key of `texts`, 0 to 1. Its value is the same text without a day, for its language."""
    from memchat.recall.scoring import soft_match

    groups: dict[WordPieces, list[str]] = {}
    for text, undated in texts.items():
        groups.setdefault(vocabulary.between(asked.text, undated), []).append(text)
    found: dict[str, float] = {}
    for word_pieces, group in groups.items():
        pieces, weights = _weighed(asked, word_pieces)
        shares = soft_match(pieces, weights, word_pieces.pieces(group), word_pieces)
        found |= zip(group, shares.tolist(), strict=True)
    return found


def _weighed(asked: RequestWords, word_pieces: WordPieces) -> "tuple[Pieces, Floats]":
    """The pieces of the request's words, each with its word's weight."""
    import numpy as np

    from memchat.recall.scoring import word_weights

    if not asked.counts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    pieces = word_pieces.pieces(list(asked.counts))
    weights = word_weights(list(asked.counts.values()), asked.total, word_pieces.expected_shares(pieces))
    return np.concatenate(pieces), np.repeat(weights, [len(ids) for ids in pieces])
