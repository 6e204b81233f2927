"""The vectors of one owner's memories in one block of memory, and the nearest of them."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memchat.core.protocols import Vectors

DELETED = -1
"""Replaces a memory's number when its rows are no longer valid."""
GROWTH_FACTOR = 1.25
"""Factor by which the block exceeds the need when it grows."""


def best_cosines(rows: "Vectors", query: "Vectors") -> "NDArray[np.float32]":
    """Return the highest cosine of each of `rows` to any row of `query`; all are unit rows."""
    best: NDArray[np.float32] = rows @ query[0]
    for further in query[1:]:
        # Row by row took two thirds of the time of one product with all rows.
        np.maximum(best, rows @ further, out=best)
    return best


def with_room(array: "NDArray[Any]", used: int, more: int) -> "NDArray[Any]":
    """Return `array`, or a larger copy of its first `used` entries, with room for `more` after them."""
    if used + more <= len(array):
        return array
    larger = np.empty((int((used + more) * GROWTH_FACTOR) + 16, *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger


class VectorMatrix:
    """Memories in slots, each with consecutive rows of one float32 matrix `(rows, dim)`.

    A changed memory gets a new slot at the end. The block is packed again once a quarter of its slots are free.
    """

    def __init__(self, dim: int, memories: int = 0, rows: int = 0) -> None:
        self.dim = dim
        self._matrix: Vectors = np.empty((rows, dim), np.float32)
        self._starts: NDArray[np.int64] = np.empty(memories + 1, np.int64)
        self._numbers: NDArray[np.int64] = np.empty(memories, np.int64)
        self._current: NDArray[np.bool_] = np.empty(memories, np.bool_)
        self._slots: dict[int, int] = {}
        self._used = self._rows = 0
        self._starts[0] = 0

    def __len__(self) -> int:
        """Number of memories."""
        return len(self._slots)

    @property
    def size_bytes(self) -> int:
        return self._matrix.nbytes + self._numbers.nbytes * 3 + len(self._slots) * 100

    def extend(self, memories: Sequence[tuple[int, bool, bytes]]) -> None:
        """Add memories as `(number, current, vectors)`, the vectors as float32 bytes row after row.

        A memory whose bytes are not a whole number of rows is skipped.
        """
        width = 4 * self.dim
        whole = [memory for memory in memories if memory[2] and len(memory[2]) % width == 0]
        self._matrix = with_room(self._matrix, self._rows, sum(len(blob) // width for _, _, blob in whole))
        self._numbers = with_room(self._numbers, self._used, len(whole))
        self._current = with_room(self._current, self._used, len(whole))
        self._starts = with_room(self._starts, self._used + 1, len(whole))
        for number, current, blob in whole:
            self._append(number, current, np.frombuffer(blob, np.float32).reshape(-1, self.dim))

    def replace(self, number: int, vectors: bytes | None, current: bool) -> None:
        """Replace the memory `number` by its present state; None removes it."""
        slot = self._slots.pop(number, None)
        if slot is not None:
            self._numbers[slot], self._current[slot] = DELETED, False
        if vectors:
            self.extend([(number, current, vectors)])
        if self._used - len(self._slots) > max(64, self._used // 4):
            packed = VectorMatrix(self.dim, len(self._slots), self._rows)
            for known, slot in self._slots.items():
                rows = self._matrix[self._starts[slot] : self._starts[slot + 1]]
                packed._append(known, bool(self._current[slot]), rows)
            self.__dict__.update(packed.__dict__)

    def nearest(self, query: "Vectors", limit: int, allowed: Collection[int] | None = None) -> list[tuple[int, float]]:
        """Return the `limit` memories with the highest cosine of any row to any row of `query`, best first.

        Ties go to the lower number, except at the limit itself.
        """
        if not self._slots:
            return []
        scores = best_cosines(self._matrix[: self._rows], query)
        if self._rows > self._used:
            scores = np.maximum.reduceat(scores, self._starts[: self._used])
        if allowed is None:
            slots = np.flatnonzero(self._current[: self._used])
        else:
            slots = np.unique([self._slots[number] for number in allowed if number in self._slots]).astype(np.intp)
        if len(slots) > limit:
            slots = slots[np.argpartition(-scores[slots], limit - 1)[:limit]]
        numbers = self._numbers[slots]
        order = np.lexsort((numbers, -scores[slots]))
        return [(int(numbers[i]), float(scores[slots[i]])) for i in order]

    def _append(self, number: int, current: bool, rows: "Vectors") -> None:
        end = self._rows + len(rows)
        self._matrix[self._rows : end] = rows
        self._numbers[self._used], self._current[self._used] = number, current
        self._slots[number] = self._used
        self._used, self._rows = self._used + 1, end
        self._starts[self._used] = end
