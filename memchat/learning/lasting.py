"""Tell lasting facts from passing remarks by meaning, since no word list has every remark that passes.

A linear classifier over the built-in embedder's vectors. Its weights are fitted to the sentences of
`lasting_examples.txt` by `python -m tests.evals.fit_lasting`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memchat.learning.change_words import CASE_NUMBER
from memchat.text.embedding import load_numpy

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

EXAMPLES = Path(__file__).with_name("lasting_examples.txt")
WEIGHTS = Path(__file__).with_name("lasting_weights.npy")

PASSING = 0.0
"""Highest score of a passing remark. Of the kit's facts, to which no weight was fitted, 9% score less."""

SURE = 0.5
"""Lowest score of a sentence that says something lasting without doubt.

Of the sentences that score as much, 143 of 149 in the held-out sets do, and 115 of 127 in the kit.
"""


class LastingSentences:
    """Score sentences by `embed`, the built-in embedder's function for texts to keep."""

    def __init__(self, embed: "Callable[[Sequence[str]], Vectors]") -> None:
        self._embed = embed
        self._weights: Vectors | None = None
        """Of shape `(dimension + 1,)`; the last one is the constant."""

    def scores(self, sentences: Sequence[str]) -> list[float]:
        """Return a score per sentence: about 1 for a lasting fact, about -1 for a passing remark."""
        if not sentences:
            return []
        if self._weights is None:
            load_numpy()
            import numpy as np

            self._weights = np.load(WEIGHTS)
        scores: list[float] = (self._embed(sentences) @ self._weights[:-1] + self._weights[-1]).tolist()
        return scores

    def is_passing(self, sentence: str) -> bool:
        """Return whether `sentence` says nothing worth knowing in a later conversation; an order is worth knowing."""
        (score,) = self.scores([sentence])
        return score <= PASSING and CASE_NUMBER.search(sentence) is None

    def is_sure(self, sentence: str) -> bool:
        """Return whether `sentence` certainly says something lasting."""
        (score,) = self.scores([sentence])
        return score >= SURE
