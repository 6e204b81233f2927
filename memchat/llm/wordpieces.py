"""Word pieces and their input vectors, read from the built-in embedder's own files."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memchat.llm.builtin_embedder import DIMENSION, MODEL_FILE, tokenizer
from memchat.text.normalize import well_formed

if TYPE_CHECKING:
    import mmap

    import numpy as np
    from numpy.typing import NDArray

    from memchat.core.protocols import Vectors

_TABLE = b"m.embeddings.word_embeddings.weight_quantized"
_ZERO_POINT = b"m.embeddings.word_embeddings.weight_zero_point"

# Field numbers in onnx.proto: ModelProto.graph, GraphProto.initializer, and those of TensorProto.
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _INT32_DATA, _NAME, _RAW_DATA = 1, 5, 8, 9

_LETTERS = "a-zA-Z\u00c0-\u012f\u0131-\u017f"
_MARKS = "\u2010-\u2015\u2018-\u201f\u2026"
_PLAIN = re.compile(rf"[\t\n\r -Z\\-~{_LETTERS}{_MARKS}]*")
"""What BERT's tokenizer splits at spaces and marks and nowhere else. Square brackets may be special tokens."""
_WORD = re.compile(rf"[0-9{_LETTERS}]+|[!-/:-@\\-`{{-~{_MARKS}]")

_MOST_WORDS = 50_000

_VARINT, _SIXTY_FOUR_BITS, _BYTES = 0, 1, 2


class BuiltinLexicon:
    """Implements `memory.ports.Lexicon`. The table is mapped, not read: only the rows asked for are touched."""

    def pieces(self, texts: Sequence[str]) -> "list[NDArray[np.int64]]":
        """The piece ids of each text, in order, without special tokens, however long the text is."""
        return [_pieces_of(text) for text in texts]

    def vectors(self, pieces: "NDArray[np.int64]") -> "Vectors":
        """Unit vectors, shape `(n, 384)`. The scale of the quantised table is one number and so drops out."""
        import numpy as np

        table, zero_point = _table()
        rows = table[pieces].astype(np.float32) - zero_point
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
        ids = _encoded(well_formed(text))
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
def _table() -> "tuple[NDArray[np.uint8], np.float32]":
    """The quantised vectors, shape `(pieces, 384)`, and the number that stands for zero in them."""
    import mmap

    import numpy as np

    with MODEL_FILE.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        tensors = {tensor.name: tensor for tensor in _initializers(data)}
        table, zero_point = tensors[_TABLE], tensors[_ZERO_POINT]
        zero, _ = _varint(data, zero_point.start)
    if len(table.shape) != 2 or table.shape[1] != DIMENSION:
        raise ValueError(f"{MODEL_FILE} holds word vectors of shape {table.shape}, not (pieces, {DIMENSION})")
    rows = np.memmap(MODEL_FILE, dtype=np.uint8, mode="r", offset=table.start, shape=table.shape)
    return rows, np.float32(zero)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """An initializer: `start` is where its values begin in the file."""

    name: bytes
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a protobuf message: the number itself for varints, else the bytes from `start` to `end`."""

    number: int
    value: int
    start: int
    end: int


def _initializers(data: "mmap.mmap") -> Iterator[_Tensor]:
    for graph in _fields(data, 0, len(data)):
        if graph.number != _GRAPH:
            continue
        for field in _fields(data, graph.start, graph.end):
            if field.number == _INITIALIZER:
                yield _tensor(data, field)


def _tensor(data: "mmap.mmap", message: _Field) -> _Tensor:
    name, shape, start = b"", [], 0
    for field in _fields(data, message.start, message.end):
        if field.number == _NAME:
            name = data[field.start : field.end]
        elif field.number == _DIMS:
            shape.append(field.value)
        elif field.number in (_RAW_DATA, _INT32_DATA):
            start = field.start
    return _Tensor(name, tuple(shape), start)


def _fields(data: "mmap.mmap", position: int, end: int) -> Iterator[_Field]:
    """The fields of the message between `position` and `end` (protobuf's wire format), without looking inside them."""
    while position < end:
        key, position = _varint(data, position)
        kind, value, start = key & 7, 0, position
        if kind == _VARINT:
            value, position = _varint(data, position)
        elif kind == _BYTES:
            size, start = _varint(data, position)
            position = start + size
        else:
            position += 8 if kind == _SIXTY_FOUR_BITS else 4
        yield _Field(key >> 3, value, start, position)


def _varint(data: "mmap.mmap", position: int) -> tuple[int, int]:
    """The number at `position`, seven bits a byte with the lowest first, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position
