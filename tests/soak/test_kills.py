import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from memchat.app import utc_now
from memchat.cli.doctor import doctor
from memchat.config import load_settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Event, Owner
from memchat.doctor.database import Health
from memchat.doctor.index import BY_ITSELF
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.store import Store
from tests.api.scripted_memory import is_extraction
from tests.scripted_server import Reply, ScriptedServer
from tests.soak.load_generator import extraction_reply, fact, message

ALICE = Owner.user("alice")
MOST_LINES = 40
MOMENT_S = 0.05
MANY = 10_000
KEPT = {
    *("database", "references", "memories", "conversations", "words", "vectors", "versions", "waiting", "erasures"),
    *("index", "permissions"),
}
"""What the doctor checks of a home; the rest is about the machine around it."""


def talker(home: Path, *arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.soak.load_generator", str(home), "alice", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )


def killed(process: subprocess.Popen[str], lines: int, then_s: float) -> list[str]:
    """Let it say so many lines and live a moment more; what it has said until its death."""
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    time.sleep(then_s)
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate()
    assert said[0].startswith("ready"), errors
    assert not {"Traceback", "bug"} & set(re.findall(r"\w+", errors)), errors
    return [*said, *rest.splitlines()]


def numbers(lines: Sequence[str], word: str) -> list[int]:
    """The numbers said whole: a kill can cut the last line."""
    return [int(parts[1]) for line in lines if (parts := line.split())[:1] == [word] and len(parts) == 2]


def settle(home: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Let a last process learn all that waits."""
    process = talker(home, 0, 0, *arguments, env=env)
    said, errors = process.communicate()
    assert (process.returncode, said.split()) == (0, ["ready", "settled"]), errors


def check(home: Path, acknowledged: set[int], possible: set[int]) -> None:
    """Every acknowledged message is there, and every message there was learned exactly once."""
    with Store(home / "memchat.db", utc_now, FINGERPRINT) as store:
        assert store.database.value("PRAGMA integrity_check") == "ok"
        assert store.database.rows("PRAGMA foreign_key_check") == []
        said = Counter(store.conversations.recent_user_messages("alice", MANY))
        assert {message(number) for number in acknowledged} <= set(said) <= {message(number) for number in possible}
        known = Counter(memory.text for memory in store.memories.memories(MemoryFilter((ALICE,), superseded=True)))
        assert known == {fact(number): 1 for number in possible if message(number) in said}
        events = Counter(row["event"] for row in store.database.rows("SELECT event FROM changes"))
        assert events == {Event.ADD: len(said)}
        assert store.work.pending() == []
        orphans = "SELECT count(*) FROM memories WHERE number NOT IN (SELECT number FROM vectors)"
        assert store.database.value(orphans) == 0


def ailments(home: Path) -> dict[str, str]:
    """What `memchat doctor` has to say against what is kept, by the name of the check."""
    assert load_settings().home == home
    found = doctor(as_json=True).data
    assert isinstance(found, dict)
    checks = {one["check"]: one["health"] for one in found["findings"]}
    assert checks.keys() >= KEPT
    return {
        one["check"]: one["message"] for one in found["findings"] if one["check"] in KEPT and one["health"] != Health.OK
    }


def check_between(home: Path) -> None:
    """Nothing is wrong after a kill, but for an index that the next process builds anew."""
    found = ailments(home)
    assert found.keys() <= {"index"}
    assert BY_ITSELF in found.get("index", BY_ITSELF)


def kill_again_and_again(home: Path, rounds: int, *arguments: str, env: dict[str, str] | None = None) -> None:
    chance = random.Random(rounds)
    acknowledged: set[int] = set()
    possible: set[int] = set()
    following = 0
    for _ in range(rounds):
        lines = killed(
            talker(home, following, 500, *arguments, env=env), chance.randint(1, MOST_LINES), chance.random() * MOMENT_S
        )
        acknowledged |= set(numbers(lines, "said"))
        # A line that the kill cut off was one number further at most.
        following = max([following, *numbers(lines, "saying")]) + 2
        possible |= set(range(following))
        check_between(home)
    settle(home, *arguments, env=env)
    assert acknowledged
    check(home, acknowledged, possible)
    assert ailments(home) == {}


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=pytest.mark.soak)])
def test_a_chat_that_is_killed_again_and_again_loses_nothing(home: Path, rounds: int) -> None:
    """kill -9 at random moments of talking and learning; the doctor finds nothing after any of them."""
    kill_again_and_again(home, rounds)


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.soak)])
def test_the_same_with_the_index_being_written(home: Path, rounds: int) -> None:
    """Between store and index too; the next process rebuilds what it must."""
    kill_again_and_again(home, rounds, "--index")


def answer(payload: dict[str, Any]) -> Reply:
    """The parrot's answers, over HTTP."""
    if not is_extraction(payload):
        return Reply("A lamp, how nice.", chunk_delay_s=0.005)
    content = payload["messages"][-1]["content"]
    return Reply(extraction_reply(content) if content.startswith("{") else json.dumps({}), delay_s=0.02)


@pytest.mark.soak
def test_the_same_through_litellm_and_http(home: Path) -> None:
    """A few rounds with the real client against a server on this machine."""
    with ScriptedServer(answer) as server:
        kill_again_and_again(home, 10, "openai/scripted", env=server.environment())
