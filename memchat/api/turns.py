"""Run the turns of library calls: recall, the model's answer, and learning from it in the background."""

import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memchat.api.connections import CallSessions, Connection, ConnectionPool
from memchat.app import App
from memchat.chat.sessions import ChatOptions
from memchat.mem0 import rows
from memchat.mem0.arguments import EntityIds
from memchat.mem0.rows import Row
from memchat.memories.ingest import warn_of

if TYPE_CHECKING:
    from memchat.chat.completions import CompletionTurn
    from memchat.core.protocols import CompletionModel
    from memchat.learning.worker import LearningWorker
    from memchat.recall.retriever import Retriever

PREPARING = 2
"""Maximum number of turns that recall at a time with the built-in embedder, which takes some 25 ms of CPU each: many at
once would hold up searches for seconds."""
PREPARING_REMOTELY = 40
"""The same with an embedding model that is waited for."""


class CallTurns:
    """The turns of all threads, and the worker that learns from them in the background."""

    def __init__(self, app: App, connections: ConnectionPool, sessions: CallSessions) -> None:
        self._app = app
        self._connections = connections
        self._sessions = sessions
        self._preparing = threading.BoundedSemaphore(PREPARING_REMOTELY if app.settings.embedding_model else PREPARING)
        self._learner: LearningWorker | None = None

    def stream(self, message: str, entity: EntityIds, options: ChatOptions) -> Generator[str, None, Row]:
        """Run a turn and yield the reply as it arrives; the generator returns the result of `Memory.chat`."""
        with ExitStack() as stack:
            with self._preparing:
                connection = stack.enter_context(self._connections.lend())
                session = self._sessions.session(connection, entity)
                choice = self._app.choice(agent=entity.agent)
                conversation = self._app.conversation(
                    replace(options, session=session), choice.name, connection.store, self._recall(connection, entity)
                )
                stack.enter_context(self._learning_after(choice.extraction))
                turn = stack.enter_context(conversation.turn(message))
            yield from turn
        return rows.chat_row(turn, session)

    @contextmanager
    def completion(
        self, request: Mapping[str, Any], entity: EntityIds
    ) -> "Generator[tuple[CompletionModel, CompletionTurn]]":
        """Prepare a chat completion with memory; it is recorded and learned from after the block."""
        with ExitStack() as stack:
            with self._preparing:
                connection = stack.enter_context(self._connections.lend())
                choice = self._app.choice()
                options = ChatOptions(entity.user or "", session=self._sessions.session(connection, entity))
                recall = self._recall(connection, entity)
                model, turn = self._app.completion(options, choice.name, recall, request, connection.store)
                stack.enter_context(self._learning_after(choice.extraction))
                stack.enter_context(turn)
            yield model, turn

    @cached_property
    def extraction_model(self) -> str:
        """The model that learns from added messages, chosen once."""
        return self._app.extraction_model

    def learner(self, extraction_model: str) -> "LearningWorker":
        """Return the one worker, which learns for all users of the store; the first call chooses its model."""
        with self._connections.lock:
            if self._learner is None:
                self._learner = self._app.learning_worker(None, extraction_model, warn_of)
            return self._learner

    def wait_until_learned(self, timeout_s: float | None) -> None:
        """Wait up to `timeout_s` (None: without limit) until the worker, if there is one, has nothing left to do."""
        if self._learner is not None:
            self._learner.wait_until_idle(timeout_s)

    @contextmanager
    def _learning_after(self, extraction_model: str) -> Generator[None]:
        """Learn in the background after the block, unless the model failed in it."""
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self.learner(extraction_model).notify()
            raise
        self.learner(extraction_model).notify()

    def _recall(self, connection: Connection, entity: EntityIds) -> "Retriever":
        profile = self._app.settings.profile(entity.agent)
        excerpts = self._app.settings.excerpts_with(entity.agent)
        return connection.recall(profile.top_k if profile else None, excerpts=excerpts)
