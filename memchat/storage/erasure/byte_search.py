"""Search for thousands of byte strings at once: the time grows with the bytes searched, not with the strings."""

from collections import Counter
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHORTEST = 4
"""Shortest byte string accepted; shorter ones occur everywhere."""
FEW = 32
"""Up to this many strings are searched one by one, which needs no numpy."""
_WIDTHS = (8, 4)
_PLACES_TRIED = 8
_SLOT_BITS = 20


class ByteSearcher:
    """A set of byte strings to find, none shorter than SHORTEST."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        every = list(dict.fromkeys(needles))
        self.longest = max(map(len, every), default=0)
        self._few = every if len(every) <= FEW else []
        left = [] if self._few else every
        self._keyed = []
        for width in _WIDTHS:
            fitting, left = [n for n in left if len(n) >= width], [n for n in left if len(n) < width]
            if fitting:
                self._keyed.append(_Keyed(fitting, width))

    def within(self, data: bytes) -> Generator[tuple[int, bytes]]:
        """Yield every position of every string in `data`, in no particular order."""
        for needle in self._few:
            at = data.find(needle)
            while at >= 0:
                yield at, needle
                at = data.find(needle, at + 1)
        for keyed in self._keyed:
            yield from keyed.within(data)


class _Keyed:
    """Each string is found by a key of `width` bytes from its rarest part, which is looked up at every position."""

    def __init__(self, needles: list[bytes], width: int) -> None:
        import numpy as np

        self._np = np
        self._width = width
        self._kind = np.dtype(f"<u{width}")
        self._by_key: dict[int, list[tuple[int, bytes]]] = {}
        shared = Counter(key for needle in needles for key in dict.fromkeys(_keys(needle, width).values()))
        for needle in needles:
            keys = _keys(needle, width)
            at = min(keys, key=lambda place: (len(set(keys[place])) == 1, shared[keys[place]]))
            self._by_key.setdefault(int.from_bytes(keys[at], "little"), []).append((at, needle))
        self._sorted = np.array(sorted(self._by_key), dtype=np.uint64)
        self._taken = np.zeros(1 << _SLOT_BITS, dtype=bool)
        self._taken[self._slots(self._sorted)] = True

    def within(self, data: bytes) -> Generator[tuple[int, bytes]]:
        np = self._np
        for shift in range(self._width):
            count = (len(data) - shift) // self._width
            if count <= 0:
                return
            keys = np.frombuffer(data, dtype=self._kind, count=count, offset=shift).astype(np.uint64)
            maybe = np.flatnonzero(self._taken[self._slots(keys)])
            near = np.minimum(np.searchsorted(self._sorted, keys[maybe]), len(self._sorted) - 1)
            for index in maybe[self._sorted[near] == keys[maybe]].tolist():
                for at, needle in self._by_key[int(keys[index])]:
                    start = index * self._width + shift - at
                    if start >= 0 and data.startswith(needle, start):
                        yield start, needle

    def _slots(self, keys: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
        """Hash the keys to slots by multiplication (Knuth 6.4)."""
        return (keys * self._np.uint64(0x9E3779B97F4A7C15)) >> self._np.uint64(64 - _SLOT_BITS)


def _keys(needle: bytes, width: int) -> dict[int, bytes]:
    """Return some parts of `needle` by position, spread evenly from its beginning to its end."""
    last = len(needle) - width
    places = {last * number // (_PLACES_TRIED - 1) for number in range(_PLACES_TRIED)}
    return {place: needle[place : place + width] for place in sorted(places)}
