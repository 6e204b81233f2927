"""The storage engine of memchat: SQLite as the truth, Chroma as its index, both in one folder."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memchat.core.protocols import Clock, MessageFilter, Progress, no_progress
from memchat.core.types import Owner
from memchat.errors import StoreError
from memchat.storage.database import DATABASE, Database
from memchat.storage.index.config import IndexConfig
from memchat.storage.message_reader import MessageCache
from memchat.storage.store import Store
from memchat.temporary_files import keep_sqlite_files_in
from memchat.text.embedding import load_numpy

if TYPE_CHECKING:
    from memchat.core.types import CosineScale
    from memchat.storage.index.indexer import Indexer
    from memchat.storage.index.inspection import ChromaInspection
    from memchat.storage.inspection import DatabaseInspection
    from memchat.storage.repairs import DatabaseRepairs
    from memchat.storage.results import IndexState
    from memchat.storage.vectors.exact_search import VectorCache
    from memchat.storage.vectors.search import VectorSearch


class SQLiteEngine:
    """The data of one home. With `owns_index` this process may hold the index; one process at a time does.

    Vectors are cached, and the index is filled, once for all stores that are opened here.
    """

    def __init__(self, home: Path, clock: Clock, index_from: int = 0, *, owns_index: bool = False) -> None:
        keep_sqlite_files_in(home)
        self._path = home / DATABASE
        self._clock = clock
        self._index_from = index_from
        self._owns_index = owns_index
        self.message_cache = MessageCache()
        self._indexer: Indexer | None = None
        self._lock = threading.Lock()

    @property
    def location(self) -> str:
        """The place of the data, for messages to users."""
        return str(self._path)

    @property
    def exists(self) -> bool:
        return self._path.exists()

    @property
    def size_bytes(self) -> int:
        """The size of the data on disk, in bytes, without the index."""
        return self._path.stat().st_size if self._path.is_file() else 0

    @property
    def has_index(self) -> bool:
        index = self._config("").index
        return index.is_dir() and any(index.iterdir())

    def open(self, fingerprint: str) -> Store:
        """Open a connection for one thread, which the caller closes. `fingerprint` is that of the vectors in use."""
        store = Store(self._path, self._clock, fingerprint, self._index_from, self._search)
        store.messages.share(self.message_cache)
        return store

    def close(self) -> None:
        """Close the index. Stores are closed by those who opened them."""
        if self._indexer is not None:
            self._indexer.close()

    # Vectors.

    def dimension_of(self, model: str) -> int | None:
        """Return the dimension of the stored vectors of `model`, or None."""
        from memchat.storage.vectors.reembedding import dimension_in

        with Database(self._path) as database:
            return dimension_in(database, model)

    def fingerprint_of(self, model: str) -> str | None:
        """Return the fingerprint of most stored vectors of `model`; None if there are none."""
        from memchat.storage.vectors.reembedding import fingerprint_of

        with Database(self._path) as database:
            return fingerprint_of(database, model)

    def cosine_scale(self, fingerprint: str) -> "CosineScale | None":
        """Return the measured scale of the vectors of `fingerprint`; None if it was not measured yet."""
        from memchat.storage.cosine_scales import cosine_scale

        with Database(self._path) as database:
            return cosine_scale(database, fingerprint)

    def keep_cosine_scale(self, fingerprint: str, scale: "CosineScale") -> None:
        """Keep a measured scale. In a store that may only be read it is measured again by every process."""
        from memchat.storage.cosine_scales import keep_cosine_scale

        with Database(self._path) as database, suppress(StoreError):
            keep_cosine_scale(database, fingerprint, scale)

    def _search(self, database: Database, fingerprint: str, indexed: bool) -> "VectorSearch":
        """Create a vector search: through the index if this process may hold it, else exact."""
        from memchat.storage.vectors.exact_search import ExactSearch
        from memchat.storage.vectors.search import VectorSearch

        search = ExactSearch(database, fingerprint, self._cache)
        return VectorSearch(search, self._index(fingerprint) if indexed else None)

    @cached_property
    def _cache(self) -> "VectorCache":
        from memchat.storage.vectors.exact_search import VectorCache

        return VectorCache()

    def start_index(self, fingerprint: str) -> None:
        """Begin to fill the index in the background, if this process may hold it."""
        if (index := self._index(fingerprint)) is not None:
            index.start()

    def load_message_vectors(self, fingerprint: str, owner: Owner) -> None:
        """Read the vectors of the owner's messages before the first search, which then does not wait for them."""
        load_numpy()
        with self.open(fingerprint) as store:
            store.messages.message_count(MessageFilter(owner))

    def _index(self, fingerprint: str) -> "Indexer | None":
        """Return the index; None if this process may not hold it, or if the vectors to index are not known yet."""
        from memchat.storage.index.indexer import Indexer
        from memchat.storage.vectors.codec import dimension_of

        if not self._owns_index or not dimension_of(fingerprint):
            return None
        with self._lock:
            self._indexer = self._indexer or Indexer(self._config(fingerprint))
        return self._indexer

    def held_index_state(self, fingerprint: str) -> "IndexState | None":
        """Return the state of the index that this process holds; None if it may not hold one."""
        index = self._index(fingerprint)
        return None if index is None else index.state()

    def index_state(self, fingerprint: str) -> "IndexState":
        """Return the state of the index, for a process that does not hold it."""
        from memchat.storage.index.folder import inspect_index

        return inspect_index(self._config(fingerprint))

    def rebuild_index(self, fingerprint: str, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
        """Build the index again; `progress(done, total)` counts memories.

        Raises StoreBusy where another process has it.
        """
        from memchat.storage.index.folder import rebuild_now

        return rebuild_now(self._config(fingerprint), progress)

    def drop_index(self) -> bool:
        """Remove the index, which is rebuilt automatically; return False if another process has it."""
        from memchat.storage.index.folder import drop_index_now

        return drop_index_now(self._config(""))

    def _config(self, fingerprint: str) -> IndexConfig:
        return IndexConfig.beside(self._path, fingerprint, self._index_from)

    # Upkeep.

    def backup(self, target: Path, on_progress: Progress = no_progress) -> None:
        """Copy everything into `target`, while others may read and write. Raises StoreError if it is damaged.

        `on_progress` counts pages of the database.
        """
        with Database(self._path) as database:
            complaint = database.value("PRAGMA quick_check(1)")
            if complaint != "ok":
                raise StoreError(
                    f"{self._path} is damaged, and a copy would be, too: {complaint}.",
                    hint="memchat doctor says what can be done.",
                )
            database.backup(target, on_progress)

    def is_data(self, path: Path) -> bool:
        """Return whether `path` is the file that contains the data."""
        return path.exists() and self.exists and path.samefile(self._path)

    @contextmanager
    def inspect(self, fingerprint: str) -> "Generator[tuple[DatabaseInspection, ChromaInspection]]":
        """Open an inspection of the database and of its index of the vectors of `fingerprint`."""
        from memchat.storage.index.inspection import ChromaInspection
        from memchat.storage.inspection import DatabaseInspection

        with Database(self._path) as database:
            yield DatabaseInspection(database), ChromaInspection(self._config(fingerprint), database)

    @contextmanager
    def repairs(self, fingerprint: str) -> "Generator[DatabaseRepairs]":
        from memchat.storage.memory_writer import MemoryRepository
        from memchat.storage.repairs import DatabaseRepairs

        with Database(self._path) as database:
            yield DatabaseRepairs(MemoryRepository(database, self._clock, fingerprint))
