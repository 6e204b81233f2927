"""Word pieces and their input vectors, read from the built-in embedder's own files."""

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memchat.llm.builtin_embedder import DIMENSION, MODEL_FILE, tokenizer
from memchat.text.normalize import fix_surrogates

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
"""What BERT's tokenizer splits at spaces and marks and nowhere else. Square brackets may be special tokens."""
_WORD = re.compile(rf"[0-9{_LETTERS}]+|[!-/:-@\\-`{{-~{_MARKS}]")

_MOST_WORDS = 50_000


class BuiltinWordPieces:
    """Implements `core.protocols.WordPieces`. The table is mapped, not read: only the rows asked for are touched."""

    def pieces(self, texts: Sequence[str]) -> "list[NDArray[np.int64]]":
        """The piece ids of each text, in order, without special tokens, however long the text is."""
        return [_pieces_of(text) for text in texts]

    def vectors(self, pieces: "NDArray[np.int64]") -> "Vectors":
        """Unit vectors, shape `(n, 384)`. The scale of the quantised table is one number and so drops out."""
        import numpy as np

        rows = _table()[pieces].astype(np.float32) - np.float32(_ZERO_POINT)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: Vectors = rows / np.maximum(lengths, np.float32(1e-6))
        return unit


@functools.lru_cache(maxsize=5_000)
def _pieces_of(text: str) -> "NDArray[np.int64]":
    """Word by word, for words recur: a hundred texts come many times as fast as from the tokenizer. So do memories."""
    import numpy as np

    if _PLAIN.fullmatch(text):
        ids = [piece for word in _WORD.findall(text.lower()) for piece in _WORDS[word]]
    else:
        ids = _encoded(fix_surrogates(text))
    return np.array(ids, dtype=np.int64)


class _Words(dict[str, list[int]]):
    """The pieces of every word met so far."""

    def __missing__(self, word: str) -> list[int]:
        if len(self) >= _MOST_WORDS:
            self.clear()
        found = self[word] = _encoded(word)
        return found


_WORDS = _Words()


def _encoded(text: str) -> list[int]:
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False).ids
    return ids


@functools.cache
def _table() -> "NDArray[np.uint8]":
    """The quantised vectors, shape `(pieces, 384)`."""
    import numpy as np

    return np.memmap(MODEL_FILE, dtype=np.uint8, mode="r", offset=_OFFSET, shape=_SHAPE)
