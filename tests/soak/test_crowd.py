import subprocess
import sys
from pathlib import Path

import pytest

from memchat.app import utc_now
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Event, Owner
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.store import Store
from tests.soak.load_generator import fact, message

PEOPLE = ("alice", "bob")
SEARCH = """
import sys
from pathlib import Path
from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.recall.retriever import Query
from memchat.core.types import Owner
home, user, number = sys.argv[1:]
with App(Settings(Path(home), user)) as app:
    hits = app.recall.search(Query(f"Which lamp is numbered {number}?", MemoryFilter((Owner.user(user),))))
    print("\\n".join(hit.memory.text for hit in hits))
"""


def talkers(home: Path, processes: int, turns: int) -> list[subprocess.Popen[str]]:
    """The first half is alice's, the other bob's; one of them has the index. Each has numbers of its own."""
    started = []
    for number in range(processes):
        command = [sys.executable, "-m", "tests.soak.load_generator", str(home), PEOPLE[number * 2 // processes]]
        command += [str(number * turns), str(turns)]
        command += ["--index"] if number % 4 == 0 else []
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    return started


@pytest.mark.parametrize(("processes", "turns"), [(4, 6), pytest.param(8, 200, marks=pytest.mark.soak)])
def test_several_processes_learn_for_two_people_side_by_side(home: Path, processes: int, turns: int) -> None:
    """Nothing is lost or doubled, nobody's memory is in another's list, and a fresh process finds it all."""
    running = talkers(home, processes, turns)
    for process in running:
        said, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        assert said.splitlines()[-1] == "settled"
    half = processes * turns // 2
    with Store(home / "memchat.db", utc_now, FINGERPRINT) as store:
        assert store.database.value("PRAGMA integrity_check") == "ok"
        assert store.work.pending() == []
        for number, user in enumerate(PEOPLE):
            own = range(number * half, (number + 1) * half)
            known = [memory.text for memory in store.memories.memories(MemoryFilter((Owner.user(user),)))]
            assert sorted(known) == sorted(fact(n) for n in own)
            assert sorted(store.conversations.recent_user_messages(user, 10_000)) == sorted(message(n) for n in own)
        events = {row["event"] for row in store.database.rows("SELECT event FROM changes")}
        assert events == {Event.ADD}
    for user, wanted, unwanted in (("alice", half - 1, half), ("bob", half, half - 1)):
        found = subprocess.run(
            [sys.executable, "-c", SEARCH, str(home), user, str(wanted)], capture_output=True, text=True, check=True
        )
        assert fact(wanted) in found.stdout.splitlines()
        assert fact(unwanted) not in found.stdout.splitlines()
