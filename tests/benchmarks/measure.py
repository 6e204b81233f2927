"""How benchmarks measure: times of calls, CPU of commands, resident memory, room on the disk."""

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from tests.benchmarks.tables import machine


def milliseconds(call: Callable[[], object]) -> float:
    """How long `call` takes, by the wall."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def each_ms(call: Callable[[str], object], texts: Iterable[str]) -> list[float]:
    """How long `call` takes for each of `texts`, in milliseconds."""
    return [milliseconds(partial(call, text)) for text in texts]


def p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median and the 95th percentile, as tables show them."""
    return f"{median(values):.{digits}f} / {p95(values):.{digits}f}" if values else "–"


def command_cpu_s(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Seconds of CPU, user and system, that a command takes from beginning to end. Its output is thrown away.

    Raises CalledProcessError when it fails.
    """
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        complaint = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=complaint.decode(errors="replace"))
    return used.ru_utime + used.ru_stime


def thread_cpu_s(pid: int) -> dict[int, float]:
    """Seconds of CPU of each living thread of a process (Linux). The one that has the process's number is the first."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            used[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except FileNotFoundError:
            continue
    return used


def resident_mb(pid: int) -> float:
    """What a process holds in memory, in megabytes of 2**20 bytes."""
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(answer.stdout) / 1024


def disk_mb(path: Path) -> float:
    """What a file, or a folder and all in it, occupies, in megabytes of 2**20 bytes."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files) / 2**20


def conditions() -> str:
    """The machine, and how busy it was before the benchmark: other people's work makes every time longer."""
    return f"{machine()}; load {os.getloadavg()[0]:.1f}"
