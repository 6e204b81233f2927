"""Somebody who chats at a pseudo-terminal, and what they see on its screen."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pexpect
import pyte

from memchat.core.types import MessageStatus, Role
from tests.repl.harness import ScriptedApp, settings

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def hear_ctrl_c() -> None:
    """Also where the tests were started with Ctrl-C ignored, as in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Person:
    """Somebody at a terminal: types, and looks until something is there."""

    def __init__(
        self, home: Path, size: tuple[int, int] = (80, 24), *, early: str = "", shell: str = "", **environ: str
    ) -> None:
        usual = {"TEST_HOME": str(home), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        # Another test of this process may have loaded what sets these; they would outweigh the terminal's own size.
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        env = {**inherited, **usual, **environ}
        columns, lines = size
        command = [sys.executable, "-m", "tests.repl.harness"]
        if shell:
            command = ["bash", "--norc", "-ic", shell.format(" ".join(command))]
        self.child = pexpect.spawn(
            command[0], command[1:], cwd=str(ROOT), env=env, dimensions=(lines, columns), preexec_fn=hear_ctrl_c
        )
        if early:
            self.child.send(early)
        self.screen = pyte.Screen(columns, lines)
        self.screen.write_process_input = self.child.send
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = b""

    def type(self, keys: str) -> None:
        self.child.send(keys)

    def look(self) -> str:
        """The screen as it is now, trailing blanks apart."""
        try:
            got = self.child.read_nonblocking(65_536, timeout=0.05)
        except (pexpect.TIMEOUT, pexpect.EOF):
            got = b""
        self.bytes += got
        self._stream.feed(got)
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def see(self, pattern: str) -> str:
        """Look until `pattern` is on the screen; the screen then."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            shown = self.look()
            if re.search(pattern, shown, re.MULTILINE):
                return shown
        raise AssertionError(f"{pattern!r} never came; the screen is:\n{self.look()}")

    def prompt(self) -> str:
        """Look until the last line is an empty prompt."""
        return self.see(r"^❯\Z")

    def leave(self) -> int | None:
        """Look until the program has ended; its exit code."""
        end = time.monotonic() + PATIENCE_S
        while self.child.isalive() and time.monotonic() < end:
            self.look()
        self.look()
        self.child.close()
        code: int | None = self.child.exitstatus
        return code


def said(home: Path) -> list[tuple[Role, str, MessageStatus]]:
    """The last conversation as it is on disk."""
    with ScriptedApp(settings(home)) as app:
        last = app.store.conversations.latest_session("al", None)
        messages = app.store.conversations.messages(last.id) if last else []
        return [(message.role, message.text, message.status) for message in messages]
