"""The thread that owns the index for this process: takes its lock, has it updated, and discards it when it must.

One process at a time owns the index through a file lock that it holds for life. A thread of the indexer does everything
that touches the folder. Recall only asks, and gets None whenever the exact scan is the better answer.
"""

import logging
import threading
import time
from typing import TYPE_CHECKING

from memchat.errors import MemchatError, StoreBusy
from memchat.library_warnings import ignore_library_warnings
from memchat.storage.database import Database
from memchat.storage.index.chroma import IndexBroken
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import index_lock, mark_index_dropped, remove_index, try_acquire
from memchat.storage.index.synced_index import SyncedIndex, owners_to_index
from memchat.storage.position import Position, position
from memchat.storage.results import IndexState, Phase
from memchat.text.embedding import load_numpy

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

log = logging.getLogger(__name__)

LOCK_EVERY_S = 1.0
LOOK_EVERY_S = 0.2
PACE_S = 0.01
"""Pause between two writes, in seconds, so that the main thread gets its turn."""
WAIT_S = 0.1
"""Time that a query may wait for the last few changes to be indexed, in seconds."""
FEW_CHANGES = 16
MAX_FAILURES = 3
REOPEN_EVERY_S = 60.0


class Indexer:
    """Start it, query it, close it. A process that ends without `close` costs a rebuild and nothing else.

    The first query starts it as well, and gets None.
    """

    def __init__(self, place: IndexConfig) -> None:
        self._place = place
        self._owned = False
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._news = threading.Condition()
        self._stop = False
        self._index: SyncedIndex | None = None
        self._state = IndexState(False, Phase.STARTING)
        self._broken: str | None = None
        self._failures = 0
        self._wanted_room = False
        self._opened_at = 0.0
        self._settled = 0
        self._nothing_at: Position | None = None

    def start(self) -> None:
        """Start bringing the index up to date, unless that has begun."""
        with self._news:
            if self._thread.ident is None and not self._stop:
                self._thread.start()

    def wake(self) -> None:
        """Look for changes now."""
        with self._news:
            self._news.notify_all()

    def close(self, timeout_s: float = 10.0) -> None:
        """Close the index with its manifest and release the lock. Unfinished work is done at the next start."""
        self._stop = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def state(self) -> IndexState:
        return self._state

    def nearest(self, owner: int, query: "Vectors", limit: int, asked_at: Position) -> list[tuple[str, float]] | None:
        """Return ids of the owner's memories nearest to any row of `query`, best first.

        Returns None when the index cannot answer for the owner as of `asked_at`. Never raises because of the index.
        """
        self.start()
        index = self._index
        if index is None or self._broken or index.epoch != asked_at.epoch or not index.holds(owner):
            return None
        if index.seq < asked_at.seq and not index.filling and asked_at.seq - index.seq <= FEW_CHANGES:
            with self._news:
                self._news.notify_all()
                self._news.wait_for(lambda: index.seq >= asked_at.seq or self._stop or bool(self._broken), WAIT_S)
        if index.seq < asked_at.seq:
            return None
        if not index.has_room_for(owner):
            self._wanted_room = True
            return None
        try:
            return index.nearest(owner, query, limit)
        except IndexBroken as error:
            self._broken = str(error)
            self.wake()
            return None

    @ignore_library_warnings()
    def _run(self) -> None:
        load_numpy()
        try:
            with Database(self._place.database) as database:
                while not self._stop and self._failures < MAX_FAILURES:
                    self._run_while_locked(database)
                    self._pause(LOCK_EVERY_S)
        except MemchatError as error:
            self._set(Phase.OFF, str(error))
            log.warning("the index is not used: %s", error)
        if self._state.phase is not Phase.OFF:
            self._set(Phase.CLOSED if self._stop else Phase.OFF)

    def _run_while_locked(self, database: Database) -> None:
        """Take the lock if it is free, and maintain the index until told to stop or until it breaks."""
        lock = index_lock(self._place)
        if not try_acquire(lock):
            self._set(Phase.ELSEWHERE)
            return
        try:
            self._owned = True
            while not self._stop:
                self._step(database)
            if self._broken is not None:
                raise IndexBroken(self._broken)
            if self._index is not None:
                index, self._index = self._index, None
                index.close()
        except (IndexBroken, MemchatError) as error:
            self._discard_broken(str(error))
        except Exception as error:
            # After any failure recall goes on without the index, and the folder must not stay half written.
            log.debug("in the index's thread", exc_info=True)
            self._discard_broken(type(error).__name__)
        finally:
            self._owned = False
            lock.release()

    def _step(self, database: Database) -> None:
        index = self._index
        try:
            if index is None:
                self._open(database)
                return
            if self._broken is not None:
                raise IndexBroken(self._broken)
            if position(database).epoch != index.epoch:
                self._drop()
                return
            if self._settled < index.epoch:
                mark_index_dropped(database, index.epoch)
                self._settled = index.epoch
            worked = index.step()
            if self._wanted_room and time.monotonic() - self._opened_at > REOPEN_EVERY_S:
                index.reopen()
                self._wanted_room, self._opened_at = False, time.monotonic()
            self._set(Phase.FILLING if index.filling else Phase.READY)
            with self._news:
                self._news.notify_all()
            self._pause(PACE_S if worked else LOOK_EVERY_S)
        except StoreBusy:
            self._pause(LOCK_EVERY_S)

    def _open(self, database: Database) -> None:
        """Open the index, unless there is nothing to index: then Chroma is not even imported."""
        now = position(database)
        if now != self._nothing_at and not owners_to_index(self._place, database):
            remove_index(self._place)
            mark_index_dropped(database, now.epoch)
            self._set(Phase.EMPTY)
            self._nothing_at = now
        if now == self._nothing_at:
            self._pause(LOOK_EVERY_S)
            return
        self._set(Phase.FILLING)
        self._index = SyncedIndex(self._place, database)
        self._opened_at = time.monotonic()

    def _drop(self) -> None:
        """Remove the index from disk: a new epoch means that something in it was deleted."""
        index, self._index = self._index, None
        if index is not None:
            index.discard()

    def _discard_broken(self, reason: str) -> None:
        self._failures += 1
        log.warning("the index failed (%s); it is removed and rebuilt from the database", reason)
        try:
            self._drop()
        except (IndexBroken, OSError) as error:
            log.warning("closing the broken index: %s", error)
        self._index, self._broken = None, None
        remove_index(self._place)
        self._set(Phase.OFF if self._failures >= MAX_FAILURES else Phase.FILLING, reason)

    def _set(self, phase: Phase, reason: str | None = None) -> None:
        index = self._index
        owned = self._owned and phase is not Phase.OFF
        self._state = IndexState(owned, phase, index.indexed if index else 0, reason or self._state.reason)

    def _pause(self, seconds: float) -> None:
        with self._news:
            if not self._stop:
                self._news.wait(seconds)
