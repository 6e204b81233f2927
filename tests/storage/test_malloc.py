"""What was in this process's memory does not come to lie in the index's files."""

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
