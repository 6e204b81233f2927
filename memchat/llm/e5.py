"""multilingual-e5-small as int8 and 4-bit files: sentence vectors and word pieces for about a hundred languages.

The vocabulary has 250,002 pieces. A tokenizer of the `tokenizers` library takes 280 MB and seconds to load it; the
search for the best split below does the same with a table of 7 MB.
"""

import functools
import re
import unicodedata
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

from memchat.llm.builtin_fingerprint import MULTILINGUAL_DIMENSION
from memchat.llm.onnx import OnnxModel
from memchat.llm.piece_ids import PieceIds
from memchat.text.normalize import fix_surrogates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memchat.core.protocols import Vectors

FOLDER = Path(__file__).parent / "builtin" / "multilingual"
ENCODER_FILE = FOLDER / "encoder_int8.onnx"
VECTORS_FILE = FOLDER / "words_q4.bin"
POSITIONS_FILE = FOLDER / "positions.npy"
PIECES_FILE = FOLDER / "pieces.txt"
SCORES_FILE = FOLDER / "scores.npy"
DIRECTIONS_FILE = FOLDER / "language_directions.npy"
SHA256 = {
    ENCODER_FILE: "b66c9bc6230ebe1906dcac0a56eda1df09c327b16aaa16197164cff22919cc17",
    VECTORS_FILE: "3bdb42d56fa5ba2b3d0630d4187eacdbe8ac6a4c83c762b209ded1377dbc50e2",
    POSITIONS_FILE: "e226f2718d865eff9d8b313fdf03e72492374015e8df84e63d06ec6039950b6a",
    PIECES_FILE: "3e8d27b254845a0251bc7d6087db5afc1d67fa8bc89482334b40aec28fdc1f50",
    SCORES_FILE: "39958cae87dd7965d2d9167d461964ac16c5eef4c443760bc221fb0b9736476d",
    DIRECTIONS_FILE: "c25b0667a03e24f216c83d4c2ac19046aa76fae80c79861cd6f5b4d8cc9f965f",
}

DIMENSION = MULTILINGUAL_DIMENSION
START, END, UNKNOWN, SPACE = 0, 2, 3, 6
"""The ids of special pieces; SPACE is a lone word boundary."""

_SPACE = "\u2581"
_MAX_PIECES = 512
_MAX_CHARACTERS = 8_192
"""A piece has at most 16 characters, so that the pieces that count are within these."""
_LONGEST_PIECE = 16
_CACHED_WORD = 32
"""Maximum length of a cached word, in characters; longer ones are sentences in scripts without spaces."""
_ROWS = 250_037
_BLOCKS, _BLOCK_BYTES = 12, 18


class E5:
    """Embed texts. Only the first 510 word pieces of a text count.

    The model was trained with "query: " before requests and "passage: " before the texts that answer them.
    """

    def __init__(self) -> None:
        self._model = OnnxModel(ENCODER_FILE)

    def vector(self, text: str) -> "Vectors":
        """Return the unit vector of `text`, shape `(1, 384)`; one text at a time, as explained in `MiniLM.vector`."""
        import numpy as np

        ids = [START, *ids_of(text[:_MAX_CHARACTERS])[: _MAX_PIECES - 2], END]
        words = piece_vectors(np.array(ids)) + _positions()[: len(ids)]
        vectors = self._model.run(words=words[np.newaxis])
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def ids_of(text: str) -> list[int]:
    """Return the piece ids of `text`, without special ones."""
    numbers = map(vocabulary().get, split(text))
    return [UNKNOWN if number is None else number for number in numbers]


def split(text: str) -> list[str]:
    """Return the pieces of `text` as strings; a run of characters that the vocabulary lacks is one piece."""
    plain = re.sub(" {2,}", " ", unicodedata.normalize("NFKC", fix_surrogates(text))).replace(" ", _SPACE)
    if not plain:
        return []
    marked = plain if plain.startswith(_SPACE) else _SPACE + plain
    pieces: list[str] = []
    for word in re.findall(f"{_SPACE}[^{_SPACE}]*", marked):
        pieces += _cached_split(word) if len(word) <= _CACHED_WORD else _best_split(word)
    return pieces


def _best_split(word: str) -> tuple[str, ...]:
    """Return the pieces of `word` with the highest sum of log probabilities (unigram model, Viterbi's algorithm)."""
    pieces, scores, unknown = vocabulary(), _scores(), _unknown_score()
    best = [0.0, *[float("-inf")] * len(word)]
    begins = [0] * (len(word) + 1)
    for start in range(len(word)):
        for end in range(start + 1, min(len(word), start + _LONGEST_PIECE) + 1):
            known = pieces.get(word[start:end])
            if known is None and end > start + 1:
                continue
            score = best[start] + (unknown if known is None else scores[known])
            if score > best[end]:
                best[end], begins[end] = score, start
    # Back from the end of the word; adjacent unknown pieces are joined.
    found: list[str] = []
    end = len(word)
    while end:
        piece = word[begins[end] : end]
        if found and piece not in vocabulary() and found[-1] not in vocabulary():
            found[-1] = piece + found[-1]
        else:
            found.append(piece)
        end = begins[end]
    return tuple(reversed(found))


_cached_split = functools.lru_cache(maxsize=50_000)(_best_split)


def piece_vectors(ids: "NDArray[np.int64]") -> "Vectors":
    """Return the input vectors of pieces, shape `(n, 384)`. The table is memory-mapped: only these rows are read.

    A block holds a float16 scale and 16 bytes; byte j has value j in its low and value j + 16 in its high half.
    """
    import numpy as np

    blocks = _table()[ids]
    scales = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16).astype(np.float32)
    halves = np.concatenate([blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4], axis=2)
    rows: Vectors = ((halves.astype(np.float32) - 8) * scales).reshape(len(ids), DIMENSION)
    return rows


@functools.cache
def vocabulary() -> PieceIds:
    """Load the ids by piece."""
    return PieceIds(PIECES_FILE)


def log_probability(piece: int) -> float:
    """Return the frequency of a piece in text of all languages, as a natural logarithm."""
    return _scores()[piece] if piece < len(_scores()) else _unknown_score()


@functools.cache
def _scores() -> "array[float]":
    """Load the logarithms of the pieces' probabilities. Items of an array are read faster than numpy's."""
    import numpy as np

    return array("f", np.load(SCORES_FILE).tobytes())


@functools.cache
def _unknown_score() -> float:
    """Return the score of unknown pieces, ten below the rarest piece as in SentencePiece."""
    return min(_scores()) - 10


@functools.cache
def _table() -> "NDArray[np.uint8]":
    import numpy as np

    return np.memmap(VECTORS_FILE, dtype=np.uint8, mode="r", shape=(_ROWS, _BLOCKS, _BLOCK_BYTES))


@functools.cache
def _positions() -> "Vectors":
    import numpy as np

    positions: Vectors = np.load(POSITIONS_FILE, mmap_mode="r")
    return positions
