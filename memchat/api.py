"""`Memory`: memchat as a library, with the method names and shapes that mem0's users know.

    from memchat import Memory

    with Memory() as memory:
        memory.add("I'm vegetarian and I live in Berlin.", user_id="alice")
        memory.search("Where could we eat tonight?", user_id="alice")["results"]

It is the same engine as in the terminal, on the same store: what one learns the other recalls.
"""

import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from memchat.app import UNBOUNDED, App
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings, load_settings
from memchat.core.protocols import MessageFilter
from memchat.core.types import LearningOptions, Owner, Scope, Session
from memchat.core.types import Memory as Kept
from memchat.errors import Conflict, NotFound, UsageError
from memchat.library_warnings import ignore_library_warnings
from memchat.llm.options import ModelOptions
from memchat.mem0 import schemas
from memchat.mem0.config import from_mem0
from memchat.mem0.schemas import Day, EntityIds, Filters, Id, Messages, Row
from memchat.memories.ingest import Ingest, IngestSource, warn_of
from memchat.recall.excerpts import ExcerptQuery, excerpt_json
from memchat.recall.retriever import Query
from memchat.storage.protocols import ErasureReport

if TYPE_CHECKING:
    from memchat.chat.completions import CompletionTurn
    from memchat.core.protocols import CompletionModel
    from memchat.learning.pipeline import LearningContext
    from memchat.learning.worker import LearningWorker
    from memchat.memories.service import MemoryService
    from memchat.recall.excerpts import Excerpt
    from memchat.recall.retriever import Retriever
    from memchat.storage.protocols import Conversations, Storage


log = logging.getLogger(__name__)

MOST_INDEXED = 40
"""Batches of waiting messages that a search for excerpts indexes before it looks."""

IDLE = timedelta(hours=1)
"""A conversation without a run_id ends once nothing was said in it for so long."""
ORIGIN = "library"


class _Connection:
    """One connection to the store and what works over it. Used by one thread at a time."""

    def __init__(self, app: App, store: "Storage") -> None:
        self._app = app
        self.store = store

    def recall(
        self, top_k: int | None = None, tokens: int | None = None, *, excerpts: bool | None = None
    ) -> "Retriever":
        """Recall within the usual limits, or these."""
        return self._app.recall_over(self.store, top_k, tokens, excerpts=excerpts)

    @cached_property
    def service(self) -> "MemoryService":
        return self._app.memory_service_over(self.store)

    def learning_context(self, extraction_model: str) -> "LearningContext":
        return self._app.learning_context_over(self.store, extraction_model)

    def known(self, memory_id: Id, owner: Owner | None = None) -> Kept:
        """The memory under a whole id, with `owner` one of theirs. Raises NotFound."""
        memory = self.store.memories.get(schemas.memory_key(memory_id))
        if memory is None or (owner is not None and memory.owner != owner):
            raise NotFound(f"There is no memory {str(memory_id)!r}.", hint="get_all shows the ids.")
        return memory


class Memory:
    """Memories of users, agents and runs. May be used from several threads; close it, or use it in a `with` block.

    Every call that reads or adds says whose memories it means: `user_id` for a person's, `agent_id` for an agent's own
    (shared by all its users), both for the person's learned with that agent, `run_id` for those of one run only, alone
    or together with the others. Reads take the same as `filters={"user_id": …}`, next to pairs that metadata must have.

    Raises `MemchatError`s only: UsageError for a call that makes no sense, NotFound for an unknown id, ModelError for a
    model that failed, StoreError for the disk.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        models: Mapping[str, ModelOptions] | None = None,
        owns_index: bool = False,
    ) -> None:
        """Open with `settings`, by default those that the terminal would use.

        `models` says by model name how to reach and ask it; it is never stored. With `owns_index` this process may hold
        the Chroma index; without, memories are scanned exactly. Nothing is read or written before the first call.
        """
        self.settings = settings or load_settings()
        self._app = App(self.settings, models=models, owns_index=owns_index)
        self._lock = threading.RLock()
        self._idle: list[_Connection] = []
        self._places: list[_Connection] = []
        self._sessions: dict[EntityIds, Session] = {}
        self._learner: LearningWorker | None = None
        self._closed = False
        self.on_recall: Callable[[str, int], None] = lambda by, memories: None
        """Hears how many memories each "turn" and each "search" recalled."""

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> "Memory":
        """Open with a configuration as mem0 takes it; see `memchat.mem0.config`. Raises ConfigError."""
        found = from_mem0(config_dict, load_settings())
        return cls(found.settings, models=found.models, owns_index=found.holds_index)

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Open the store, and do behind the scenes what the first calls would wait for, or leave waiting.

        That is to load the models' libraries, and to learn from what waits. Raises StoreError.
        """
        choice = self._app.choice()
        with self._place():
            self._app.warm_up(choice.name)
            self._common_learner(choice.extraction).notify()

    @property
    def ready(self) -> bool:
        """Whether what `warm_up` began to load is there."""
        return self._app.warm

    def connection(self) -> AbstractContextManager[_Connection]:
        """A connection to the store for the calling thread, for the servers of this package."""
        return self._place()

    @property
    def today(self) -> date:
        """The present day, local."""
        return self._app.clock().astimezone().date()

    @property
    def model(self) -> str:
        """The model that answers where no agent's profile names another."""
        return self._app.choice().name

    def close(self, timeout_s: float | None = None) -> None:
        """Wait until what `chat` heard is learned, at most `timeout_s`, and close. The rest stays pending on disk."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            learner, places = self._learner, self._places
        if learner is not None:
            learner.wait_until_idle(timeout_s)
        with ignore_library_warnings():
            self._app.close()
            for place in places:
                place.store.close()

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
        """Learn from `messages`: text, one message, or a list of them, each with a role and content.

        Each message of the user is learned from together with what was answered; system messages never are. `prompt`
        says what is worth remembering, for this call. With `infer=False` every message is kept as it was said.
        `metadata` goes on every memory of the call; `expiration_date` is the last day (UTC) on which they are shown.
        mem0's `timestamp` and `memory_type` are refused.

        Returns `{"results": [{"id", "memory", "event"}, …]}`; see `mem0.schemas.result`. Raises ModelError when the
        model fails: what was said is then kept, and learned with the next add.
        """
        entity = schemas.entity_ids(user_id, agent_id, run_id)
        spoken = schemas.parse_messages(messages)
        schemas.reject_unsupported(timestamp=timestamp, memory_type=memory_type)
        prompt = schemas.text_or_none("prompt", prompt)
        speaker = self._speaker(entity, schemas.plain_metadata(metadata), prompt, schemas.end_of(expiration_date))
        with self._place() as place:
            intake = Ingest(place.store, self._session(place, entity), speaker)
            if infer:
                said = [(one.role, one.text) for one in spoken]
                applied = intake.learn(said, place.learning_context(self._extraction_model))
                return {"results": [schemas.event_row(one) for one in applied]}
            kept = intake.keep([(one.role, one.text, one.name) for one in spoken], place.service)
        rows = zip(kept, spoken, strict=True)
        return {"results": [schemas.kept_row(memory, said) for memory, said in rows]}

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
        """One whole turn: recall, answer, and learn from it in the background, as far as the setting `memory` lets it.

        That learning serves everybody: it takes up whatever else waits in this store, whosever it is and whatever
        program left it there, with the extraction model of this one.
        `run_id` names the conversation to take up; without one there is one for each user and agent. Returns
        `{"reply", "memories_used", "excerpts_used", "session_id", "usage"}`, the memories as `search` shows them,
        wishes about how to be answered first and without a score, and what was said in earlier conversations.
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
        """The same turn with the reply as it arrives; what `chat` returns is the generator's return value.

        Closing the generator ends the call to the model; what came until then is recorded.
        """
        if user_id is None:
            raise UsageError("user_id is missing: say who is speaking.")
        entity = schemas.entity_ids(user_id, agent_id, run_id)
        message = schemas.text("message", message)
        options = ChatOptions(
            entity.user or "",
            entity.agent,
            system=schemas.text_or_none("system", system),
            instructions=schemas.text_or_none("prompt", prompt),
            metadata=schemas.plain_metadata(metadata),
        )
        with self._place() as place:
            session = self._session(place, entity)
            choice = self._app.choice(agent=entity.agent)
            conversation = self._app.conversation(
                replace(options, session=session), choice.name, place.store, self._recall(place, entity)
            )
            with self._learning_after(choice.extraction), conversation.turn(message) as turn:
                yield from turn
        row = schemas.chat_row(turn, session)
        self.on_recall("turn", len(row["memories_used"]))
        return row

    def complete(self, request: Mapping[str, Any], user_id: Id, *, run_id: Id | None = None) -> Row:
        """A chat completion in OpenAI's shapes, `request` as its clients send it, with what is remembered put in.

        The messages of the request are the conversation; the last one of the user is learned from, in the background.
        """
        with self._completion(request, user_id, run_id) as (model, turn):
            found = model.complete(turn.request)
            turn.note(found)
        return found

    def complete_stream(
        self, request: Mapping[str, Any], user_id: Id, *, run_id: Id | None = None
    ) -> Generator[Row, None, None]:
        """The chunks of the same as they arrive."""
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
        entity = schemas.entity_ids(user_id, None, run_id)
        with self._place() as place:
            choice = self._app.choice()
            options = ChatOptions(entity.user or "", session=self._session(place, entity))
            recall = self._recall(place, entity)
            model, turn = self._app.completion(options, choice.name, recall, request, place.store)
            with self._learning_after(choice.extraction), turn:
                yield model, turn
        self.on_recall("turn", len(turn.recalled))

    @contextmanager
    def _learning_after(self, extraction_model: str) -> Generator[None]:
        """Learn in the background once the block is done or left; not where the model has just failed."""
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._common_learner(extraction_model).notify()
            raise
        self._common_learner(extraction_model).notify()

    def _recall(self, place: _Connection, entity: EntityIds) -> "Retriever":
        profile = self.settings.profile(entity.agent)
        excerpts = self.settings.excerpts_with(entity.agent)
        return place.recall(profile.top_k if profile else None, excerpts=excerpts)

    def _excerpts(self, place: _Connection, query: str, entity: EntityIds) -> "tuple[Excerpt, ...]":
        """What was said by `entity` user, or to them."""
        finder, session = place.recall(excerpts=True).excerpts, entity.session_name if entity.run is not None else None
        if finder is None or not (entity.user or session):
            return ()
        for _ in range(MOST_INDEXED):
            if not place.store.message_index.index_next(entity.user or "", self._app.embedder):
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
        """The memories that bear on `query`, best first, as `{"results": […]}`; nothing relevant gives none.

        At most `top_k` (or `limit`), by default the setting of that name. `threshold` is the least score; without one
        a calibrated floor keeps out what does not bear on the query. `explain` adds "score_details", the summands of
        the score. `rerank` changes nothing, for there is no other ranking; mem0's `reference_date` is refused.

        With `excerpts` there is "excerpts" as well: what the person and the assistant said that bears on `query`, for
        the user (with `agent_id`, in conversations with that agent; with `run_id`, in that run).
        """
        schemas.reject_unsupported(reference_date=reference_date)
        entity, narrowing = schemas.parse_filters(filters, user_id, agent_id, run_id)
        wanted, least = schemas.parse_limit(top_k, limit), schemas.least_score(threshold)
        query = schemas.text("query", query)
        view = entity.filter(narrowing, expired=show_expired)
        request = Query(query, view, top_k=wanted, floor=least is None)
        with self._place() as place:
            hits = place.recall(tokens=None if wanted is None else UNBOUNDED).search(request)
            said = self._excerpts(place, query, entity) if excerpts else ()
        near = [hit for hit in hits if least is None or hit.score >= least]
        self.on_recall("search", len(near))
        found: Row = {"results": [schemas.hit_row(hit, explain=explain) for hit in near]}
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
        """Every current memory, newest first, as `{"results": […]}`; at most `limit` (or `top_k`) where one is given.

        `offset` leaves out the newest so many, for paging. Those of the person's runs are among them.
        """
        entity, narrowing = schemas.parse_filters(filters, user_id, agent_id, run_id)
        wanted = schemas.parse_limit(top_k, limit)
        with self._place() as place:
            view = entity.filter(narrowing, all_sessions=True, expired=show_expired)
            kept = place.store.memories.memories(view, wanted, schemas.parse_offset(offset))
        return {"results": [schemas.memory_row(memory) for memory in kept]}

    def count(
        self,
        *,
        user_id: Id | None = None,
        agent_id: Id | None = None,
        run_id: Id | None = None,
        filters: Mapping[str, Any] | None = None,
        show_expired: bool = False,
    ) -> int:
        """How many memories `get_all` gives for the same."""
        entity, narrowing = schemas.parse_filters(filters, user_id, agent_id, run_id)
        with self._place() as place:
            return place.store.memories.count(entity.filter(narrowing, all_sessions=True, expired=show_expired))

    def entities(self) -> list[Row]:
        """The users and agents of whom anything is kept: `{"type", "name", "total_memories"}`, by name."""
        with self._place() as place:
            return [schemas.entity_row(owner, count) for owner, count in place.store.memories.owner_counts()]

    def get(self, memory_id: Id) -> Row:
        """One memory, superseded or not. Raises NotFound."""
        with self._place() as place:
            return schemas.memory_row(place.known(memory_id))

    def history(self, memory_id: Id) -> list[Row]:
        """Every change to a memory and to the versions it superseded, oldest first. Raises NotFound."""
        with self._place() as place:
            memory = place.known(memory_id)
            changes = place.store.memories.history(memory)
        return [schemas.change_row(one, memory) for one in changes]

    # Changing.

    def update(
        self,
        memory_id: Id,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expiration_date: Day | EllipsisType | None = ...,
        data: str | None = None,
    ) -> Row:
        """Put `text` (or `data`) in the place of the memory's words; the former ones stay in its history.

        `metadata` is added to what it has; `expiration_date` is the last day (UTC) on which it is shown, None takes
        that back. Raises NotFound.
        """
        words = schemas.text_or_none("text", data if text is None else text)
        if words is None and metadata is None and expiration_date is ...:
            raise UsageError("There is nothing to change: give text, metadata or expiration_date.")
        pairs = schemas.plain_metadata(metadata)
        end = None if expiration_date is ... else schemas.end_of(expiration_date)
        with self._place() as place:
            memory = place.known(memory_id)
            if words is not None:
                memory = place.service.edit(memory, words)
            if pairs or expiration_date is not ...:
                place.service.amend(memory, pairs, memory.expires_at if expiration_date is ... else end)
        return {"message": "Memory updated successfully!"}

    def delete(self, memory_id: Id) -> Row:
        """Erase a memory with all its versions, down to the bytes on the disk. Raises NotFound."""
        with self._place() as place:
            _warn_of(place.service.forget([place.known(memory_id).id]))
        return {"message": "Memory deleted successfully!"}

    def delete_all(self, user_id: Id | None = None, agent_id: Id | None = None, run_id: Id | None = None) -> Row:
        """Erase all that is kept of a user (conversations too), of an agent, of a user with an agent, or of a run.

        `{"message", "erased"}` says how many memories, former versions not counted. A run or an agent of a user is
        named together with that user: where nothing is found, a "hint" says so.
        """
        entity = schemas.entity_ids(user_id, agent_id, run_id)
        with self._place() as place:
            if entity.user is not None and entity == EntityIds(entity.user):
                receipts = [place.service.forget_person(entity.user)]
            else:
                receipts = self._forget_part(place, entity)
        with self._lock:
            self._sessions.clear()
        for receipt in receipts:
            _warn_of(receipt)
        return schemas.deleted(receipts)

    def reset(self) -> None:
        """Erase everything of everybody in this store."""
        with self._place() as place:
            _warn_of(place.service.forget_everything())
        with self._lock:
            self._sessions.clear()

    # Steps.

    @contextmanager
    def _place(self) -> Generator[_Connection]:
        """A connection for the calling thread, as long as the block lasts. Parts are made under the lock."""
        with ignore_library_warnings():
            with self._lock:
                if self._closed:
                    raise UsageError("This Memory is closed.")
                place = self._idle.pop() if self._idle else self._new_place()
            try:
                yield place
            finally:
                with self._lock:
                    self._idle.append(place)

    def _new_place(self) -> _Connection:
        first = not self._places
        place = _Connection(self._app, self._app.store if first else self._app.open_store())
        self._places.append(place)
        if first:
            # Here, under the lock, since from Python 3.12 on nothing keeps two threads from making a part twice.
            place.recall()
        return place

    @cached_property
    def _extraction_model(self) -> str:
        return self.settings.extraction_model or self._app.choice().extraction

    def _common_learner(self, extraction_model: str) -> "LearningWorker":
        """One for all: who opens a `Memory` serves everybody in its store."""
        with self._lock:
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

    def _session(self, place: _Connection, entity: EntityIds) -> Session:
        """The conversation that a call belongs to: its run's, else the owner's last one that is not idle for IDLE."""
        conversations = place.store.conversations
        if entity.run is None:
            return self._unnamed_session(conversations, entity)
        session = conversations.session(entity.session_name)
        if session is None:
            return conversations.new_session(entity.user or "", entity.agent, name=entity.session_name)
        if session.user != (entity.user or ""):
            raise Conflict(f"The run {entity.run!r} is somebody else's.", hint="Give it another run_id.")
        if session.agent != entity.agent:
            raise Conflict(
                f"The run {entity.run!r} belongs to the agent {session.agent!r}.",
                hint="Give that agent_id, or another run_id.",
            )
        return session

    def _unnamed_session(self, conversations: "Conversations", entity: EntityIds) -> Session:
        since = self._app.clock() - IDLE
        with self._lock:
            session = conversations.open_session(entity.user or "", entity.agent, ORIGIN, since)
            if session is None:
                # One that was begun a moment ago is stored with its first message only.
                session = self._sessions.get(entity)
            if session is None or session.last_at < since:
                session = conversations.new_session(entity.user or "", entity.agent, origin=ORIGIN)
            self._sessions[entity] = session
            return session

    def _forget_part(self, place: _Connection, entity: EntityIds) -> list[ErasureReport]:
        """Erase what `entity` names but a whole person, and the conversations that hold nothing else."""
        receipts = []
        view = replace(entity.filter(Filters(), all_sessions=True), superseded=True, expired=True)
        ids = [memory.id for memory in place.store.memories.memories(view)]
        if ids:
            receipts.append(place.service.forget(ids))
        if entity.run is not None:
            sessions = [entity.session_name]
        else:
            of_person = place.store.conversations.sessions(entity.user or "")
            sessions = [session.id for session in of_person if session.agent == entity.agent]
        if sessions:
            receipts.append(place.service.forget_sessions(sessions))
        return receipts


def _warn_of(receipt: ErasureReport) -> None:
    """Say in the log, without the words, where the search after an erasure still found some."""
    if receipt.left:
        files = sorted({found.file for found in receipt.left})
        log.warning("what was erased is still found in %s: see memchat doctor", ", ".join(files))
