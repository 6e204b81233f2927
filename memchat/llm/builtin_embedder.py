"""Embed with the models inside the package: no download, no account, no network.

multilingual-e5-small reads about a hundred languages. all-MiniLM-L6-v2 reads only English, and is better there at
finding answers that share no word with the request. If request and memory are both English, both models count,
otherwise only e5. A vector has e5's 384 numbers, followed by those of all-MiniLM, which are zeros for a text that is
not English.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from memchat.llm import e5, minilm
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.llm.language_neutral import neutral_cosines, vectors_across_languages
from memchat.llm.vocabulary import Language, is_english_request, is_readable, language_of
from memchat.text.embedding import load_numpy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memchat.core.protocols import Vectors

DIMENSION = e5.DIMENSION + minilm.DIMENSION

HALF = 0.5**0.5
"""The length of each part of a unit vector that has both."""

_THREADS = 2
"""Number of model runs at a time: those of several texts, and of both models on one."""

ENGLISH_SHARE = 0.7
"""Weight of all-MiniLM where both models count. Between .6 and .7 the results are equal; at .5 the blind sets lose."""
SPREAD = 0.25
UNRELATED_ENGLISH = 0.75
UNRELATED_OTHER = 0.77
UNRELATED_CHINESE = 0.785
UNRELATED_OF_ENGLISH = 0.74
UNRELATED_TO_ENGLISH = 0.75
"""e5's cosines lie between about .7 and .95. These count as 0, and SPREAD more as 1: where both texts are English,
where neither is, or both are Chinese, where an English request meets another memory, and the other way round, which is
also what an English request of rare words is taken for. They are such that unrelated requests score alike in all these
cases, so that one floor serves.
"""
NEUTRAL_SPREAD = 0.7
UNRELATED_NEUTRAL = 0.045
"""The same for cosines without the languages of the texts. Unless both texts are English, the nearer of the two counts:
English requests bring .86 of what was told in eight other languages above the floor so, in place of .64.
"""
AGREEMENT = 0.15
MEAN_FARTHER = 0.06
"""The farther of the two counts, too, as far as it exceeds MEAN_FARTHER: what both find near is seldom unrelated. In
sets of eleven languages .72 comes above the floor so, in place of .69, in pairs of fourteen .29 in place of .26, and no
more of what is unrelated. AGREEMENT from .1 to .2 and MEAN_FARTHER from .05 to .08 give about the same.
"""
FARTHEST = -0.25
"""Minimum nearness, so that the words of a request are never outweighed."""
EMPTY = 0.15
"""A request that comes nearer than this to the texts below, on average, says little ("Thanks!", "好的"): all that it is
nearer counts against what it seems near to. A tenth of real requests loses .02 and more, the empty ones .05 to .15.
Requests in English that say something are spared: there all-MiniLM tells.
"""
BACKGROUND = (
    "User likes to read in the evening.",
    "User works in an office.",
    "User has a sister.",
    "User wants to travel next year.",
    "Der Nutzer liest abends gern.",
    "El usuario trabaja en una oficina.",
    "用户有一个妹妹。",
    "ユーザーは来年旅行したいと思っている。",
    "Пользователь любит читать по вечерам.",
    "المستخدم يعمل في مكتب.",
    "उपयोगकर्ता की एक बहन है।",
    "ผู้ใช้อยากไปเที่ยวปีหน้า",
)


class BuiltinEmbedder:
    """Implements `core.protocols.Embedder`. Loads on first use; threads may share an instance.

    Only the first 510 word pieces of a text count. Texts without any word piece share one vector.
    """

    def __init__(self) -> None:
        self._multilingual = e5.E5()
        self._english = minilm.MiniLM()

    @property
    def fingerprint(self) -> str:
        return FINGERPRINT

    @property
    def dimension(self) -> int:
        return DIMENSION

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors of texts to keep, shape `(n, 768)`, in the order given."""
        return self._rows("passage: ", texts, is_readable)

    def embed_requests(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors of requests, shape `(n, 768)`, in the order given."""
        return self._rows("query: ", texts, is_english_request)

    def _rows(self, prefix: str, texts: Sequence[str], is_english: Callable[[str], bool]) -> "Vectors":
        load_numpy()
        import numpy as np

        rows = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        if not texts:
            return rows
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_THREADS) as pool:
            multilingual = [pool.submit(self._multilingual.vector, prefix + text) for text in texts]
            english = [pool.submit(self._english.vector, text) if is_english(text) else None for text in texts]
            for at, (of_all, of_english) in enumerate(zip(multilingual, english, strict=True)):
                rows[at, : e5.DIMENSION] = of_all.result()
                if of_english is not None:
                    rows[at, e5.DIMENSION :] = of_english.result()
                    rows[at] *= np.float32(HALF)
        return rows


class BuiltinRequestEmbedder:
    """Implements `core.protocols.RequestEmbedder` with the models of `embedder`."""

    def __init__(self, embedder: BuiltinEmbedder) -> None:
        self._embedder = embedder

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors, one row per text, in the order given."""
        return self._embedder.embed_requests(texts)

    @cached_property
    def _background(self) -> "Vectors":
        return _Parts(self._embedder.embed(BACKGROUND)).multilingual

    def similarities(self, requests: "Vectors", memories: "Sequence[Vectors]", texts: Sequence[str]) -> "list[Vectors]":
        """Return the nearness of the requests to the vectors of each memory; unrelated ones are near 0."""
        import numpy as np

        counts = [len(rows) for rows in memories]
        asked, kept = _Parts(requests), _Parts(np.concatenate(memories))
        excess = self._excess(asked)
        cosines = asked.multilingual @ kept.multilingual.T - excess
        unrelated = np.array([_UNRELATED[language_of(text)] for text in texts]).repeat(counts, axis=0)
        unrelated = np.where(asked.in_english[:, np.newaxis], unrelated[:, 0], unrelated[:, 1])
        meaning = np.maximum((cosines - unrelated) / SPREAD, FARTHEST)
        both = asked.in_english[:, np.newaxis] & kept.in_english
        english = ENGLISH_SHARE * (asked.english @ kept.english.T) + (1 - ENGLISH_SHARE) * meaning
        if not both.all():
            neutral = neutral_cosines(asked.multilingual, kept.multilingual) - UNRELATED_NEUTRAL
            neutral = neutral / NEUTRAL_SPREAD - excess / SPREAD
            nearer, farther = np.maximum(meaning, neutral), np.minimum(meaning, neutral)
            meaning = np.maximum(nearer + AGREEMENT * (farther - MEAN_FARTHER), FARTHEST)
        return np.split(np.where(both, english, meaning).astype(np.float32), np.cumsum(counts)[:-1], axis=1)

    def across_languages(self, requests: "Vectors") -> "Vectors":
        """Return vectors that search for memories in other languages, shape `(n, 768)`; the English part is zeros."""
        import numpy as np

        rows = vectors_across_languages(_Parts(requests).multilingual)
        return np.concatenate([rows, np.zeros((len(rows), minilm.DIMENSION), dtype=np.float32)], axis=1)

    def _excess(self, asked: "_Parts") -> "NDArray[np.float64]":
        """Return what is subtracted from the cosines of each request, shape `(requests, 1)`: more if it says little."""
        import numpy as np

        if asked.in_english.all():
            return np.zeros((len(asked.in_english), 1))
        empty = (asked.multilingual @ self._background.T).mean(axis=1, keepdims=True) - UNRELATED_ENGLISH
        return np.where(asked.in_english[:, np.newaxis], 0, np.maximum(empty - EMPTY * SPREAD, 0))


_UNRELATED = {
    Language.ENGLISH: (UNRELATED_ENGLISH, UNRELATED_TO_ENGLISH),
    Language.UNCLEAR: (UNRELATED_ENGLISH, UNRELATED_OTHER),
    Language.OTHER: (UNRELATED_OF_ENGLISH, UNRELATED_OTHER),
    Language.CHINESE: (UNRELATED_OF_ENGLISH, UNRELATED_CHINESE),
}
"""Cosine of unrelated texts by the language of the memory, for an English request and for another."""


class _Parts:
    """Vectors split into unit vectors of each model; `in_english` says which have an English part."""

    def __init__(self, rows: "Vectors") -> None:
        import numpy as np

        self.in_english: NDArray[np.bool_] = np.any(rows[:, e5.DIMENSION :], axis=1)
        whole = rows * np.where(self.in_english, 1 / HALF, 1).astype(np.float32)[:, np.newaxis]
        self.multilingual: Vectors = whole[:, : e5.DIMENSION]
        self.english: Vectors = whole[:, e5.DIMENSION :]
