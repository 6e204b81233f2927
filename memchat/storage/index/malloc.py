"""What this process gave back of its memory is overwritten: Chroma writes what it finds in fresh memory to the disk.

Its HNSW files hold room for vectors to come, which is memory as `malloc` gave it. Without this, texts and ids of
memories that were forgotten in a running chat lay in `data_level0.bin` of the index built afterwards.
"""

import ctypes
import sys
from functools import cache

_M_PERTURB = -6
"""glibc's `mallopt`: memory is filled when it is freed with this byte, and with its complement when it is given out."""
_FREED = 0xFF


@cache
def overwrite_freed_memory() -> None:
    """From now on, in all threads, as far as the C library can; it costs no time that could be measured."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_PERTURB, _FREED)
