"""What a process asks of the C library to stay small."""

import subprocess
import sys

import pytest

ARENAS = """
import ctypes, sys, tempfile, threading
from memchat.memory_use import limit_arenas, return_freed_memory

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    print("unknown")
    sys.exit()
if sys.argv[1] == "limited":
    limit_arenas()
    return_freed_memory()
everyone = threading.Barrier(9)

def allocate():
    kept = [bytearray(10_000) for _ in range(20)]
    everyone.wait()
    everyone.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
everyone.wait()
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile("r") as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count("<heap nr="))
everyone.wait()
"""


def arenas(how: str) -> int:
    """The number of arenas of a process with eight threads that allocate."""
    command = [sys.executable, "-c", ARENAS, how]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if said == "unknown":
        pytest.skip("this C library does not tell")
    return int(said)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has arenas")
def test_threads_share_two_arenas() -> None:
    """By default each of them gets its own."""
    assert arenas("limited") <= 2 < arenas("default")
