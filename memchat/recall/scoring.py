"""Score memories for a request by cosines, soft words, neighbours and names; the floor below which none is recalled.

    score = D + 0.6 · (L + N) + 0.2 · named − 0.05 · (asks + ended) + 0.05 · here

    D      half the similarity to the memory's own vector, half the best among its others: of the whole request or of
           the question that several sentences end in, whichever is nearer
    L      soft words, 0 to 1: for each word piece of the request the nearest piece of the memory (with its day and
           cues), weighted by idf; squared for a memory with cues
    N      the same for the turns beside a verbatim one: half, or whole when the turn before asks a question
    named  1 where the request names the memory's subject
    asks   1 where the memory is itself a question
    ended  1 where the memory has ended or may be outdated
    here   1 where the memory was learned in this conversation

Weights and features were chosen on five LoCoMo conversations (turns and observations) without a language model; chosen
on four and tried on the fifth, recall stays within half a point of the rounded weights here. A weighted sum keeps what
rank fusion throws away: reciprocal ranks lose ten points to it on the same data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from memchat.core.protocols import VectorKind
from memchat.text.punctuation import has_question_mark

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
"""Minimum cosine of related word pieces."""
PRIOR = 100
"""Weight of general word frequencies against a small store's own, in memories."""
COMMON_NAME_SHARE = 0.1
"""Names in more than this share of texts are common. On LoCoMo, 0.03 to 0.25 give the same result for facts."""
QUESTION_TAIL = 40
"""A question mark within this many characters of the end makes a turn a question."""

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
    """Return inverse document frequencies: `found[i]` of the owner's `memories` hold word i, `shares[i]` of all texts.

    A store of three memories tells nothing about words, so texts in general count as PRIOR more memories.
    """
    expected = np.asarray(found) + PRIOR * np.asarray(shares)
    weights: Floats = np.log((memories + PRIOR + 1) / (expected + 0.5)).astype(np.float32)
    return np.maximum(weights, np.float32(1e-3))


def soft_match(query: Pieces, weights: Floats, memories: Sequence[Pieces], word_pieces: WordPieces) -> Floats:
    """Score each memory from 0 to 1.

    The score is the mean over the query's pieces, weighted by `weights`, of the squared cosine to the nearest piece of
    the memory.
    """
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
    """Return the mean of the similarity of the memory's own vector and the best of its others, if it has others.

    `similarities` has a row per text of the request, of which the nearest counts, and a column per vector of the
    memory; `kinds` are the kinds of these. The own vector is the window, else the text joined with its cues, else the
    text.
    """
    own = next(kinds.index(kind) for kind in _OWN if kind in kinds)
    best_other = [max(row[:own] + row[own + 1 :], default=row[own]) for row in similarities]
    return max((row[own] + other) / 2 for row, other in zip(similarities, best_other, strict=True))


def word_score(soft: float, cued: bool) -> float:
    """Return the score of soft words. With cues there are many words, and a few similar ones prove little."""
    return soft * soft if cued else soft


def neighbours(previous: float, following: float, answered: bool) -> float:
    """Return what the soft words of the turns beside a turn add to its own."""
    return max((ANSWERED_WEIGHT if answered else NEIGHBOUR_WEIGHT) * previous, NEIGHBOUR_WEIGHT * following)


def asks(text: str | None) -> bool:
    """Return whether `text` ends with a question."""
    return text is not None and has_question_mark(text[-QUESTION_TAIL:])


def names_in(text: str) -> frozenset[str]:
    """Return the capitalised words of `text` that can be names of people or things."""
    return frozenset(_NAME.findall(text)) - _NO_NAMES


def common_names(names: frozenset[str], counts: Mapping[str, int], total: int) -> frozenset[str]:
    """Return those of `names` that many of `total` texts contain: the people who speak, or whom the texts are about.

    `counts` says how many texts contain each word, in lower case.
    """
    return frozenset(name for name in names if counts.get(name.lower(), 0) > total * COMMON_NAME_SHARE)


def subjects_in(text: str, names: frozenset[str]) -> frozenset[str]:
    """Return those of `names` that are not only possessive ("What does Ann think of Ben's plan?"); else all."""
    return frozenset(name for name in names if re.search(rf"\b{name}\b(?!['’]s\b)", text)) or names


def named_in(text: str, names: frozenset[str]) -> frozenset[str]:
    """Return those of `names` that `text` contains as `names_in` finds them."""
    # A substring is looked for much faster than a pattern.
    return names & names_in(text) if any(name in text for name in names) else frozenset()


def as_first_person(request: str, names: frozenset[str]) -> str:
    """Rewrite `request` as the named speaker would say it, since turns are in the first person."""
    for name in names:
        request = re.sub(rf"\b{name}['’]s\b", "my", request)
        request = re.sub(rf"\b{name}\b", "I", request)
    return request


def without_names(request: str, names: frozenset[str]) -> str:
    """Remove `names` from `request`: in facts about one person, the name distinguishes nothing."""
    for name in names:
        request = re.sub(rf"\s*\b{name}(?:['’]s)?\b", "", request)
    return request.strip()


def floor(memories: int) -> float:
    """Return the minimum score of recall from a store of `memories` memories.

    The best score of an unrelated request grows with the number of memories.
    """
    return 0.285 + 0.015 * math.log10(max(memories, 1))
