"""Encoding of a memory's vectors in the database: their kinds as a JSON list, their rows as float32 bytes."""

import json
from functools import lru_cache

from memchat.core.protocols import Embedded, VectorKind

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


@lru_cache(maxsize=64)
def dimension_of(fingerprint: str) -> int | None:
    """Return how many numbers a vector of `fingerprint` has, where the fingerprint says so."""
    number = fingerprint.rpartition(":")[2]
    return int(number) if number.isdecimal() else None


@lru_cache(maxsize=256)
def _names(kinds: str | None) -> tuple[str, ...]:
    try:
        names = json.loads(kinds or "[]")
        known = isinstance(names, list) and _KINDS.issuperset(names) and not _OWN.isdisjoint(names)
    except (ValueError, TypeError):
        return ()
    return tuple(names) if known else ()
