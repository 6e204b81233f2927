"""The disk fills up in the middle of anything: a clear sentence, and nothing is lost that was acknowledged."""

import json
import os
import random
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from memchat.app import utc_now
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.store import Store
from tests.cli.conftest import Outcome, Shell, shell
from tests.cli.damaged import SEVERAL, sound
from tests.storage.memory_factories import holding

__all__ = ["shell"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no file size limit to set")

DISK_BYTES = 6 << 20
MOST_SPARE = 700_000
"""As much room as is left at most, in bytes: enough for a few commands, not for all of them."""
LITTLE_SPARE = 110_000
"""Enough to open the database; not enough for every write to it."""
ALICE = Owner.user("alice")
LIMITED = """
import os, resource
largest = int(os.environ["LARGEST_FILE"])
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
"""


@dataclass(frozen=True)
class Disk(ABC):
    """Where the home is, and how it gets full."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @abstractmethod
    def fill(self, spare: int) -> dict[str, str]:
        """From now on there is room for `spare` bytes; returns what the program's environment must say."""

    @abstractmethod
    def free(self) -> None: ...


class SmallDisk(Disk):
    """A file system of its own."""

    def fill(self, spare: int) -> dict[str, str]:
        left = os.statvfs(self.folder)
        with suppress(OSError):
            (self.folder / "filler").write_bytes(bytes(max(0, left.f_bavail * left.f_bsize - spare)))
        return {"LARGEST_FILE": str(1 << 40)}

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)


class SmallFiles(Disk):
    """No file may grow beyond a size."""

    def fill(self, spare: int) -> dict[str, str]:
        largest = max((path.stat().st_size for path in self.home.rglob("*")), default=0)
        return {"LARGEST_FILE": str(min(largest, MOST_SPARE) + spare)}

    def free(self) -> None:
        """The next program has no limit."""


@pytest.fixture(params=["size-limited file system", "limit on file size"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "limit on file size":
        yield SmallFiles(tmp_path)
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount; the limit on file size is tested anyway")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@dataclass
class Ledger:
    """What was acknowledged and what was only tried."""

    kept: dict[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    failures: int = 0

    def note(self, line: Sequence[str], outcome: Outcome) -> None:
        if outcome.code:
            self.failures += 1
            # Chroma does not say why it could not write; that memchat does without the index is clear enough.
            assert "room" in outcome.err or (line[0] == "reindex" and "works without it" in outcome.err), outcome
        if line[:2] == ["memories", "add"]:
            self.tried.add(line[2])
            if not outcome.code:
                self.kept[outcome.json[0]["id"]] = line[2]
        elif line[0] == "ask":
            self.tried.add(line[1])
            if not outcome.code:
                self.said.add(line[1])
        elif line[0] == "forget":
            # Whether it had begun or not, it may be gone; where it was acknowledged it is.
            self.tried.add(self.kept.pop(line[1]))
            if not outcome.code:
                self.forgotten.add(line[1])


def some_lines(chance: random.Random, number: int, ledger: Ledger) -> list[list[str]]:
    """Command lines of one process, none of which depends on another."""
    lines: list[list[str]] = []
    for step in range(6):
        name = f"{number}-{step}"
        text = " ".join([f"User owns lamp {name}.", *["It is bright."] * chance.choice((0, 20))])
        lines.append(["memories", "add", text, "--json"])
        lines.append(["ask", f"My cat is called Cat{name}.", "--model", "offline"])
        lines.append(chance.choice((["reindex"], ["memories", "search", "lamp"], ["memories", "export"], ["status"])))
    lines += [["forget", memory_id, "--yes", "--json"] for memory_id in list(ledger.kept)[:1]]
    chance.shuffle(lines)
    return lines


def run(shell: Shell, lines: Sequence[Sequence[str]], environ: dict[str, str]) -> list[Outcome]:
    done = shell.program(json.dumps(lines), code=LIMITED + SEVERAL, env=environ)
    assert done.code == 0, f"ended with {done.code}: {done.err}"
    assert "Traceback" not in done.err, done.err
    came = [Outcome(*one) for one in json.loads(done.out)]
    for line, outcome in zip(lines, came, strict=True):
        sound(outcome, " ".join(line))
    return came


def check(shell: Shell, ledger: Ledger) -> None:
    """With room again: all that was acknowledged is there, what failed is caught up on, the doctor finds nothing."""
    found = shell.program("memories", "list", "--json")
    listed = {memory["id"]: memory["text"] for memory in found.json}
    assert ledger.kept.items() <= listed.items()
    assert not ledger.forgotten & listed.keys()
    assert shell.program("status", "--retry").code == 0
    fixed = shell.program("doctor", "--fix", "--json").json["findings"]
    ill = [one for one in fixed if one["health"] != "ok" and one["check"] not in {"disk", "model", "keys"}]
    assert ill == []
    assert holding(shell.home, *ledger.forgotten) == {}
    with Store(shell.home / "memchat.db", utc_now, FINGERPRINT) as store:
        said = store.conversations.recent_user_messages("alice", 10_000)
        assert ledger.said <= set(said) <= ledger.tried
        told = [m.text for m in store.memories.memories(MemoryFilter((ALICE,))) if m.source == "told"]
        assert len(told) == len(set(told))
        assert set(told) <= ledger.tried


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.soak)])
def test_a_disk_that_fills_up_loses_nothing(shell: Shell, disk: Disk, rounds: int) -> None:
    """Adding, asking, searching, reindexing, forgetting, each with as much room left as chance has it."""
    shell = replace(shell, home=disk.home, environ={**shell.environ, "MEMCHAT_HOME": str(disk.home)})
    chance, ledger = random.Random(rounds), Ledger()
    assert shell.program("memories", "add", "User likes room").code == 0
    ledger.tried.add("User likes room")
    for number in range(rounds):
        lines = some_lines(chance, number, ledger)
        environ = disk.fill(chance.randrange(chance.choice((LITTLE_SPARE, MOST_SPARE))))
        try:
            came = run(shell, lines, environ)
        finally:
            disk.free()
        for line, outcome in zip(lines, came, strict=True):
            ledger.note(line, outcome)
        check(shell, ledger)
    assert ledger.failures
    assert ledger.kept
