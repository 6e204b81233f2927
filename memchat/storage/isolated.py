"""Run our own Python in a child process, for what this process must not do or might not survive."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def run_isolated_python(
    arguments: Sequence[str], given: bytes, timeout_s: float | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run Python with `arguments` and `given` on standard input. Raises TimeoutExpired; a failure is in the result.

    The flag -P and the same path keep modules in the current folder from shadowing ours or Python's.
    """
    entries = []
    for entry in sys.path:
        # A relative entry has no absolute path if the working folder was deleted.
        with suppress(FileNotFoundError):
            entries.append(str(Path(entry).absolute()))
    return subprocess.run(
        [sys.executable, "-P", "-W", "ignore", *arguments],
        input=given,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entries)},
        timeout=timeout_s,
        check=False,
    )
