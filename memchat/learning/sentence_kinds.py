"""Classify sentences in any language by the examples nearest in meaning, since no word list has every language."""

import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from memchat.text.embedding import load_numpy
from memchat.text.normalize import words
from memchat.text.sections import read_sections

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

_EXAMPLES = Path(__file__).with_suffix(".txt")

NEAREST = 2
"""Number of nearest examples of a kind whose cosines are averaged."""
FORGET_MARGIN = 0.01
"""Margin, in cosine, by which a request to forget must be nearer to its kind than to the others."""
WISH_MARGIN = 0.01
"""Margin, in cosine, by which a wish must be nearer to wishes than to facts: "I never eat meat" is worded like one."""


class SentenceKind(StrEnum):
    """A heading of `sentence_kinds.txt`."""

    FORGET = "forget"
    """Asks to delete what is known."""
    OVER = "over"
    """Says that something is no longer so."""
    KEEP = "keep"
    """Asks to keep something in mind."""
    WISH = "wish"
    """Says how to be answered or addressed."""
    FACT = "fact"
    """Tells something about the person."""


class SentenceKinds:
    """Classify sentences by `embed`, which returns unit vectors of requests. Threads may share an instance."""

    def __init__(self, embed: "Callable[[Sequence[str]], Vectors]") -> None:
        self._embed = embed
        self._rows: dict[SentenceKind, Vectors] = {}
        self._embedding = threading.Lock()

    def of_a_mention(self, sentence: str) -> SentenceKind:
        """Return whether `sentence` asks to forget, says that something is over, or reminds.

        In doubt it is no request to forget, since deletion is final.
        """
        kinds = (SentenceKind.FORGET, SentenceKind.OVER, SentenceKind.KEEP)
        forget, over, keep = self._nearness(sentence, *kinds)
        nearest = max(zip((forget - FORGET_MARGIN, over, keep), kinds, strict=True))[1]
        if nearest is not SentenceKind.FORGET:
            return nearest
        sections = read_sections(_EXAMPLES)
        (within,) = sections["negation within words"]
        (negations,) = sections["negation"]
        negated = not set(negations.split(", ")).isdisjoint(words(sentence))
        negated = negated or any(part in sentence for part in within.split(", "))
        return SentenceKind.KEEP if negated else nearest

    def is_wish(self, sentence: str) -> bool:
        """Return whether `sentence` says how the user wants to be answered or addressed."""
        wish, fact = self._nearness(sentence, SentenceKind.WISH, SentenceKind.FACT)
        return wish > fact + WISH_MARGIN

    def _nearness(self, sentence: str, *kinds: SentenceKind) -> list[float]:
        load_numpy()
        import numpy as np

        asked = self._embed([sentence])[0]
        with self._embedding:
            for kind in kinds:
                if kind not in self._rows:
                    self._rows[kind] = self._embed(read_sections(_EXAMPLES)[kind])
        return [float(np.sort(self._rows[kind] @ asked)[-NEAREST:].mean()) for kind in kinds]
