"""The index's folder and its lock: operations for any process, with or without an indexer of its own."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from memchat.errors import StoreBusy, StoreError
from memchat.private_files import private_folder
from memchat.storage.database import Database, placeholders, remove_folder, translate_errors
from memchat.storage.index.chroma import IndexBroken
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.manifest import marked
from memchat.storage.index.synced_index import SyncedIndex, owners_to_index, usable
from memchat.storage.results import IndexState, Phase
from memchat.temporary_files import load_filelock

if TYPE_CHECKING:
    from filelock import BaseFileLock


def index_lock(place: IndexConfig) -> "BaseFileLock":
    """Create the lock of the folder. It belongs to the thread that takes it."""
    load_filelock(place.lock.parent)
    from filelock import FileLock

    return FileLock(place.lock, mode=0o600)


def try_acquire(lock: "BaseFileLock") -> bool:
    """Take the lock if it is free, without waiting. Raises StoreError if no lock file can be created."""
    from filelock import Timeout

    with translate_errors(Path(lock.lock_file)):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        except NotImplementedError as error:
            raise StoreError(f"{lock.lock_file} cannot be locked on this file system.") from error
    return True


def remove_index(place: IndexConfig) -> None:
    """Remove the folder with everything in it. Only the holder of the lock may call this."""
    with translate_errors(place.index):
        if place.index.exists():
            remove_folder(place.index)


def drop_index_now(place: IndexConfig) -> bool:
    """Remove the index from disk if no process owns it; return False if one does."""
    private_folder(place.lock.parent)
    lock = index_lock(place)
    if not try_acquire(lock):
        return False
    try:
        remove_index(place)
    finally:
        lock.release()
    return True


def wait_until_dropped(place: IndexConfig, database: Database, erasure: int, timeout_s: float) -> bool:
    """Wait until no index remains that may hold what `erasure` deleted. Returns False when time runs out.

    As soon as no process owns the index, it is removed here, so that an owner that died is not waited for.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        if database.value("SELECT index_dropped FROM erasures WHERE id = ?", (erasure,)):
            return True
        if drop_index_now(place):
            mark_index_dropped(database, erasure)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def rebuild_now(place: IndexConfig, progress: Callable[[int, int], None]) -> int:
    """Build the index from the vectors in the database and close it. Returns how many memories it holds.

    Calls `progress(done, total)` along the way, in memories. Raises StoreBusy while another process owns the index, and
    StoreError when it cannot be built.
    """
    with Database(place.database) as database:
        lock = index_lock(place)
        if not try_acquire(lock):
            raise StoreBusy(
                "Another memchat is running and uses the index.", hint="Close it, then run memchat reindex again."
            )
        try:
            remove_index(place)
            owners = owners_to_index(place, database)
            if not owners:
                progress(0, 0)
                return 0
            marks = placeholders(owners)
            sql = f"SELECT count(*) FROM memories WHERE superseded_by IS NULL AND owner IN ({marks})"
            total = int(database.value(sql, owners))
            index = SyncedIndex(place, database, batch=1024)
            while index.step():
                progress(index.indexed, total)
            indexed = index.indexed
            index.close()
            return indexed
        except (IndexBroken, OSError) as error:
            remove_index(place)
            raise StoreError(f"The index could not be built: {error}.", hint="memchat works without it.") from error
        finally:
            lock.release()


def inspect_index(place: IndexConfig) -> IndexState:
    """Describe the index for a process that does not own it. Loads and changes nothing."""
    if not place.index.exists():
        return IndexState(False, Phase.ABSENT)
    lock = index_lock(place)
    if not try_acquire(lock):
        return IndexState(False, Phase.ELSEWHERE)
    try:
        with Database(place.database) as database:
            found = usable(place, database) if marked(place.index) else None
    finally:
        lock.release()
    if found is None:
        return IndexState(False, Phase.UNCLEAN)
    return IndexState(False, Phase.READY, sum(found[0].memories.values()))


def mark_index_dropped(database: Database, erasure: int) -> None:
    """Record, for every waiting eraser up to `erasure`, that no earlier index is left."""
    database.execute("UPDATE erasures SET index_dropped = 1 WHERE index_dropped = 0 AND id <= ?", (erasure,))
