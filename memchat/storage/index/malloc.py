"""Overwrite freed memory: Chroma writes uninitialised buffers to disk, which may hold deleted text.

Its HNSW files reserve room for later vectors, in memory as `malloc` returned it. Without this, texts and ids of
memories that were forgotten in a running chat lay in `data_level0.bin` of the index that was built afterwards.
"""

from functools import cache

from memchat.memory_use import set_malloc_option

_M_PERTURB = -6
"""glibc's `mallopt` option: fill memory with this byte when it is freed, and with its complement when it is allocated.
"""
_FREED = 0xFF


@cache
def overwrite_freed_memory() -> None:
    """Turn it on for all threads, as far as the C library can.

    New memory is overwritten, too, so that all of what is reserved from then on is resident.
    """
    set_malloc_option(_M_PERTURB, _FREED)
