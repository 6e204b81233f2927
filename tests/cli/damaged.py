"""A store of some size, ways to damage it, and a process that runs several command lines on what is left."""

import json
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from memchat.core.protocols import Embedded, VectorKind
from memchat.core.types import Add, Draft, Owner, Role
from memchat.llm.builtin_embedder import DIMENSION
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import rebuild_now
from memchat.storage.store import Store
from tests.cli.conftest import Outcome, Shell

INDEXED = 400
"""Three records each: more than a thousand, so that Chroma writes its HNSW files."""
LATER = 20
"""Memories that only the write-ahead log of the database holds."""

SEVERAL = """
import contextlib, io, json, sys, traceback
from memchat.cli.main import run
came = []
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(line)
        except BaseException:
            code = -1
            traceback.print_exc()
    came.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(came))
"""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is done to one file: `target` is a name, or a pattern below the home."""

    name: str
    target: str
    done: Callable[[Path], None]

    def inflict(self, home: Path) -> None:
        (path,) = home.glob(self.target)
        self.done(path)


def truncated(path: Path) -> None:
    """The second half is gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def zeroed_within(path: Path) -> None:
    """A block of 4 KB in the middle, as a disk loses it."""
    content, middle = path.read_bytes(), path.stat().st_size // 2 // 4096 * 4096
    path.write_bytes(content[:middle] + bytes(len(content[middle : middle + 4096])) + content[middle + 4096 :])


def flipped(path: Path, seed: int = 1, bits: int = 200) -> None:
    content = bytearray(path.read_bytes())
    chance = random.Random(seed)
    for _ in range(bits):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def flipped_early(path: Path) -> None:
    """In the first pages, where a file says what it is."""
    content = path.read_bytes()
    head = path.with_name("head")
    head.write_bytes(content[:16384])
    flipped(head, seed=2, bits=60)
    path.write_bytes(head.read_bytes() + content[16384:])
    head.unlink()


def deleted(path: Path) -> None:
    path.unlink()


def swapped(path: Path) -> None:
    """With the largest file of the index that is not itself."""
    home = next(parent for parent in path.parents if (parent / "index.lock").exists())
    others = [other for other in home.glob("index/**/*") if other.is_file() and other != path]
    other = max(others, key=lambda one: one.stat().st_size)
    mine = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(mine)


def prepared(home: Path) -> None:
    """A store with conversations, an index, and a write-ahead log as a killed process leaves it."""
    place = IndexConfig(home / "index", home / "index.lock", home / "memchat.db", FINGERPRINT)
    with _opened(home) as store:
        _learn(store, range(INDEXED))
        session = store.conversations.new_session("alice", None)
        store.conversations.record(session, Role.USER, "I collect stamps of number 1.")
    rebuild_now(place, lambda done, total: None)
    made = home.with_name("made")
    shutil.copytree(home, made)
    with _opened(made) as store:
        _learn(store, range(INDEXED, INDEXED + LATER))
        for name in ("memchat.db", "memchat.db-wal"):
            shutil.copy2(made / name, home / name)
    shutil.rmtree(made)


def _opened(home: Path) -> Store:
    return Store(home / "memchat.db", lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC), FINGERPRINT)


def _learn(store: Store, numbers: range) -> None:
    chance = np.random.default_rng(numbers.start)
    kinds = (VectorKind.TEXT, VectorKind.JOINED, VectorKind.CUE)
    decisions, embedded = [], []
    for number in numbers:
        rows = chance.standard_normal((len(kinds), DIMENSION)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        text = f"User collects stamps of number {number} from country {number * 7 % 191}"
        decisions.append(Add(Draft(text, Owner.user("alice"), category="preference", cues=("buying a present",))))
        embedded.append(Embedded(kinds, rows))
    store.apply(decisions, embedded)


def several(shell: Shell, *lines: list[str]) -> list[Outcome]:
    """Run command lines one after the other in one process; none may end it or come to a traceback."""
    done = shell.program(json.dumps(lines), code=SEVERAL, stdin=b"")
    assert done.code == 0, f"ended with {done.code}: {done.err}"
    came = [Outcome(*one) for one in json.loads(done.out)]
    for line, outcome in zip(lines, came, strict=True):
        sound(outcome, " ".join(line))
    assert "Traceback" not in done.err, done.err
    return came


def sound(outcome: Outcome, line: str) -> None:
    """It worked, or says what is wrong and what to do."""
    assert outcome.code >= 0, f"{line}: {outcome.err}"
    assert "Traceback" not in outcome.err + outcome.out, f"{line}: {outcome.err}"
    if outcome.code and not line.startswith("doctor"):
        assert outcome.code == 1, outcome
        said = outcome.err.strip().splitlines()
        left_out = any(re.match(r"Skipped \d+ unreadable rows?\. See memchat doctor\.", one) for one in said)
        assert left_out or any(one.startswith("memchat: ") for one in said), outcome.err
        assert left_out or len(said) >= 2, f"{line} does not say what to do: {outcome.err}"
