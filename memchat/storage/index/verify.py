"""Compare the index with the database, for `memchat doctor`."""

from dataclasses import dataclass

from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.storage.index.chroma import IndexBroken
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import index_lock, remove_index, try_acquire
from memchat.storage.index.synced_index import SyncedIndex, usable


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """Ids of records, `{memory id}:{row}`: missing ones, ones without a memory, and ones with a different vector."""

    memories: int = 0
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return not (self.missing or self.extra or self.wrong)


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
            return _compared(place, database) if usable(place, database) else None
    except (IndexBroken, OSError) as error:
        remove_index(place)
        raise StoreError(f"The index failed and was removed: {error}.", hint="It is rebuilt by itself.") from error
    finally:
        lock.release()


def _compared(place: IndexConfig, database: Database) -> IndexCheck:
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
