"""Word pieces and their input vectors, read from the built-in models' own files."""

import functools
import math
import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memchat.llm.minilm import DIMENSION, MODEL_FILE, UNKNOWN, tokenizer
from memchat.text.normalize import fix_surrogates, without_accents, without_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memchat.core.protocols import Vectors

# Where the tensor embeddings.word_embeddings.weight_quantized lies in the model file, which MODEL_SHA256 pins.
_OFFSET = 438_622
_SHAPE = (30_522, DIMENSION)
_ZERO_POINT = 83
"""The quantised value that stands for zero."""

_LETTERS = "a-zA-Z\u00c0-\u012f\u0131-\u017f"
_MARKS = "\u2010-\u2015\u2018-\u201f\u2026"
_PLAIN = re.compile(rf"[\t\n\r -Z\\-~{_LETTERS}{_MARKS}]*")
"""Text that BERT's tokenizer splits only at spaces and marks. Square brackets may be special tokens."""
_WORD = re.compile(rf"[0-9{_LETTERS}]+|[!-/:-@\\-`{{-~{_MARKS}]")

_MOST_WORDS = 50_000


_FIRST_WORD = 1996
""" "the": from here on BERT's uncased vocabulary is in order of frequency."""
_MOST_COMMON = 0.5
_RARITY = 3.0
_PIECES_A_TEXT = 90
"""Approximate number of pieces of a memory and its cues, without the share of other languages."""


class EnglishWordPieces:
    """Implements `core.protocols.WordPieces` with those of all-MiniLM-L6-v2.

    The table is mapped, not read: only the rows asked for are touched.
    """

    def pieces(self, texts: Sequence[str]) -> "list[NDArray[np.int64]]":
        """Return the piece ids of each text, in order, without special tokens or truncation."""
        return [_pieces_of(text) for text in texts]

    def vectors(self, pieces: "NDArray[np.int64]") -> "Vectors":
        """Return unit vectors, shape `(n, 384)`; zeros for the piece that stands for unknown words.

        The quantised table has a single scale, which cancels out.
        """
        import numpy as np

        rows = _table()[pieces].astype(np.float32) - np.float32(_ZERO_POINT)
        rows[pieces == UNKNOWN] = 0
        return _unit(rows)

    def expected_shares(self, words: "Sequence[NDArray[np.int64]]") -> list[float]:
        """Estimate the share of English texts that contain each word, from the rarest of its pieces."""
        ranks = [max(int(ids.max(initial=0)) - _FIRST_WORD + 1, 1) for ids in words]
        return [min(_MOST_COMMON, _RARITY / rank) for rank in ranks]


class MultilingualWordPieces:
    """Implements `core.protocols.WordPieces` with the pieces of multilingual-e5-small; ignores case and accents.

    A run of characters that no piece spells gets an id of its own and a vector unlike all others: it matches only
    itself.
    """

    def pieces(self, texts: Sequence[str]) -> "list[NDArray[np.int64]]":
        """Return the piece ids of each text, in order, without special tokens or truncation."""
        return [_multilingual_pieces_of(text) for text in texts]

    def vectors(self, pieces: "NDArray[np.int64]") -> "Vectors":
        """Return unit vectors, shape `(n, 384)`."""
        import numpy as np

        from memchat.llm import e5

        unknown = pieces >= _UNKNOWN_RUNS
        rows = e5.piece_vectors(np.where(unknown, e5.UNKNOWN, pieces))
        for at in np.flatnonzero(unknown):
            rows[at] = np.random.default_rng(int(pieces[at])).standard_normal(e5.DIMENSION)
        return _unit(rows)

    def expected_shares(self, words: "Sequence[NDArray[np.int64]]") -> list[float]:
        """Estimate the share of texts that contain each word, from the rarest of its pieces."""
        from memchat.llm import e5

        rarest = [min((e5.log_probability(int(number)) for number in ids), default=0.0) for ids in words]
        return [min(_MOST_COMMON, _PIECES_A_TEXT * math.exp(score)) for score in rarest]


_UNKNOWN_RUNS = 1 << 20
"""Ids from here on belong to runs of characters that the multilingual vocabulary lacks."""


@functools.lru_cache(maxsize=5_000)
def _multilingual_pieces_of(text: str) -> "NDArray[np.int64]":
    import numpy as np

    from memchat.llm import e5

    known, plain = e5.vocabulary(), without_accents(without_points(text).casefold())
    ids = [known.get(piece) or _UNKNOWN_RUNS + zlib.crc32(piece.encode()) for piece in e5.split(plain)]
    return np.array([number for number in ids if number != e5.SPACE], dtype=np.int64)


def _unit(rows: "Vectors") -> "Vectors":
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = rows / np.maximum(lengths, np.float32(1e-6))
    return unit


@functools.lru_cache(maxsize=5_000)
def _pieces_of(text: str) -> "NDArray[np.int64]":
    """Return the pieces of a text word by word: words recur, so a cache is many times as fast as the tokenizer."""
    import numpy as np

    if _PLAIN.fullmatch(text):
        ids = [piece for word in _WORD.findall(text.lower()) for piece in _WORDS[word]]
    else:
        ids = _encode(fix_surrogates(text))
    return np.array(ids, dtype=np.int64)


class _Words(dict[str, list[int]]):
    """Cache of the pieces of every word met so far."""

    def __missing__(self, word: str) -> list[int]:
        if len(self) >= _MOST_WORDS:
            self.clear()
        found = self[word] = _encode(word)
        return found


_WORDS = _Words()


def _encode(text: str) -> list[int]:
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False).ids
    return ids


@functools.cache
def _table() -> "NDArray[np.uint8]":
    """Load the quantised vectors, shape `(pieces, 384)`."""
    import numpy as np

    return np.memmap(MODEL_FILE, dtype=np.uint8, mode="r", offset=_OFFSET, shape=_SHAPE)
