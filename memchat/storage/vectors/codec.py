"""Encode a memory's vectors for the database: their kinds as a JSON list, their rows as float32 bytes.

The fingerprint of an embedder ends with its dimension, such as `:384`. An ending like `:384+384` means rows of 768
numbers: the first 384 find candidates, and all of them rank those.
"""

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from memchat.core.protocols import Embedded, VectorKind

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

_KINDS = frozenset({VectorKind.TEXT, VectorKind.JOINED, VectorKind.CUE, VectorKind.WINDOW, VectorKind.SENTENCE})
_OWN = frozenset({VectorKind.TEXT, VectorKind.JOINED, VectorKind.WINDOW})


def decode_vectors(kinds: str | None, rows: bytes | None, fingerprint: str) -> Embedded | None:
    """Decode the vectors of a row made by `fingerprint`; None if they cannot be that."""
    import numpy as np

    names = _names(kinds)
    if not rows or not names or len(rows) % (4 * len(names)):
        return None
    matrix = np.frombuffer(rows, dtype=np.float32).reshape(len(names), -1)
    return None if dimension_of(fingerprint) not in {None, matrix.shape[1]} else Embedded(names, matrix)


def dimension_of(fingerprint: str) -> int | None:
    """Return how many numbers a vector of `fingerprint` has; None if the fingerprint does not say."""
    return sum(_parts(fingerprint)) or None


def searched_dimension(fingerprint: str) -> int | None:
    """Return how many numbers of a vector of `fingerprint` find candidates; None if the fingerprint does not say."""
    return next(iter(_parts(fingerprint)), None)


def searched(rows: "Vectors", fingerprint: str) -> "Vectors":
    """Return the part of `rows` that finds candidates, normalised to unit rows."""
    parts = _parts(fingerprint)
    if len(parts) < 2:
        return rows
    import numpy as np

    first = rows[:, : parts[0]]
    unit: Vectors = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), np.float32(1e-6))
    return unit


def searched_bytes(rows: bytes | None, fingerprint: str) -> bytes | None:
    """Apply `searched` to rows as stored; return None if the bytes are not a whole number of rows."""
    dimension = dimension_of(fingerprint)
    if not rows or dimension is None or len(_parts(fingerprint)) < 2:
        return rows
    if len(rows) % (4 * dimension):
        return None
    import numpy as np

    return searched(np.frombuffer(rows, dtype=np.float32).reshape(-1, dimension), fingerprint).tobytes()


@lru_cache(maxsize=64)
def _parts(fingerprint: str) -> tuple[int, ...]:
    """Return the dimension in its parts; empty if it is unknown."""
    numbers = fingerprint.rpartition(":")[2].split("+")
    return tuple(map(int, numbers)) if all(number.isdecimal() for number in numbers) else ()


@lru_cache(maxsize=256)
def _names(kinds: str | None) -> tuple[str, ...]:
    try:
        names = json.loads(kinds or "[]")
        known = isinstance(names, list) and _KINDS.issuperset(names) and not _OWN.isdisjoint(names)
    except (ValueError, TypeError):
        return ()
    return tuple(names) if known else ()
