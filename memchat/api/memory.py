"""`Memory`: memchat as a library, with mem0's method names and formats.

    from memchat import Memory

    with Memory() as memory:
        memory.add("I'm vegetarian and I live in Berlin.", user_id="alice")
        memory.search("Where could we eat tonight?", user_id="alice")["results"]

It uses the same store as the terminal: each recalls what the other has learned.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, closing
from datetime import date
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from memchat.api.connections import CallSessions, Connection, ConnectionPool, warn_of_traces
from memchat.api.turns import CallTurns
from memchat.app import UNBOUNDED, App
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings, load_settings
from memchat.core.types import LearningOptions
from memchat.errors import UsageError
from memchat.llm.options import ModelOptions
from memchat.mem0 import arguments, rows
from memchat.mem0.arguments import Day, Id, Messages
from memchat.mem0.config import from_mem0
from memchat.mem0.rows import Row
from memchat.recall.excerpts import excerpt_json
from memchat.recall.retriever import Query

if TYPE_CHECKING:
    from memchat.learning.worker import LearningWorker


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
        self._turns = CallTurns(self._app, self._connections, self._sessions)
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
            self._turns.learner(choice.extraction).notify()

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
        return self._turns.learner(self._app.choice().extraction)

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
        self._turns.wait_until_learned(timeout_s)
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
        prompt, pairs = arguments.text_or_none("prompt", prompt), arguments.plain_metadata(metadata)
        options = LearningOptions(prompt, pairs, expires_at=arguments.end_of(expiration_date))
        with self._connections.lend() as connection:
            ingest = connection.ingest(self._sessions.session(connection, entity), entity, options)
            if infer:
                said = [(one.role, one.text) for one in spoken]
                applied = ingest.learn(said, connection.learning_context(self._turns.extraction_model))
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
        row = yield from self._turns.stream(message, entity, options)
        self.on_recall("turn", len(row["memories_used"]))
        return row

    def complete(self, request: Mapping[str, Any], user_id: Id, *, run_id: Id | None = None) -> Row:
        """Run a chat completion in OpenAI's format, with recalled memories in the prompt.

        The messages of `request` are the conversation; the user's last one is learned from in the background.
        """
        with self._turns.completion(request, arguments.entity_ids(user_id, None, run_id)) as (model, turn):
            found = model.complete(turn.request)
            turn.note(found)
        self.on_recall("turn", len(turn.recalled))
        return found

    def complete_stream(
        self, request: Mapping[str, Any], user_id: Id, *, run_id: Id | None = None
    ) -> Generator[Row, None, None]:
        """Run the same completion and yield its chunks as they arrive."""
        with (
            self._turns.completion(request, arguments.entity_ids(user_id, None, run_id)) as (model, turn),
            closing(model.stream(turn.request)) as chunks,
        ):
            for chunk in chunks:
                turn.note(chunk)
                yield chunk
        self.on_recall("turn", len(turn.recalled))

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
            said = connection.excerpts(query, entity) if excerpts else ()
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
            warn_of_traces(connection.service.forget([connection.known(memory_id).id]))
        return {"message": "Memory deleted successfully!"}

    def delete_all(self, user_id: Id | None = None, agent_id: Id | None = None, run_id: Id | None = None) -> Row:
        """Permanently delete everything about a user (with conversations), an agent, a user with an agent, or a run.

        Returns `{"message", "erased"}` with the number of memories, without earlier versions. For the run or agent of
        a user, also give the `user_id`; a "hint" says so if nothing was found.
        """
        entity = arguments.entity_ids(user_id, agent_id, run_id)
        with self._connections.lend() as connection:
            reports = connection.forget_all(entity)
        self._sessions.forget()
        return rows.deletion_row(reports)

    def reset(self) -> None:
        """Permanently delete everything of all users in this store."""
        with self._connections.lend() as connection:
            warn_of_traces(connection.service.forget_everything())
        self._sessions.forget()
