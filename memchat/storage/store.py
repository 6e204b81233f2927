"""Open the repositories of memories, conversations and pending jobs over one connection of one thread."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from memchat.core.protocols import Clock, Embedded, Progress, no_progress
from memchat.core.types import Applied, Decision, Event, Forget, LearningJob
from memchat.errors import StoreBusy
from memchat.storage.conversations import ConversationRepository
from memchat.storage.database import Database, placeholders
from memchat.storage.extraction_forms import ExtractionForms
from memchat.storage.index.config import IndexConfig
from memchat.storage.job_queue import JobQueue
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.message_index import MessageIndex
from memchat.storage.message_reader import MessageReader

if TYPE_CHECKING:
    from pathlib import Path

    from memchat.storage.erasure.eraser import Eraser
    from memchat.storage.erasure.targets import ErasureTargets
    from memchat.storage.results import ErasureReport
    from memchat.storage.transfer import Transfer
    from memchat.storage.usage import TokenUsage
    from memchat.storage.vectors.reembedding import StoredVectors
    from memchat.storage.vectors.search import VectorSearch

DROP_TIMEOUT_S = 30.0
"""Time that an erasure waits for the process that holds the index, in seconds."""


class Store:
    """Open the database at `path`, and create it if it is missing. Close it, or use it in a `with` block.

    `fingerprint` is that of the vectors read and written; one without a dimension takes that of the first vectors.
    """

    def __init__(
        self,
        path: "Path",
        clock: Clock,
        fingerprint: str,
        index_from: int = 0,
        search: "Callable[[Database, str, bool], VectorSearch] | None" = None,
    ) -> None:
        self._search = search
        self.index = IndexConfig.beside(path, fingerprint, index_from)
        self.database = Database(path)
        self.clock = clock
        self.fingerprint = fingerprint
        self.conversations = ConversationRepository(self.database, clock)
        self.work = JobQueue(self.database, clock)
        self.memories = MemoryRepository(self.database, clock, fingerprint)
        self.messages = MessageReader(self.database, clock, fingerprint)
        self.extraction_forms = ExtractionForms(self.database)
        self.message_index = MessageIndex(self.database, fingerprint)

    @property
    def read_only(self) -> bool:
        """Return whether the database may not be written: a read-only disk, or another user's file."""
        return self.database.read_only

    @cached_property
    def eraser(self) -> "Eraser":
        from memchat.storage.erasure.eraser import Eraser

        return Eraser(self.database, self.clock)

    def connect_search(self, fingerprint: str, *, indexed: bool = True) -> None:
        """Search vectors of `fingerprint` from now on, through the index or, without `indexed`, by comparing all."""
        if self._search is not None:
            self.search_with(self._search(self.database, fingerprint, indexed))

    def search_with(self, dense: "VectorSearch") -> None:
        """Use `dense` for vector search; before that it finds nothing."""
        self.memories.search_with(dense)

    @cached_property
    def usage(self) -> "TokenUsage":
        from memchat.storage.usage import TokenUsage

        return TokenUsage(self.database, self.clock)

    @cached_property
    def transfer(self) -> "Transfer":
        from memchat.storage.transfer import Transfer

        return Transfer(self.memories)

    @cached_property
    def vectors(self) -> "StoredVectors":
        from memchat.storage.vectors.reembedding import StoredVectors

        return StoredVectors(self.memories)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def apply(
        self,
        decisions: Sequence[Decision],
        embedded: Sequence[Embedded | None],
        work: LearningJob | None = None,
        *,
        compared_for: str | None = None,
    ) -> list[Applied]:
        """Carry out `decisions` and end the job `work` in one transaction; do nothing if this process lost the job.

        With `compared_for` each memory that is added waits in the queue of that user to be compared with others.
        """
        with self.database.transaction():
            if work is not None and not self.work.is_ours(work):
                return []
            applied = self.memories.apply_all(decisions, embedded)
            forgotten = [decision.memory_id for decision in decisions if isinstance(decision, Forget)]
            if forgotten:
                applied += self.eraser.erase_rows(self.memories, forgotten)
            if compared_for is not None:
                for one in applied:
                    if one.event is Event.ADD:
                        self.work.add_comparison(compared_for, one.memory.id)
            if work is not None:
                self.work.done(work)
        return applied

    def erase(
        self, ids: Sequence[str], *, keep_source: bool = False, on_progress: Progress = no_progress
    ) -> "ErasureReport":
        """Delete memories with all their versions, down to the bytes; the report lists what a search still found."""
        return self._verify_erasure(self.eraser.erase(ids, keep_source=keep_source, on_progress=on_progress))

    def erase_person(self, user: str, on_progress: Progress = no_progress) -> "ErasureReport":
        """Delete everything of `user`: memories, conversations, pending jobs."""
        return self._verify_erasure(self.eraser.erase_person(user, on_progress))

    def erase_everything(self) -> "ErasureReport":
        """Delete everything of every user."""
        return self._verify_erasure(self.eraser.erase_everything())

    def erase_sessions(self, ids: Sequence[str], on_progress: Progress = no_progress) -> "ErasureReport":
        """Delete these conversations whole, with their session memories."""
        return self._verify_erasure(self.eraser.erase_sessions(ids, on_progress))

    def _verify_erasure(self, erased: "tuple[ErasureReport, ErasureTargets]") -> "ErasureReport":
        self.finish_erasures()
        return self.eraser.verify(*erased)

    def finish_erasures(self, timeout_s: float = DROP_TIMEOUT_S) -> None:
        """Remove the bytes of everything deleted from the disk, with the index that may hold them.

        Safe to run again after a kill at any point; does nothing if no erasure is unfinished. Raises StoreBusy when
        another process does not release the index within `timeout_s`.
        """
        waiting = [row["id"] for row in self.database.rows("SELECT id FROM erasures WHERE finished = 0 ORDER BY id")]
        if not waiting:
            return
        from memchat.storage.index.folder import wait_until_dropped

        if not wait_until_dropped(self.index, self.database, waiting[-1], timeout_s):
            raise StoreBusy(
                "Deleted data may still be in the index, which another memchat keeps open.",
                hint="Close that memchat; the next one deletes the index.",
            )
        for copy in self.database.former_versions():
            copy.unlink(missing_ok=True)
        self.database.compact()
        marks = placeholders(waiting)
        self.database.execute(f"UPDATE erasures SET finished = 1, index_dropped = 1 WHERE id IN ({marks})", waiting)
