"""memchat in a pseudo-terminal, driven as a person drives it, with the times at which things happen."""

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from tests.benchmarks.measure import thread_cpu_s

PROMPT = b"\x1b[?2004h"
"""Bracketed paste is switched on whenever a prompt comes up, and off when its line is done."""
ASKS_POSITION = b"\x1b[6n"
GIVE_UP_S = 60.0


class TerminalRun:
    """A command with a terminal of its own. Use it in a `with` block, which ends it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.began = time.perf_counter()
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), {**env, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"})
        self._seen = b""

    def __enter__(self) -> "TerminalRun":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, by Ctrl-D first, so that it closes its index."""
        self.type(b"\x04")
        for ending in (None, signal.SIGTERM, signal.SIGKILL):
            if ending is not None:
                os.kill(self.pid, ending)
            if self._gone_within(10.0):
                break
        os.close(self._terminal)

    def type(self, keys: bytes) -> float:
        """Press `keys`; returns when."""
        self._seen = b""
        pressed = time.perf_counter()
        os.write(self._terminal, keys)
        return pressed

    def wait_for(self, shown: bytes) -> float:
        """Read what is shown until `shown` is among it, counted from the last key; returns when. TimeoutError."""
        until = time.monotonic() + GIVE_UP_S
        while shown not in self._seen:
            if time.monotonic() > until:
                raise TimeoutError(f"{shown!r} was not shown; the end of what was: {self._seen[-500:]!r}")
            self._read(0.05)
        return time.perf_counter()

    def cpu_s(self) -> tuple[float, float]:
        """Seconds of CPU so far: of all its threads, and of its first one."""
        used = thread_cpu_s(self.pid)
        return sum(used.values()), used[self.pid]

    def _read(self, patience_s: float) -> None:
        readable, _, _ = select.select([self._terminal], [], [], patience_s)
        if not readable:
            return
        new = os.read(self._terminal, 65_536)
        self._seen += new
        for _ in range(new.count(ASKS_POSITION)):
            os.write(self._terminal, b"\x1b[1;1R")

    def _gone_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            try:
                self._read(0.05)
            except OSError:
                time.sleep(0.01)
        return False
