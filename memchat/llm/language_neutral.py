"""Compare e5's vectors of texts in different languages.

Vectors of one language lie near each other even if the texts have nothing in common, so that what was told in German
would not be recalled by a question in Spanish. The differences between the mean vectors of languages span a few
directions; cosines without these are on one scale within a language and across. `tests/language_directions.py` makes
the file, from the same sentences in 27 languages.
"""

from functools import cache
from typing import TYPE_CHECKING

from memchat.llm.e5 import DIRECTIONS_FILE

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

SAME_LANGUAGE = 0.2
"""Share of the language parts' cosine that is subtracted: unrelated texts of one language stay a little nearer."""

OTHER_LANGUAGES = 0.7
"""How far vectors that search across languages turn away from the language of the request."""


def neutral_cosines(requests: "Vectors", memories: "Vectors") -> "Vectors":
    """Return the cosines of e5's vectors of requests and memories without their languages, shape (requests, memories).

    Rows are unit vectors, shape `(n, 384)`.
    """
    asked, asked_language = _parts(requests - _file()[1])
    kept, kept_language = _parts(memories - _file()[0])
    cosines: Vectors = asked @ kept.T - SAME_LANGUAGE * (asked_language @ kept_language.T)
    return cosines


def vectors_across_languages(requests: "Vectors") -> "Vectors":
    """Return the unit vectors whose cosines with memories in other languages exceed those with unrelated ones.

    They are for searching: `neutral_cosines` divides by lengths that differ from memory to memory.
    """
    asked, language = _parts(requests - _file()[1])
    return _unit(asked - OTHER_LANGUAGES * (language @ _file()[2:]))


def _parts(centred: "Vectors") -> "tuple[Vectors, Vectors]":
    """Split vectors into what they say apart from their language, and of their language; unit rows."""
    directions = _file()[2:]
    language: Vectors = centred @ directions.T
    return _unit(centred - language @ directions), _unit(language)


def _unit(rows: "Vectors") -> "Vectors":
    import numpy as np

    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-6))
    return unit


@cache
def _file() -> "Vectors":
    """Load the mean vector of memories, that of requests, and the directions, which are orthogonal unit vectors."""
    import numpy as np

    rows: Vectors = np.load(DIRECTIONS_FILE)
    return rows
