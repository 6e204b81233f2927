"""Look up the ids of word pieces in a table of a few megabytes.

A dictionary of e5's 250,002 pieces takes 36 MB. This hash table takes 7: the file of the pieces, and three arrays of
numbers. The hash of a piece is the remainder of its bytes, read as one number.
"""

from array import array
from pathlib import Path

BUCKETS = 524_287
"""A prime number, twice as many as pieces: most strings that are no piece hash to an empty bucket."""


class PieceIds:
    """The ids of the pieces in a file that has one a line, numbered from 0."""

    def __init__(self, path: Path) -> None:
        import numpy as np

        self._pieces = path.read_bytes() + b"\n"
        content = np.frombuffer(self._pieces, dtype=np.uint8)
        ends = np.flatnonzero(content == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1])
        lengths = ends - starts
        remainders = np.zeros(len(starts), dtype=np.int64)
        longer = np.arange(len(starts))
        for place in range(int(lengths.max())):
            longer = longer[lengths[longer] > place]
            remainders[longer] = (remainders[longer] * 256 + content[starts[longer] + place]) % BUCKETS
        order = np.argsort(remainders, kind="stable")
        first = np.concatenate([[0], np.cumsum(np.bincount(remainders, minlength=BUCKETS))])
        # Items of an array are read faster than numpy's.
        self._starts, self._order, self._first = (
            array("i", numbers.astype(np.int32).tobytes())
            for numbers in (np.concatenate([starts, ends[-1:] + 1]), order, first)
        )

    def get(self, piece: str) -> int | None:
        """Return the id of `piece`; None if there is no such piece."""
        wanted = piece.encode()
        bucket = int.from_bytes(wanted) % BUCKETS
        place, end = self._first[bucket], self._first[bucket + 1]
        while place < end:
            number = self._order[place]
            if self._pieces[self._starts[number] : self._starts[number + 1] - 1] == wanted:
                return number
            place += 1
        return None

    def __contains__(self, piece: str) -> bool:
        return self.get(piece) is not None
