"""Make the file of the directions in which e5's vectors of languages differ.

    python -m tests.language_directions

Its sentences are in `language_directions.txt`, the same in every language, so that their meaning drops out of the
differences between the languages' means.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memchat.llm.e5 import DIRECTIONS_FILE, E5
from memchat.text.sections import read_sections

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

DIRECTIONS = 24
SENTENCES = Path(__file__).with_suffix(".txt")


def language_directions() -> "Vectors":
    """Return the mean vector of memories, that of requests, and the directions, shape `(2 + DIRECTIONS, 384)`."""
    e5 = E5()
    means, differences = [], []
    for prefix in ("passage: ", "query: "):
        languages = [
            np.concatenate([e5.vector(prefix + sentence) for sentence in sentences]).mean(axis=0)
            for sentences in read_sections(SENTENCES).values()
        ]
        means.append(np.mean(languages, axis=0))
        differences += [language - means[-1] for language in languages]
    _, _, directions = np.linalg.svd(np.stack(differences), full_matrices=False)
    return np.concatenate([np.stack(means), directions[:DIRECTIONS]]).astype(np.float32)


if __name__ == "__main__":
    np.save(DIRECTIONS_FILE, language_directions())
