"""Our own Python in a process of its own, for what this one must not do, or might not survive."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_isolated_python(
    arguments: Sequence[str], given: bytes, timeout_s: float | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Python run with `arguments`, `given` on its standard input. Raises TimeoutExpired; a failure is in the result.

    -P and the very same path: nothing in the current folder may pass for a module of ours or of Python's.
    """
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    return subprocess.run(
        [sys.executable, "-P", "-W", "ignore", *arguments],
        input=given,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=timeout_s,
        check=False,
    )
