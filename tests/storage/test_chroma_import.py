"""Chroma is loaded on the index's own thread, while another thread loads numpy."""

import subprocess
import sys
from pathlib import Path

BOTH = """
import sys, threading
from pathlib import Path
from memchat.storage.index.chroma import ChromaIndex

failed = []
threading.excepthook = lambda args: failed.append(args.exc_value)
ready = threading.Barrier(2)

def index():
    ready.wait()
    ChromaIndex(Path(sys.argv[1])).close()

thread = threading.Thread(target=index)
thread.start()
ready.wait()
import numpy
thread.join()
sys.exit(repr(failed[0]) if failed else 0)
"""


def test_numpy_may_be_loaded_by_another_thread_meanwhile(tmp_path: Path) -> None:
    """Neither gets a module that the other has only half made."""
    command = [sys.executable, "-c", BOTH, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
