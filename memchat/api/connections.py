"""The connections to the store that the threads of a program share, and the conversations of their calls."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from memchat.app import App
from memchat.core.protocols import MessageFilter
from memchat.core.types import LearningOptions, Memory, Owner, Scope, Session
from memchat.errors import Conflict, NotFound, UsageError
from memchat.library_warnings import ignore_library_warnings
from memchat.mem0.arguments import EntityIds, Filters, Id, memory_key

if TYPE_CHECKING:
    from memchat.learning.pipeline import LearningContext
    from memchat.memories.ingest import Ingest
    from memchat.memories.service import MemoryService
    from memchat.recall.excerpts import Excerpt
    from memchat.recall.retriever import Retriever
    from memchat.storage.protocols import Storage
    from memchat.storage.results import ErasureReport

log = logging.getLogger(__name__)

IDLE = timedelta(hours=1)
"""Time without a message after which a conversation without a run_id ends."""
ORIGIN = "library"
MOST_INDEXED = 40
"""Maximum number of batches of messages that a search for excerpts indexes first."""


class Connection:
    """A connection to the store with its services, used by one thread at a time."""

    def __init__(self, app: App, store: "Storage") -> None:
        self._app = app
        self.store = store

    def recall(
        self, top_k: int | None = None, tokens: int | None = None, *, excerpts: bool | None = None
    ) -> "Retriever":
        """Create a retriever with the configured limits or these."""
        return self._app.recall_over(self.store, top_k, tokens, excerpts=excerpts)

    @cached_property
    def service(self) -> "MemoryService":
        return self._app.memory_service_over(self.store)

    def ingest(self, session: Session, entity: EntityIds, options: LearningOptions) -> "Ingest":
        """Write messages of `entity` into `session`; settings and the agent's profile complete `options`."""
        from memchat.memories.ingest import Ingest, IngestSource

        settings, profile = self._app.settings, self._app.settings.profile(entity.agent)
        instructions = None if profile is not None and profile.instructions else settings.instructions
        options = replace(
            options,
            instructions=options.instructions or instructions,
            metadata={**(profile.metadata if profile else {}), **options.metadata},
            scope=None if entity.run is None else entity.scope,
        )
        return Ingest(self.store, session, IngestSource(entity.owner, entity.agent, options, redacts=settings.redact))

    def learning_context(self, extraction_model: str) -> "LearningContext":
        return self._app.learning_context_over(self.store, extraction_model)

    def excerpts(self, query: str, entity: EntityIds) -> "tuple[Excerpt, ...]":
        """Find what the user of `entity`, or the assistant talking to them, said."""
        from memchat.recall.excerpts import ExcerptQuery

        finder, session = self.recall(excerpts=True).excerpts, entity.session_name if entity.run is not None else None
        if finder is None or not (entity.user or session):
            return ()
        for _ in range(MOST_INDEXED):
            if not self.store.message_index.index_next(entity.user or "", self._app.embedder):
                break
        owner = Owner.user(entity.user) if entity.user else Owner(Scope.SESSION, session or "")
        view = MessageFilter(owner, entity.agent, only_session=session)
        return finder.search(ExcerptQuery(query, view, self._app.settings.memory_tokens))

    def forget_all(self, entity: EntityIds) -> "list[ErasureReport]":
        """Permanently delete all memories of `entity`, and its conversations."""
        if entity.user is not None and entity == EntityIds(entity.user):
            return [warn_of_traces(self.service.forget_person(entity.user))]
        # What belongs to an agent, a run, or a user with an agent, and their conversations.
        reports = []
        view = replace(entity.filter(Filters(), all_sessions=True), superseded=True, expired=True)
        ids = [memory.id for memory in self.store.memories.memories(view)]
        if ids:
            reports.append(warn_of_traces(self.service.forget(ids)))
        if entity.run is not None:
            sessions = [entity.session_name]
        else:
            of_person = self.store.conversations.sessions(entity.user or "")
            sessions = [session.id for session in of_person if session.agent == entity.agent]
        if sessions:
            reports.append(warn_of_traces(self.service.forget_sessions(sessions)))
        return reports

    def known(self, memory_id: Id, owner: Owner | None = None) -> Memory:
        """Return the memory with that id, if it belongs to `owner` (if given). Raises NotFound."""
        memory = self.store.memories.get(memory_key(memory_id))
        if memory is None or (owner is not None and memory.owner != owner):
            raise NotFound(f"There is no memory {str(memory_id)!r}.", hint="get_all returns the ids.")
        return memory


class ConnectionPool:
    """Lends the connections of one app to threads. Parts of the app are created under `lock`."""

    def __init__(self, app: App) -> None:
        self.lock = threading.RLock()
        self._app = app
        self._idle: list[Connection] = []
        self._all: list[Connection] = []
        self._ended = False

    def __len__(self) -> int:
        """Number of open connections."""
        return len(self._all)

    @contextmanager
    def lend(self) -> Generator[Connection]:
        """Lend a connection to the calling thread within the block. Raises UsageError after `end`."""
        with ignore_library_warnings():
            with self.lock:
                if self._ended:
                    raise UsageError("This Memory is closed.")
                first = not self._all
                if self._idle:
                    connection = self._idle.pop()
                else:
                    connection = Connection(self._app, self._app.store if first else self._app.open_store())
                    self._all.append(connection)
                if first:
                    # Within the lock: since Python 3.12 cached properties do not prevent two threads from creating a
                    # part twice.
                    connection.recall()
            try:
                yield connection
            finally:
                with self.lock:
                    self._idle.append(connection)

    def end(self) -> bool:
        """Stop lending connections; returns False if `end` was called before."""
        with self.lock:
            ended, self._ended = self._ended, True
        return not ended

    def close(self) -> None:
        """Close the app and all connections."""
        with ignore_library_warnings():
            self._app.close()
            for connection in self._all:
                connection.store.close()


class CallSessions:
    """The conversations to which calls belong."""

    def __init__(self, app: App, lock: threading.RLock) -> None:
        self._app = app
        self._lock = lock
        self._unstored: dict[EntityIds, Session] = {}

    def session(self, connection: Connection, entity: EntityIds) -> Session:
        """Return the conversation of a call: that of its run, or else the owner's last one, unless idle for IDLE."""
        conversations = connection.store.conversations
        if entity.run is None:
            since = self._app.clock() - IDLE
            with self._lock:
                session = conversations.open_session(entity.user or "", entity.agent, ORIGIN, since)
                if session is None:
                    # A new conversation is stored with its first message only.
                    session = self._unstored.get(entity)
                if session is None or session.last_at < since:
                    session = conversations.new_session(entity.user or "", entity.agent, origin=ORIGIN)
                self._unstored[entity] = session
                return session
        session = conversations.session(entity.session_name)
        if session is None:
            return conversations.new_session(entity.user or "", entity.agent, name=entity.session_name)
        if session.user != (entity.user or ""):
            raise Conflict(f"The run {entity.run!r} belongs to another user.", hint="Use another run_id.")
        if session.agent != entity.agent:
            raise Conflict(
                f"The run {entity.run!r} belongs to the agent {session.agent!r}.",
                hint="Pass that agent_id, or use another run_id.",
            )
        return session

    def forget(self) -> None:
        """Forget the conversations that are not stored yet."""
        with self._lock:
            self._unstored.clear()


def warn_of_traces(report: "ErasureReport") -> "ErasureReport":
    """Log in which files a search after a deletion found traces, without the text; returns the report."""
    if report.left:
        files = sorted({found.file for found in report.left})
        log.warning("deleted text is still found in %s: see memchat doctor", ", ".join(files))
    return report
