"""A process that keeps the index of a home: `python -m tests.storage.index_worker HOME [keep | learn N]`.

`keep` answers each line of standard input until it ends: `state`, `ask OWNER NUMBER` (the nearest memory to that
memory's first vector, and whether the index or the scan said so). `learn N` writes N memories one by one while the
index is open, saying each on standard output.
"""

import sys
from pathlib import Path

import numpy as np

from memchat.storage.database import Database
from memchat.storage.index.indexer import Indexer
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.search import VectorSearch
from tests.storage.vector_factories import FINGERPRINT, Rows, directions, place_in, until_ready


def main() -> None:
    home, task = Path(sys.argv[1]), sys.argv[2]
    keeper = Indexer(place_in(home))
    keeper.start()
    with Database(home / "memchat.db") as database:
        if task == "learn":
            _learn(database, int(sys.argv[3]), keeper)
        else:
            _answer(database, keeper)
    keeper.close()


def _learn(database: Database, count: int, keeper: Indexer) -> None:
    rows = Rows(database)
    for vector in directions(count, seed=77):
        (number,) = rows.learn(1, [vector])
        until_ready(keeper)
        keeper.wake()
        print(number, flush=True)


def _answer(database: Database, keeper: Indexer) -> None:
    scan = ExactSearch(database, FINGERPRINT)
    dense = VectorSearch(scan, keeper)
    for line in sys.stdin:
        match line.split():
            case ["state"]:
                state = keeper.state()
                print(state.owned, state.phase.name, state.indexed, flush=True)
            case ["ask", owner, number]:
                blob = database.value("SELECT rows FROM vectors WHERE number = ?", (int(number),))
                query = np.frombuffer(blob, np.float32).reshape(1, -1)
                indexed = keeper.nearest(int(owner), query, 1, scan.position(int(owner))) is not None
                print(dense.nearest(int(owner), query, 1)[0][0], "index" if indexed else "scan", flush=True)
            case _:
                return


if __name__ == "__main__":
    main()
