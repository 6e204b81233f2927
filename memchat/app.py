"""The composition root: creates the store, models, recall, conversations and services from the settings."""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from memchat.chat.sessions import ChatOptions, conversation_options, open_session
from memchat.config import MemoryMode, Settings
from memchat.core.protocols import Clock, CompletionModel, Embedder, LanguageModel, MemoryFilter, RequestEmbedder
from memchat.core.types import OFFLINE, Memory, Owner, Session
from memchat.errors import StoreBusy
from memchat.llm.model_choice import ModelChoice, choose_model, is_on_this_machine
from memchat.llm.options import ModelOptions
from memchat.recall.deferred import DeferredRetriever
from memchat.storage.engine import SQLiteEngine
from memchat.storage.protocols import Engine, Storage

if TYPE_CHECKING:
    from memchat.chat.comparison import Comparison
    from memchat.chat.completions import CompletionTurn
    from memchat.chat.conversation import Conversation, TurnRecall
    from memchat.learning.pipeline import LearningContext, LearningResult
    from memchat.learning.setup import LearningSetup
    from memchat.learning.worker import LearningWorker
    from memchat.llm.embedders import EmbedderProvider
    from memchat.llm.models import Models
    from memchat.llm.retry import RetryNotice
    from memchat.memories.remember import Rememberer
    from memchat.memories.service import MemoryService
    from memchat.recall.retriever import Query, Retriever

log = logging.getLogger(__name__)

UNBOUNDED = 10_000_000
"""Token limit for recall whose results do not go into a prompt."""


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def open_engine(settings: Settings, clock: Clock = utc_now, *, owns_index: bool = False) -> Engine:
    """Open the storage of the home folder in `settings`."""
    return SQLiteEngine(settings.home, clock, settings.index_from, owns_index=owns_index)


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation and its learning worker. After closing, exchanges not learned from yet stay pending on disk.

    `options` are those it was opened with; `extraction` is the extraction model of the worker.
    """

    conversation: "Conversation"
    learning_worker: "LearningWorker"
    options: ChatOptions
    extraction: str

    def query(self, text: str) -> "Query":
        """Build a search for `text` in the memories that this conversation may recall."""
        from memchat.recall.retriever import Query, filter_of

        return Query(text, filter_of(self.conversation.session))

    def close(self) -> None:
        self.learning_worker.close()

    def __enter__(self) -> "Chat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class App:
    """The parts of memchat for `settings`, created when first needed. Close it after use.

    With `owns_index`, this process may hold the Chroma index, which one process at a time does; otherwise memories are
    scanned. `models` contains options by model name, in place of the environment's. `on_notice` is called with messages
    for the user.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = utc_now,
        owns_index: bool = False,
        models: Mapping[str, ModelOptions] | None = None,
        on_retry: "Callable[[RetryNotice], None] | None" = None,
        on_notice: Callable[[str], None] = log.warning,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._access = dict(models or {})
        self.engine = open_engine(settings, clock, owns_index=owns_index)
        self._on_retry = on_retry
        self._on_notice = on_notice
        self._looked_for_others = False
        self._opened: list[Callable[[], None]] = [self.engine.close]
        self._loading: tuple[Thread, ...] = ()

    def __enter__(self) -> "App":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._opened:
            self._opened.pop()()

    # Parts.

    @cached_property
    def store(self) -> Storage:
        """The main thread's connection. Interrupted erasures are finished when it is opened."""
        store = self.open_store()
        self._opened.append(store.close)
        if store.read_only:
            self._on_notice(f"{self.settings.home} cannot be written, so it is opened read-only.")
            return store
        with suppress(StoreBusy):
            store.finish_erasures(timeout_s=0.0)
        return store

    def open_store(self) -> Storage:
        """Open another connection, for another thread; the caller closes it."""
        return self.engine.open(self.fingerprint)

    @cached_property
    def embedder_provider(self) -> "EmbedderProvider":
        from memchat.llm.embedders import EmbedderProvider

        access = self._access.get(self.settings.embedding_model or "", ModelOptions())
        return EmbedderProvider(self.settings, access, self._on_retry, self._on_notice, self.engine)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the embedder in use, as far as it is known."""
        return self.embedder_provider.fingerprint

    @property
    def embedder(self) -> Embedder:
        return self.embedder_provider.embedder

    @cached_property
    def recall(self) -> "Retriever":
        return self.recall_over(self.store)

    def recall_over(
        self,
        store: Storage,
        top_k: int | None = None,
        tokens: int | None = None,
        *,
        indexed: bool = True,
        excerpts: bool | None = None,
        embedder: RequestEmbedder | None = None,
    ) -> "Retriever":
        """Create a retriever over `store`, for the store's thread, with the configured limits and parts or these."""
        from memchat.llm.vocabulary import BuiltinVocabulary
        from memchat.recall.excerpts import ExcerptFinder
        from memchat.recall.recent_embeddings import RecentEmbeddings
        from memchat.recall.retriever import Limits, Retriever

        store.connect_search(self.fingerprint, indexed=indexed)
        self._tell_of_other_vectors(store)
        limits = Limits(top_k or self.settings.top_k, tokens or self.settings.memory_tokens)
        vocabulary = BuiltinVocabulary()
        recent = RecentEmbeddings(embedder or self.embedder_provider.query_embedder)
        with_excerpts = self.settings.excerpts if excerpts is None else excerpts
        finder = ExcerptFinder(store.messages, recent, vocabulary, self.clock) if with_excerpts else None
        return Retriever(store.memories, recent, vocabulary, limits, self.clock, finder)

    def _tell_of_other_vectors(self, store: Storage) -> None:
        """Notify once if there are memories whose vectors another embedder made, which recall cannot compare."""
        looked, self._looked_for_others = self._looked_for_others, True
        if not looked and (notice := store.vectors.others_notice(self.fingerprint)):
            self._on_notice(notice)

    @cached_property
    def memory_service(self) -> "MemoryService":
        """Changes that a user makes to memories."""
        return self.memory_service_over(self.store)

    @property
    def extraction_model(self) -> str:
        """The model that extracts facts, and decides what a memory added by command replaces."""
        return self.settings.extraction_model or self.choice().extraction

    @cached_property
    def rememberer(self) -> "Rememberer":
        """Saves memories outside a chat; `remember` lets the model decide what they replace."""
        return self.rememberer_with(self.extraction_model)

    def rememberer_with(self, extraction_model: str) -> "Rememberer":
        from memchat.memories.remember import Rememberer

        by_rules = extraction_model == OFFLINE
        recall = partial(self.recall_over, self.store, tokens=UNBOUNDED)
        kinds, user = self.learning_setup.sentence_kinds, self.settings.user
        return Rememberer(self.memory_service, recall, self.clock, kinds, by_rules=by_rules, user=user)

    def memory_service_over(self, store: Storage) -> "MemoryService":
        from memchat.memories.service import MemoryService

        return MemoryService(store, lambda: self.embedder, redacts=self.settings.redact)

    # Models.

    def choice(self, explicit: str | None = None, agent: str | None = None) -> ModelChoice:
        profile = self.settings.profile(agent)
        named = explicit or (profile.model if profile else None) or self.settings.model
        return choose_model(os.environ, explicit=named)

    def model(self, name: str) -> LanguageModel:
        if name == OFFLINE:
            from memchat.offline.model import OfflineModel

            offline: LanguageModel = OfflineModel()
            return offline
        return self._models.open(name, self._access.get(name))

    @cached_property
    def _models(self) -> "Models":
        from memchat.llm.chat_model import CallPolicy
        from memchat.llm.dialect import DialectMemory
        from memchat.llm.models import Models

        settings = self.settings
        policy = CallPolicy(settings.timeout_s, settings.retries, settings.context_tokens, self._on_retry)
        return Models(policy, DialectMemory(settings.dialects))

    def completion_model(self, name: str) -> CompletionModel:
        """Return the model `name` with OpenAI's request and response formats."""
        if name != OFFLINE:
            return self._models.open_completions(name, self._access.get(name))
        from memchat.llm.completions import TextCompletions

        return TextCompletions(self.model(name), self.clock)

    # Conversations.

    def completion(
        self, options: ChatOptions, model: str, recall: "Retriever", request: Mapping[str, Any], store: Storage
    ) -> "tuple[CompletionModel, CompletionTurn]":
        """Prepare a chat completion with memory over `store`; the client sends the conversation."""
        from memchat.chat.completions import CompletionParts, CompletionTurn

        session = open_session(options, store.conversations, self.settings)
        asked = self.completion_model(model)
        parts = CompletionParts(
            session,
            asked,
            store.conversations,
            None if self.settings.memory is MemoryMode.OFF else recall,
            conversation_options(options, self.settings, session.agent),
            self.model(OFFLINE).count_tokens,
            self.clock,
        )
        return asked, CompletionTurn(parts, request)

    def chat(self, options: ChatOptions, on_learned: "Callable[[LearningResult], None]" = lambda result: None) -> Chat:
        """Start or resume a conversation; its worker is not started. Raises UsageError if it has another agent."""
        return self._chat(options, on_learned)

    def reopen(self, chat: Chat, options: ChatOptions, on_learned: "Callable[[LearningResult], None]") -> Chat:
        """Replace `chat` by one with `options`. Its worker is kept if the extraction model stays the same."""
        return self._chat(options, on_learned, chat)

    def _chat(
        self, options: ChatOptions, on_learned: "Callable[[LearningResult], None]", former: Chat | None = None
    ) -> Chat:
        session = open_session(options, self.store.conversations, self.settings)
        options = replace(options, session=session, continue_last=False)
        choice, recall = self._model_and_recall(session, options)
        conversation = self.conversation(options, choice.name, self.store, recall)
        if former is not None and choice.extraction == former.extraction:
            return Chat(conversation, former.learning_worker, options, former.extraction)
        if former is not None:
            former.learning_worker.close(timeout_s=0.0)
        worker = self.learning_worker(options.user, choice.extraction, on_learned)
        return Chat(conversation, worker, options, choice.extraction)

    def conversation(self, options: ChatOptions, model: str, store: Storage, recall: "TurnRecall") -> "Conversation":
        """Create a conversation with `model` over `store`, without a learning worker."""
        from memchat.chat.conversation import Conversation

        session = open_session(options, self.store.conversations, self.settings)
        return Conversation(
            session,
            self.model(model),
            store.conversations,
            None if self.settings.memory is MemoryMode.OFF else recall,
            conversation_options(options, self.settings, session.agent),
            self.clock,
        )

    def compare(self, question: str, options: ChatOptions) -> "Comparison":
        """Ask `question` without and with memory; nothing is recorded or learned."""
        from memchat.chat.comparison import compare

        session = open_session(options, self.store.conversations, self.settings)
        choice, recall = self._model_and_recall(session, options)
        style = conversation_options(options, self.settings, session.agent)
        return compare(question, session, self.model(choice.name), recall, style, self.clock)

    def _model_and_recall(self, session: Session, options: ChatOptions) -> "tuple[ModelChoice, TurnRecall]":
        """Return the model and the retriever of a conversation, as its options, agent and settings say."""
        profile = self.settings.profile(session.agent)
        top_k = options.top_k or (profile.top_k if profile else None)
        excerpts = self.settings.excerpts_with(session.agent)
        self._tell_of_other_vectors(self.store)
        recall = DeferredRetriever(lambda: self.recall_over(self.store, top_k, excerpts=excerpts))
        return self.choice(options.model, session.agent), recall

    def learning_worker(
        self,
        user: str | None,
        extraction_model: str,
        on_learned: "Callable[[LearningResult], None]" = lambda result: None,
    ) -> "LearningWorker":
        """Create a worker that learns from the pending exchanges of `user`, or of all users if None.

        It uses the extraction model of the settings, or else `extraction_model`. It does nothing if memory is off.
        """
        from memchat.learning.worker import QUIET_S, LearningWorker

        name = self.settings.extraction_model or extraction_model
        idle, given = self.settings.memory is MemoryMode.OFF, self._access.get(name, ModelOptions())
        # A server on this machine usually handles one request at a time.
        quiet_s = QUIET_S if is_on_this_machine(name, given.api_base, os.environ) else 0.0
        worker = LearningWorker(lambda: self.learning_context(name), on_learned, user=user, idle=idle, quiet_s=quiet_s)
        self._opened.append(worker.close)
        return worker

    def learning_context(self, extraction_model: str | None = None) -> "LearningContext":
        """Create the context of learning for the calling thread, with its own connection; the caller closes it."""
        store = self.open_store()
        name = extraction_model or self.extraction_model
        return self.learning_context_over(store, name)

    def learning_context_over(self, store: Storage, extraction_model: str) -> "LearningContext":
        patient = self.embedder_provider.patient_query_embedder
        recall = self.recall_over(store, excerpts=False, embedder=patient)
        return self.learning_setup.context(store, self.model(extraction_model), self.model(OFFLINE), recall)

    @cached_property
    def learning_setup(self) -> "LearningSetup":
        from memchat.learning.setup import LearningSetup

        return LearningSetup(self.settings, self.embedder_provider, self._access)

    def warm_up(self, model: str) -> None:
        """Load what the first turn with `model` needs, in the background. No request is sent to an embedding server."""
        from memchat.memory_use import limit_arenas
        from memchat.preload import in_background, load_httpx, load_litellm, load_redaction, load_turn

        limit_arenas()
        loading = [in_background("redaction", load_redaction), in_background("recall", load_turn)]
        self.engine.start_index(self.fingerprint)
        if self.settings.embedding_model is None:
            loading.append(in_background("warm-up", self._load_embedder))
        if self.settings.excerpts:
            user = Owner.user(self.settings.user)
            loading.append(in_background("messages", partial(self.engine.load_message_vectors, self.fingerprint, user)))
        needs_litellm = model != OFFLINE and self._models.needs_litellm(model, self._access.get(model))
        if self.settings.embedding_model or needs_litellm:
            loading.append(in_background("import-litellm", load_litellm))
        elif model != OFFLINE:
            loading.append(in_background("import-httpx", load_httpx))
        self._loading = tuple(loading)

    def _load_embedder(self) -> None:
        from memchat.memory_use import return_freed_memory

        self.embedder_provider.load()
        return_freed_memory()

    @property
    def warm(self) -> bool:
        """Return whether everything that `warm_up` started to load is loaded."""
        return not any(thread.is_alive() for thread in self._loading)

    def matching(self, text: str, view: MemoryFilter) -> list[Memory]:
        """Return every memory of `view` that a search finds, best first. The search is exact: an index returns few."""
        from memchat.memories.service import find_all

        with self.open_store() as store:
            return find_all(self.recall_over(store, tokens=UNBOUNDED, indexed=False), store, text, view)
