"""`Memory`: memchat as a library, with mem0's method names and formats.

    from memchat import Memory

    with Memory() as memory:
        memory.add("I'm vegetarian and I live in Berlin.", user_id="alice")
        memory.search("Where could we eat tonight?", user_id="alice")["results"]

It uses the same store as the terminal: each recalls what the other has learned.
"""

import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from memchat.app import UNBOUNDED, App
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings, load_settings
from memchat.core.protocols import MessageFilter
from memchat.core.types import LearningOptions, Owner, Scope
from memchat.errors import UsageError
from memchat.llm.options import ModelOptions
from memchat.mem0 import arguments, rows
from memchat.mem0.arguments import Day, EntityIds, Filters, Id, Messages
from memchat.mem0.config import from_mem0
from memchat.mem0.connections import CallSessions, Connection, ConnectionPool
from memchat.mem0.rows import Row
from memchat.memories.ingest import Ingest, IngestSource, warn_of
from memchat.recall.excerpts import ExcerptQuery, excerpt_json
from memchat.recall.retriever import Query
from memchat.storage.results import ErasureReport

if TYPE_CHECKING:
    from memchat.chat.completions import CompletionTurn
    from memchat.core.protocols import CompletionModel
    from memchat.learning.worker import LearningWorker
    from memchat.recall.excerpts import Excerpt
    from memchat.recall.retriever import Retriever


log = logging.getLogger(__name__)

MOST_INDEXED = 40
"""Maximum number of batches of messages that a search for excerpts indexes first."""

PREPARING = 2
"""Maximum number of turns that recall at a time with the built-in embedder, which takes some 25 ms of CPU each: many at
once would hold up searches for seconds."""
PREPARING_REMOTELY = 40
"""The same with an embedding model that is waited for."""


class Memory:
    """Memories of users, agents and runs. Thread-safe. Call `close`, or use it in a `with` block.

    Every call that reads or adds names an owner: `user_id` for a user's memories, `agent_id` for an agent's own (shared
    by all its users), both for the user's memories learned with that agent, and `run_id`, alone or with the others, for
    those of one run. Reads also accept them in `filters={"user_id": …}`, next to conditions on metadata.

    Raises only `MemchatError`s: UsageError for invalid arguments, NotFound for an unknown id, ModelError if the model
    fails, StoreError if the database fails.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        models: Mapping[str, ModelOptions] | None = None,
        owns_index: bool = False,
    ) -> None:
        """Use `settings`, by default those of the terminal. The store is opened by the first call.

        `models` contains options by model name, and is never stored. With `owns_index`, this process may hold the
        Chroma index; otherwise memories are searched exactly.
        """
        self.settings = settings or load_settings()
        self._app = App(self.settings, models=models, owns_index=owns_index)
        self._connections = ConnectionPool(self._app)
        self._sessions = CallSessions(self._app, self._connections.lock)
        self._preparing = threading.BoundedSemaphore(PREPARING_REMOTELY if self.settings.embedding_model else PREPARING)
        self._learner: LearningWorker | None = None
        self.on_recall: Callable[[str, int], None] = lambda by, memories: None
        """Called with "turn" or "search" and the number of recalled memories."""

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> "Memory":
        """Use a configuration in mem0's format; see `memchat.mem0.config`. Raises ConfigError."""
        found = from_mem0(config_dict, load_settings())
        return cls(found.settings, models=found.models, owns_index=found.holds_index)

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Open the store; load the model libraries and learn from pending exchanges in the background.

        Raises StoreError.
        """
        choice = self._app.choice()
        with self._connections.lend():
            self._app.warm_up(choice.name)
            self._common_learner(choice.extraction).notify()

    @property
    def ready(self) -> bool:
        """Return whether everything that `warm_up` started to load is loaded."""
        return self._app.warm

    def connection(self) -> AbstractContextManager[Connection]:
        """Open a connection for the calling thread, within a `with` block. For the servers of this package."""
        return self._connections.lend()

    @property
    def learner(self) -> "LearningWorker":
        """The worker that learns in the background. For the servers of this package."""
        return self._common_learner(self._app.choice().extraction)

    @property
    def today(self) -> date:
        """The current day in local time."""
        return self._app.clock().astimezone().date()

    @property
    def model(self) -> str:
        """The chat model of calls without an agent."""
        return self._app.choice().name

    def close(self, timeout_s: float | None = None) -> None:
        """Wait up to `timeout_s` (None: without limit) for learning, and close. The rest stays pending on disk."""
        if not self._connections.end():
            return
        if self._learner is not None:
            self._learner.wait_until_idle(timeout_s)
        self._connections.close()

    # Adding.

    def add(
        self,
        messages: Messages,
        *,
        user_id: Id | None = None,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: Any = None,
        expiration_date: Day | None = None,
        infer: bool = True,
        memory_type: str | None = None,
        prompt: str | None = None,
    ) -> Row:
        """Learn from `messages`: a text, a message, or a list of messages with role and content.

        Each user message is learned from together with its answer; system messages are ignored. `prompt` says what to
        remember in this call. With `infer=False`, every message is stored verbatim. `metadata` is added to every memory
        of the call; `expiration_date` is the last day (UTC) on which they are returned. mem0's `timestamp` and
        `memory_type` raise UsageError.

        Returns `{"results": [{"id", "memory", "event"}, …]}`; see `mem0.rows.event_row`. Raises ModelError if the
        model fails; the messages are then stored and learned from with the next call.
        """
        entity = arguments.entity_ids(user_id, agent_id, run_id)
        spoken = arguments.parse_messages(messages)
        arguments.reject_unsupported(timestamp=timestamp, memory_type=memory_type)
        prompt = arguments.text_or_none("prompt", prompt)
        speaker = self._speaker(entity, arguments.plain_metadata(metadata), prompt, arguments.end_of(expiration_date))
        with self._connections.lend() as connection:
            ingest = Ingest(connection.store, self._sessions.session(connection, entity), speaker)
            if infer:
                said = [(one.role, one.text) for one in spoken]
                applied = ingest.learn(said, connection.learning_context(self._extraction_model))
                return {"results": [rows.event_row(one) for one in applied]}
            kept = ingest.keep([(one.role, one.text, one.name) for one in spoken], connection.service)
        return {"results": [rows.kept_row(*pair) for pair in zip(kept, spoken, strict=True)]}

    def chat(
        self,
        message: str,
        user_id: Id,
        *,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        system: str | None = None,
        prompt: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Row:
        """Run one turn: recall, answer, and learn from it in the background, as the setting `memory` allows.

        The background learning also processes pending exchanges of other users and programs in this store. `run_id`
        names the conversation to resume; without it there is one for each user and agent.

        Returns `{"reply", "memories_used", "excerpts_used", "session_id", "usage"}`. Memories look as in `search`;
        standing instructions come first and have no score.
        """
        pieces = self.chat_stream(
            message,
            user_id,
            agent_id=agent_id,
            run_id=run_id,
            system=system,
            prompt=prompt,
            metadata=metadata,
        )
        while True:
            try:
                next(pieces)
            except StopIteration as ended:
                row: Row = ended.value
                return row

    def chat_stream(
        self,
        message: str,
        user_id: Id,
        *,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        system: str | None = None,
        prompt: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Generator[str, None, Row]:
        """Run the same turn and yield the reply as it arrives. The generator returns the result of `chat`.

        Closing the generator ends the model call; the partial reply is recorded.
        """
        if user_id is None:
            raise UsageError("user_id is required.")
        entity = arguments.entity_ids(user_id, agent_id, run_id)
        message = arguments.text("message", message)
        options = ChatOptions(
            entity.user or "",
            entity.agent,
            system=arguments.text_or_none("system", system),
            instructions=arguments.text_or_none("prompt", prompt),
            metadata=arguments.plain_metadata(metadata),
        )
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
        row = rows.chat_row(turn, session)
        self.on_recall("turn", len(row["memories_used"]))
        return row

    def complete(self, request: Mapping[str, Any], user_id: Id, *, run_id: Id | None = None) -> Row:
        """Run a chat completion in OpenAI's format, with recalled memories in the prompt.

        The messages of `request` are the conversation; the user's last one is learned from in the background.
        """
        with self._completion(request, user_id, run_id) as (model, turn):
            found = model.complete(turn.request)
            turn.note(found)
        return found

    def complete_stream(
        self, request: Mapping[str, Any], user_id: Id, *, run_id: Id | None = None
    ) -> Generator[Row, None, None]:
        """Run the same completion and yield its chunks as they arrive."""
        with (
            self._completion(request, user_id, run_id) as (model, turn),
            closing(model.stream(turn.request)) as chunks,
        ):
            for chunk in chunks:
                turn.note(chunk)
                yield chunk

    @contextmanager
    def _completion(
        self, request: Mapping[str, Any], user_id: Id, run_id: Id | None
    ) -> "Generator[tuple[CompletionModel, CompletionTurn]]":
        entity = arguments.entity_ids(user_id, None, run_id)
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
        self.on_recall("turn", len(turn.recalled))

    @contextmanager
    def _learning_after(self, extraction_model: str) -> Generator[None]:
        """Learn in the background after the block, unless the model failed in it."""
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._common_learner(extraction_model).notify()
            raise
        self._common_learner(extraction_model).notify()

    def _recall(self, connection: Connection, entity: EntityIds) -> "Retriever":
        profile = self.settings.profile(entity.agent)
        excerpts = self.settings.excerpts_with(entity.agent)
        return connection.recall(profile.top_k if profile else None, excerpts=excerpts)

    def _excerpts(self, connection: Connection, query: str, entity: EntityIds) -> "tuple[Excerpt, ...]":
        """Find what the user of `entity`, or the assistant talking to them, said."""
        finder, session = (
            connection.recall(excerpts=True).excerpts,
            entity.session_name if entity.run is not None else None,
        )
        if finder is None or not (entity.user or session):
            return ()
        for _ in range(MOST_INDEXED):
            if not connection.store.message_index.index_next(entity.user or "", self._app.embedder):
                break
        owner = Owner.user(entity.user) if entity.user else Owner(Scope.SESSION, session or "")
        view = MessageFilter(owner, entity.agent, only_session=session)
        return finder.search(ExcerptQuery(query, view, self.settings.memory_tokens))

    # Reading.

    def search(
        self,
        query: str,
        *,
        user_id: Id | None = None,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int | None = None,
        limit: int | None = None,
        threshold: float | None = None,
        rerank: bool = False,
        explain: bool = False,
        reference_date: Any = None,
        show_expired: bool = False,
        excerpts: bool = False,
    ) -> Row:
        """Search for memories relevant to `query`, best first. Returns `{"results": […]}`, which may be empty.

        `top_k` (or `limit`) is the maximum number, by default the setting `top_k`. `threshold` is the minimum score;
        without it, a calibrated floor excludes irrelevant memories. `explain` adds "score_details", the parts of the
        score. `rerank` has no effect, since there is no other ranking; mem0's `reference_date` raises UsageError.

        With `excerpts`, the result has "excerpts" as well: relevant messages of the user and the assistant (with
        `agent_id`, in conversations with that agent; with `run_id`, in that run).
        """
        arguments.reject_unsupported(reference_date=reference_date)
        entity, narrowing = arguments.parse_filters(filters, user_id, agent_id, run_id)
        wanted, least = arguments.parse_limit(top_k, limit), arguments.least_score(threshold)
        query = arguments.text("query", query)
        view = entity.filter(narrowing, expired=show_expired)
        request = Query(query, view, top_k=wanted, floor=least is None)
        with self._connections.lend() as connection:
            hits = connection.recall(tokens=None if wanted is None else UNBOUNDED).search(request)
            said = self._excerpts(connection, query, entity) if excerpts else ()
        near = [hit for hit in hits if least is None or hit.score >= least]
        self.on_recall("search", len(near))
        found: Row = {"results": [rows.hit_row(hit, explain=explain) for hit in near]}
        return {**found, "excerpts": list(map(excerpt_json, said))} if excerpts else found

    def get_all(
        self,
        *,
        user_id: Id | None = None,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int | None = None,
        limit: int | None = None,
        offset: int | None = None,
        show_expired: bool = False,
    ) -> Row:
        """Return the current memories, newest first, as `{"results": […]}`, with those of the user's runs.

        `limit` (or `top_k`) is the maximum number; `offset` skips that many of the newest, for paging.
        """
        entity, narrowing = arguments.parse_filters(filters, user_id, agent_id, run_id)
        wanted = arguments.parse_limit(top_k, limit)
        with self._connections.lend() as connection:
            view = entity.filter(narrowing, all_sessions=True, expired=show_expired)
            kept = connection.store.memories.memories(view, wanted, arguments.parse_offset(offset))
        return {"results": [rows.memory_row(memory) for memory in kept]}

    def count(
        self,
        *,
        user_id: Id | None = None,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        filters: Mapping[str, Any] | None = None,
        show_expired: bool = False,
    ) -> int:
        """Return the number of memories that `get_all` returns for the same arguments."""
        entity, narrowing = arguments.parse_filters(filters, user_id, agent_id, run_id)
        with self._connections.lend() as connection:
            return connection.store.memories.count(entity.filter(narrowing, all_sessions=True, expired=show_expired))

    def entities(self) -> list[Row]:
        """List the users and agents with memories, by name, as `{"type", "name", "total_memories"}`."""
        with self._connections.lend() as connection:
            return [rows.entity_row(owner, count) for owner, count in connection.store.memories.owner_counts()]

    def get(self, memory_id: Id) -> Row:
        """Return one memory, superseded or not. Raises NotFound."""
        with self._connections.lend() as connection:
            return rows.memory_row(connection.known(memory_id))

    def history(self, memory_id: Id) -> list[Row]:
        """List the changes to a memory and to the versions it superseded, oldest first. Raises NotFound."""
        with self._connections.lend() as connection:
            memory = connection.known(memory_id)
            changes = connection.store.memories.history(memory)
        return [rows.change_row(one, memory) for one in changes]

    # Changing.

    def update(
        self,
        memory_id: Id,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expiration_date: Day | EllipsisType | None = ...,
        data: str | None = None,
    ) -> Row:
        """Change the text of a memory to `text` (or `data`); its history keeps the old text. Raises NotFound.

        `metadata` is added to the existing pairs. `expiration_date` is the last day (UTC) on which the memory is
        returned; None removes it.
        """
        words = arguments.text_or_none("text", data if text is None else text)
        if words is None and metadata is None and expiration_date is ...:
            raise UsageError("There is nothing to change: give text, metadata or expiration_date.")
        pairs = arguments.plain_metadata(metadata)
        end = None if expiration_date is ... else arguments.end_of(expiration_date)
        with self._connections.lend() as connection:
            memory = connection.known(memory_id)
            if words is not None:
                memory = connection.service.edit(memory, words)
            if pairs or expiration_date is not ...:
                connection.service.amend(memory, pairs, memory.expires_at if expiration_date is ... else end)
        return {"message": "Memory updated successfully!"}

    def delete(self, memory_id: Id) -> Row:
        """Permanently delete a memory with all its versions, and verify that no bytes are left. Raises NotFound."""
        with self._connections.lend() as connection:
            _warn_of(connection.service.forget([connection.known(memory_id).id]))
        return {"message": "Memory deleted successfully!"}

    def delete_all(self, user_id: Id | None = None, agent_id: Id | None = None, run_id: Id | None = None) -> Row:
        """Permanently delete everything about a user (with conversations), an agent, a user with an agent, or a run.

        Returns `{"message", "erased"}` with the number of memories, without earlier versions. For the run or agent of
        a user, also give the `user_id`; a "hint" says so if nothing was found.
        """
        entity = arguments.entity_ids(user_id, agent_id, run_id)
        with self._connections.lend() as connection:
            if entity.user is not None and entity == EntityIds(entity.user):
                reports = [connection.service.forget_person(entity.user)]
            else:
                # What belongs to an agent, a run, or a user with an agent, and their conversations.
                reports = []
                view = replace(entity.filter(Filters(), all_sessions=True), superseded=True, expired=True)
                ids = [memory.id for memory in connection.store.memories.memories(view)]
                if ids:
                    reports.append(connection.service.forget(ids))
                if entity.run is not None:
                    sessions = [entity.session_name]
                else:
                    of_person = connection.store.conversations.sessions(entity.user or "")
                    sessions = [session.id for session in of_person if session.agent == entity.agent]
                if sessions:
                    reports.append(connection.service.forget_sessions(sessions))
        self._sessions.forget()
        for report in reports:
            _warn_of(report)
        return rows.deleted(reports)

    def reset(self) -> None:
        """Permanently delete everything of all users in this store."""
        with self._connections.lend() as connection:
            _warn_of(connection.service.forget_everything())
        self._sessions.forget()

    # Steps.

    @cached_property
    def _extraction_model(self) -> str:
        return self.settings.extraction_model or self._app.choice().extraction

    def _common_learner(self, extraction_model: str) -> "LearningWorker":
        """Return the worker of this object, which learns for all users of the store."""
        with self._connections.lock:
            if self._learner is None:
                self._learner = self._app.learning_worker(None, extraction_model, warn_of)
            return self._learner

    def _speaker(
        self, entity: EntityIds, metadata: Mapping[str, Any], prompt: str | None, end: datetime | None
    ) -> IngestSource:
        profile = self.settings.profile(entity.agent)
        instructions = None if profile is not None and profile.instructions else self.settings.instructions
        terms = LearningOptions(
            prompt or instructions,
            {**(profile.metadata if profile else {}), **metadata},
            None if entity.run is None else entity.scope,
            expires_at=end,
        )
        return IngestSource(entity.owner, entity.agent, terms, redacts=self.settings.redact)


def _warn_of(report: ErasureReport) -> None:
    """Log in which files a search after a deletion found traces, without the text."""
    if report.left:
        files = sorted({found.file for found in report.left})
        log.warning("deleted text is still found in %s: see memchat doctor", ", ".join(files))
