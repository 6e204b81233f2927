"""What was in this process's memory does not come to lie in the index's files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.memory_factories import holding

BUILD = """
import sys
from pathlib import Path
from memchat.storage.database import Database
from memchat.storage.index.synced_index import SyncedIndex
from tests.storage.vector_factories import FINGERPRINT, Rows, directions, place_in

home, vectors = Path(sys.argv[1]), directions(40, seed=5, dim=384)

def index(database):
    index = SyncedIndex(place_in(home), database)
    while index.step():
        index.nearest(1, vectors[:1], 5)
    return index

with Database(home / "memchat.db") as database:
    rows = Rows(database, FINGERPRINT)
    for round in range(8):
        long = [(f"{round} {n} " + "quokka " * 60)[: 380 + n] for n in range(30)]
        some = rows.learn(1, list(vectors[:30]), long)
        index(database).discard()
        rows.erase(*some)
        rows.learn(1, list(vectors[30:]), [f"User rides bike {round} {n}" for n in range(10)])
        index(database).close()
        print((home / "index").rename(home / f"index{round}"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no mallopt")
def test_an_index_built_after_an_erasure_holds_nothing_of_what_this_process_knew(tmp_path: Path) -> None:
    """Chroma's files have room for further vectors, filled with whatever the memory held before."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, len(done.stdout.split())) == (0, 8), done.stderr
    indexes = [tmp_path / f"index{number}" for number in range(8)]
    assert all(holding(index, "User rides bike") for index in indexes)
    assert [holding(index, "quokka") for index in indexes] == [{}] * 8


FILL = """
import sys
from pathlib import Path
from memchat.storage.database import Database
from memchat.storage.index.synced_index import SyncedIndex
from tests.storage.vector_factories import FINGERPRINT, Rows, directions, place_in

home = Path(sys.argv[1])
with Database(home / "memchat.db") as database:
    Rows(database, FINGERPRINT).learn(1, list(directions(1_100, seed=5, dim=4_096)))
    index = SyncedIndex(place_in(home), database, batch=1_100)
    while index.step():
        pass
    index.close()
"""
OPEN = """
import re, sys
from pathlib import Path
from memchat.storage.database import Database
from memchat.storage.index.synced_index import SyncedIndex
from tests.storage.vector_factories import place_in

home = Path(sys.argv[1])
with Database(home / "memchat.db") as database:
    index = SyncedIndex(place_in(home), database)
    smaps = Path("/proc/self/smaps").read_text()
    mapped = re.findall(r"rw-p .* 0 +\\nSize: +(\\d+) kB(?:\\n.*)*?\\nRss: +(\\d+) kB", smaps)
    vectors_kb = 2_048 * 4_096 * 4 // 1024
    print([int(rss) / int(size) for size, rss in mapped if vectors_kb < int(size) < 1.2 * vectors_kb])
    index.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
def test_the_room_that_a_loaded_index_reserves_takes_no_memory(tmp_path: Path) -> None:
    """Chroma reserves room for 2,048 vectors where there are 1,100."""
    for program in (FILL, OPEN):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
    (filled,) = json.loads(done.stdout)
    assert filled < 0.7
