"""A conversation and its learner on real parts (store, built-in embedder) but for the clock and the model's end."""

import json
import sqlite3
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from memchat.chat.conversation import Conversation, ConversationOptions
from memchat.core.protocols import Completion, Delta, LanguageModel, MemoryFilter, ModelRequest, Usage
from memchat.core.types import Add, Draft, Memory, Owner, Session
from memchat.learning.pipeline import AgentPolicy, LearningContext, LearningResult, learn
from memchat.llm.builtin_embedder import BuiltinEmbedder, BuiltinRequestEmbedder
from memchat.llm.vocabulary import BuiltinVocabulary
from memchat.recall.retriever import Limits, Retriever
from memchat.storage.store import Store
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.search import VectorSearch
from memchat.text import embedding as vectors

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
AL = Owner.user("al")
EMBEDDER = BuiltinEmbedder()
REQUEST_EMBEDDER = BuiltinRequestEmbedder(EMBEDDER)
VOCABULARY = BuiltinVocabulary()


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **time: float) -> None:
        self.now += timedelta(**time)


class ScriptedModel:
    """Gives its answers in order: a text, or an error to raise. A streamed one comes in pieces of four characters.

    `asked` holds every request; `on_call` runs before each answer, in the middle of a stream after the first piece.
    """

    name = "scripted/model"

    def __init__(self, *answers: str | BaseException, context_tokens: int = 8_000) -> None:
        self.context_tokens = context_tokens
        self.answers = list(answers)
        self.asked: list[ModelRequest] = []
        self.closed = 0
        self.on_call: Callable[[], None] = lambda: None

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        self.asked.append(request)
        self.on_call()
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        text, _, failure = answer.partition("|FAILS|")
        try:
            for at in range(0, len(text), 4):
                yield Delta(text[at : at + 4])
            if failure:
                raise ERRORS[failure]
            yield Delta(usage=Usage(10, 5))
        finally:
            self.closed += 1

    def complete(self, request: ModelRequest) -> Completion:
        self.asked.append(request)
        self.on_call()
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return Completion(answer)


ERRORS: dict[str, Exception] = {}
"""What a stream raises after `|FAILS|name`, by name."""


def facts(*given: dict[str, Any], **others: Any) -> str:
    """A model's answer."""
    return json.dumps({"facts": given, "confirmed": [], "ended": [], "outdated": [], "forget": [], **others})


def learn_next(context: LearningContext) -> LearningResult:
    """Do the next job of al, and close `context`."""
    try:
        work = context.store.work.claim("al")
        assert work is not None
        return learn(context, work)
    finally:
        context.close()


class Home:
    """One data directory with everything over it. Close it, or use it in a `with` block."""

    def __init__(self, folder: Path, *, limits: Limits | None = None) -> None:
        self.path = folder / "memchat.db"
        self.clock = FakeClock()
        self.limits = limits or Limits()
        self.store = self.open_store()
        self.recall = self.recall_over(self.store)

    def open_store(self) -> Store:
        store = Store(self.path, self.clock, EMBEDDER.fingerprint)
        store.search_with(VectorSearch(ExactSearch(store.database, EMBEDDER.fingerprint)))
        return store

    def recall_over(self, store: Store) -> Retriever:
        return Retriever(store.memories, REQUEST_EMBEDDER, VOCABULARY, self.limits, self.clock)

    def __enter__(self) -> "Home":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.store.close()

    def session(self, user: str = "al", agent: str | None = None, *, private: bool = False) -> Session:
        return self.store.conversations.new_session(user, agent, private=private)

    def conversation(
        self,
        model: LanguageModel,
        session: Session | None = None,
        style: ConversationOptions | None = None,
        *,
        remembers: bool = True,
    ) -> Conversation:
        return Conversation(
            session or self.session(),
            model,
            self.store.conversations,
            self.recall if remembers else None,
            style or ConversationOptions(),
            self.clock,
        )

    def context(self, model: LanguageModel, agent: AgentPolicy | None = None) -> LearningContext:
        """What learning works with, over a connection of its own."""
        store = self.open_store()
        profile = agent or AgentPolicy()
        return LearningContext(store, model, EMBEDDER, self.recall_over(store), lambda name: profile)

    def say(self, text: str, session: Session | None = None, reply: str = "I see.") -> Session:
        """One exchange, recorded and waiting to be learned from."""
        session = session or self.session()
        with self.conversation(ScriptedModel(reply), session).turn(text) as turn:
            assert "".join(turn) == reply
        return session

    def keep(self, *texts: str, owner: Owner = AL, **others: Any) -> list[Memory]:
        """Store memories as they are, each in words of its own."""
        return self.keep_drafts([Draft(text, owner, scope=others.pop("scope", owner.kind), **others) for text in texts])

    def keep_drafts(self, drafts: Sequence[Draft]) -> list[Memory]:
        embedded = vectors.embed(EMBEDDER, drafts)
        return [one.memory for one in self.store.apply([Add(draft) for draft in drafts], embedded)]

    def memories(self, owner: Owner = AL, **view: Any) -> list[Memory]:
        """All there are, oldest first."""
        return self.store.memories.memories(MemoryFilter((owner,), all_sessions=True, **view))[::-1]

    def texts(self, owner: Owner = AL, **view: Any) -> list[str]:
        return [memory.text for memory in self.memories(owner, **view)]

    def elsewhere(self, sql: str) -> list[tuple[Any, ...]]:
        """What another process would read at this moment."""
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
