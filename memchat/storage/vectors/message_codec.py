"""Encode a message's vectors for the database: one signed byte per number, the window's row first.

Unit vectors lose nothing that ranking sees by it: the scale of a row drops out when it is made a unit vector again.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memchat.core.protocols import Vectors

MAX_BYTES = 4_000
"""Maximum size of the vectors of one message, in bytes."""
MOST_ROWS = 10
_LARGEST = 127


def most_rows(dim: int) -> int:
    """Return the maximum number of vectors of `dim` numbers of a message."""
    return max(1, min(MOST_ROWS, MAX_BYTES // max(dim, 1)))


def encode_rows(rows: "Vectors") -> bytes:
    """Encode `rows`, shape `(n, dim)`, as `n * dim` bytes."""
    import numpy as np

    peak = np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.float32(1e-9))
    data: bytes = np.rint(rows * (_LARGEST / peak)).astype(np.int8).tobytes()
    return data


def decode_rows(data: bytes, dim: int) -> "Vectors":
    """Return unit vectors, shape `(n, dim)`; none if the bytes are not whole rows."""
    import numpy as np

    if not data or not dim or len(data) % dim:
        return np.zeros((0, dim), dtype=np.float32)
    rows = np.frombuffer(data, dtype=np.int8).reshape(-1, dim).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = rows / np.maximum(lengths, np.float32(1e-9))
    return unit


def decode_each(encoded: "Sequence[bytes | None]", dim: int) -> "list[Vectors]":
    """Apply `decode_rows` to each of `encoded`, in one step."""
    import numpy as np

    usable = [data if data and dim and len(data) % dim == 0 else b"" for data in encoded]
    ends = np.cumsum([len(data) // max(dim, 1) for data in usable])
    return np.split(decode_rows(b"".join(usable), dim), ends[:-1]) if usable else []


def first_columns(data: bytes, dim: int, first: int) -> bytes:
    """Return the bytes of the `first` columns of encoded rows of `dim` numbers; none if they are not whole rows."""
    import numpy as np

    if first == dim:
        return data
    if len(data) % dim:
        return b""
    return np.frombuffer(data, dtype=np.int8).reshape(-1, dim)[:, :first].tobytes()
