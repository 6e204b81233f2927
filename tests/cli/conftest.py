"""The command line over real parts: in this process, or as a program of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest

from memchat.cli.main import run

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"
"""An address where nothing listens."""


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs command lines against one home, with no key and no Ollama about."""

    monkeypatch: pytest.MonkeyPatch
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str | bytes = "", env: Mapping[str, str] | None = None) -> Outcome:
        """In this process: quick. There is no terminal."""
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = io.StringIO(), io.StringIO()
        with self.monkeypatch.context() as patch:
            for name in os.environ:
                patch.delenv(name)
            for name, value in {**self.environ, **(env or {})}.items():
                patch.setenv(name, value)
            patch.chdir(self.home.parent)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = run(list(arguments))
        return Outcome(code, out.getvalue(), err.getvalue())

    def program(
        self, *arguments: str, stdin: bytes | None = b"", env: Mapping[str, str] | None = None, code: str | None = None
    ) -> Outcome:
        """As a program of its own; `code` is Python to run in place of it."""
        command = [sys.executable, *(("-c", code) if code else ("-m", "memchat")), *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            env={**self.environ, **(env or {})},
            cwd=self.home.parent,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def at_terminal(
        self, *arguments: str, env: Mapping[str, str] | None = None, size: tuple[int, int] = (80, 24)
    ) -> Outcome:
        """As a program of its own at a pseudo-terminal, where both streams are one."""
        columns, lines = size
        child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-m", "memchat", *arguments],
            env={**self.environ, "TERM": "xterm-256color", "PAGER": "cat", **(env or {})},
            cwd=str(self.home.parent),
            dimensions=(lines, columns),
            encoding="utf-8",
            timeout=180,
        )
        shown = child.read().replace("\r\n", "\n")
        child.close()
        return Outcome(child.exitstatus if child.exitstatus is not None else -1, shown, "")

    def add(self, *texts: str, user: str = "alice", options: tuple[str, ...] = ()) -> list[str]:
        """Memories of `user`; returns their ids."""
        added = self.run("memories", "add", *texts, "--user", user, "--json", *options)
        assert added.code == 0, added.err
        return [memory["id"] for memory in added.json]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environ = {
        **kept,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "MEMCHAT_HOME": str(tmp_path / "home"),
        "MEMCHAT_USER": "alice",
        "OLLAMA_API_BASE": NOWHERE,
    }
    return Shell(monkeypatch, tmp_path / "home", environ)
