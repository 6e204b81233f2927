"""How well a memory answers a request: cosines, soft words, neighbours and names, in one weighted sum.

    score = D + 0.6 · (L + N) + 0.2 · named − 0.05 · asks

    D      half the similarity to the memory's own vector, half the best among its others: of the whole request or of
           the question that several sentences end in, whichever is nearer
    L      soft words, 0 to 1: for each word piece of the request the nearest piece of the memory (with its day and
           cues), weighted by idf; squared for a memory with cues
    N      the same for the turns beside a verbatim one: half, or whole when the turn before asks a question
    named  1 where the request names the memory's subject
    asks   1 where the memory is itself a question

Weights and features were chosen on five LoCoMo conversations (turns and observations) without a language model; chosen
on four and tried on the fifth, recall stays within half a point of the rounded weights here. A weighted sum keeps what
rank fusion throws away: reciprocal ranks lose ten points to it on the same data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memchat.core.protocols import VectorKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memchat.core.protocols import WordPieces

    Floats = NDArray[np.float32]
    Pieces = NDArray[np.int64]

WORD_WEIGHT = 0.6
NEIGHBOUR_WEIGHT = 0.5
ANSWERED_WEIGHT = 1.0
NAMED_WEIGHT = 0.2
QUESTION_PENALTY = 0.05
MIN_SIMILARITY = 0.48
"""Below this cosine two word pieces have nothing to do with each other."""
PRIOR = 100
"""How many memories' worth of general English stands behind a small store's own word counts."""
QUESTION_TAIL = 40
"""A question mark within so many characters of the end makes a turn a question."""

_OWN = (VectorKind.WINDOW, VectorKind.JOINED, VectorKind.TEXT)
_NAME = re.compile(r"\b[A-Z][a-zà-ÿ]+\b")
_NO_NAMES = frozenset(
    """
    A About After All Am An And Any Are As At Be Before But By Can Could Did Do Does For From Give Has Have He Her
    Here Hi His How I If In Is It Its Let May My No Not Of Oh Ok On One Or Our Please She Should So Some Tell That
    The Their Them Then There These They This Those To User Was We Were What When Where Which Who Whom Whose Why
    Will With Would Yes You Your January February March April June July August September October November December
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday
    """.split()
)


def word_weights(found: Sequence[int], memories: int, shares: Sequence[float]) -> Floats:
    """Inverse document frequencies: `found[i]` of the owner's `memories` hold word i, `shares[i]` of texts in general.

    A store of three memories says nothing about words, so texts in general count as PRIOR memories more.
    """
    expected = np.asarray(found) + PRIOR * np.asarray(shares)
    weights: Floats = np.log((memories + PRIOR + 1) / (expected + 0.5)).astype(np.float32)
    return np.maximum(weights, np.float32(1e-3))


def soft_match(query: Pieces, weights: Floats, memories: Sequence[Pieces], word_pieces: WordPieces) -> Floats:
    """For each memory 0 to 1: of each query piece the most alike piece there (cosine, cut, squared), by `weights`."""
    if not len(query) or not memories:
        return np.zeros(len(memories), dtype=np.float32)
    nothing = np.zeros(1, dtype=np.int64)
    filled = [pieces if len(pieces) else nothing for pieces in memories]
    starts = np.cumsum([0, *(len(pieces) for pieces in filled[:-1])])
    distinct, where = np.unique(np.concatenate(filled), return_inverse=True)
    alike = np.minimum(word_pieces.vectors(query) @ word_pieces.vectors(distinct).T, 1)
    alike[alike < MIN_SIMILARITY] = 0
    best = np.maximum.reduceat(alike[:, where], starts, axis=1)
    share: Floats = (weights / weights.sum()) @ best**2
    return share


def meaning(similarities: Sequence[list[float]], kinds: Sequence[str]) -> float:
    """Half the similarity of the memory's own vector, half the best among its others; of a lone vector, its own.

    `similarities` has a list for each text of the request, of which the nearest counts, with an item for each of the
    memory's vectors, which are of `kinds`. A memory's own vector is its window, else its text joined with its cues,
    else its text.
    """
    own = next(kinds.index(kind) for kind in _OWN if kind in kinds)
    return max(_closeness(row, own) for row in similarities)


def _closeness(row: list[float], own: int) -> float:
    others = row[:own] + row[own + 1 :]
    return (row[own] + max(others, default=row[own])) / 2


def word_score(soft: float, cued: bool) -> float:
    """What soft words count. With cues the words looked through are many, and a few alike ones prove little."""
    return soft * soft if cued else soft


def neighbours(previous: float, following: float, answered: bool) -> float:
    """What the soft words of the turns beside a turn add to its own."""
    return max((ANSWERED_WEIGHT if answered else NEIGHBOUR_WEIGHT) * previous, NEIGHBOUR_WEIGHT * following)


def asks(text: str | None) -> bool:
    """Whether `text` ends with a question."""
    return text is not None and "?" in text[-QUESTION_TAIL:]


def names_in(text: str) -> frozenset[str]:
    """The capitalised words of `text` that can be names of people or things."""
    return frozenset(_NAME.findall(text)) - _NO_NAMES


def as_first_person(request: str, names: frozenset[str]) -> str:
    """`request` as the named person would put it: turns are in the first person."""
    for name in names:
        request = re.sub(rf"\b{name}['’]s\b", "my", request)
        request = re.sub(rf"\b{name}\b", "I", request)
    return request


def without_names(request: str, names: frozenset[str]) -> str:
    """`request` without the names: in the third-person facts about somebody, the name says nothing."""
    for name in names:
        request = re.sub(rf"\s*\b{name}(?:['’]s)?\b", "", request)
    return request.strip()


def floor(memories: int) -> float:
    """The score below which nothing is recalled from a store of so many memories.

    The best score of an unrelated request grows with the number of memories it is the best of.
    """
    return 0.285 + 0.015 * math.log10(max(memories, 1))
