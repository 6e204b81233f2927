"""Compare the records of the index with the vectors in the database.

Chroma is opened in a process of its own: damage that no checksum shows ends that process alone.

`python -m memchat.storage.index.verify` is that process: it reads the place as JSON and prints what it found as JSON.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.storage.index.chroma import IndexBroken
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import index_lock, remove_index, try_acquire
from memchat.storage.index.synced_index import SyncedIndex, usable
from memchat.storage.isolated import run_isolated_python
from memchat.storage.results import IndexCheck, IndexComparison

TIMEOUT_S = 120.0


def compare_isolated(config: IndexConfig) -> IndexComparison:
    """Run `verify_index` in a process of its own."""
    given = {name: str(value) for name, value in asdict(config).items()}
    try:
        done = run_isolated_python(["-m", __name__], json.dumps(given).encode(), TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return IndexComparison()
    if done.returncode:
        return IndexComparison(exit_code=done.returncode)
    found = json.loads(done.stdout.splitlines()[-1])
    if found is None:
        return IndexComparison(exit_code=0)
    if "failed" in found:
        return IndexComparison(exit_code=0, failure=found["failed"])
    parts = {name: tuple(found[name]) for name in ("missing", "extra", "wrong")}
    return IndexComparison(exit_code=0, check=IndexCheck(found["memories"], **parts))


def verify_index(place: IndexConfig) -> IndexCheck | None:
    """Open the index, bring it up to date and compare every record with the database.

    Returns None when there is no index that may be opened, or another process owns it. An index that fails meanwhile is
    removed, and StoreError says so.
    """
    lock = index_lock(place)
    if not try_acquire(lock):
        return None
    try:
        with Database(place.database) as database:
            if not usable(place, database):
                return None
            index = SyncedIndex(place, database)
            while index.step():
                pass
            missing, extra, wrong = [], [], []
            for owner in index.owners:
                found = index.differences(owner)
                missing += found[0]
                extra += found[1]
                wrong += found[2]
            memories = index.indexed
            index.close()
            return IndexCheck(memories, tuple(missing), tuple(extra), tuple(wrong))
    except (IndexBroken, OSError) as error:
        remove_index(place)
        raise StoreError(f"The index failed and was removed: {error}.", hint="It is rebuilt automatically.") from error
    finally:
        lock.release()


if __name__ == "__main__":
    given = json.load(sys.stdin)
    index, lock, database = (Path(given[name]) for name in ("index", "lock", "database"))
    try:
        check = verify_index(IndexConfig(index, lock, database, given["fingerprint"], int(given["index_from"])))
        print(json.dumps(None if check is None else asdict(check)))  # noqa: T201
    except StoreError as error:
        print(json.dumps({"failed": error.message}))  # noqa: T201
