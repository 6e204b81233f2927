"""The values that travel through memchat. All are frozen; times are aware and in UTC, validity is in whole days."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TypeGuard
from urllib.parse import quote

from memchat.core.names import composed

MetadataValue = str | int | float | bool
Metadata = Mapping[str, MetadataValue]


def is_plain(value: object) -> TypeGuard[MetadataValue]:
    """Return whether metadata can hold `value`. JSON has no NaN and no infinity: SQLite refuses to read them back."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


CATEGORIES = (
    "identity",
    "preference",
    "work",
    "project",
    "relationship",
    "health",
    "place",
    "event",
    "plan",
    "support",
    "other",
)
"""The default short list; an agent profile may set its own."""

OFFLINE = "offline"
"""Name of the built-in model, which answers by rules."""
MAX_CUES = 3

FORGOTTEN = "[forgotten]"
"""Stands in a message where deleted words were."""

MAX_TEXT = 1_000
"""Longest text of a fact, in characters; longer ones are dropped."""


class Scope(StrEnum):
    """The reach of a memory. Set when it is created and never changed."""

    USER = "user"
    AGENT = "agent"
    SESSION = "session"


class Source(StrEnum):
    """Origins of a memory: said in a conversation, told by command, or imported."""

    SAID = "said"
    TOLD = "told"
    IMPORTED = "imported"


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class CosineScale:
    """Cosines of an embedder: the mean of unrelated texts, and the threshold above which texts are related."""

    unrelated: float
    dividing: float


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of memories. `kind` is the scope that names the owner; owners never see each other's memories.

    A session memory belongs to the user of the session; `Owner(Scope.SESSION, run_id)` is for library callers who give
    only a run_id.
    """

    kind: Scope
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", composed(self.name))

    @classmethod
    def user(cls, name: str) -> "Owner":
        return cls(Scope.USER, name)

    @classmethod
    def agent(cls, name: str) -> "Owner":
        return cls(Scope.AGENT, name)


def run_session(user: str | None, agent: str | None, run: str | None) -> str:
    """Return the id of the session of a program's run. Two users or agents never share one, even for equal names."""
    whose = quote(composed(user or ""), safe="")
    if user is None and agent is not None:
        whose = "/" + quote(composed(agent), safe="")
    return f"{quote(composed(run or ''), safe=' :.')}@{whose}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The source of a memory: the message, the exact words in it, and the model that read them."""

    message_id: str
    session_id: str
    quote: str
    model: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory that is about to be stored.

    `verbatim` marks a message kept as it was said (`infer=False`), which recall ranks together with its neighbours.
    """

    text: str
    owner: Owner
    scope: Scope = Scope.USER
    category: str = "other"
    session_id: str | None = None
    agent: str | None = None
    metadata: Metadata = field(default_factory=dict)
    valid_from: date | None = None
    valid_to: date | None = None
    expires_at: datetime | None = None
    cues: tuple[str, ...] = ()
    standing: bool = False
    verbatim: bool = False
    source: Source = Source.TOLD
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """One stored fact about its owner.

    `superseded_by` is set once a newer fact has replaced it. `mistaken` says that it was never true, `doubtful` that a
    fact it depended on has changed. `ended` facts (a `valid_to` in the past and no successor) stay current knowledge
    about the past.
    """

    id: str
    owner: Owner
    text: str
    scope: Scope
    category: str
    created_at: datetime
    updated_at: datetime
    session_id: str | None = None
    agent: str | None = None
    metadata: Metadata = field(default_factory=dict)
    valid_from: date | None = None
    valid_to: date | None = None
    expires_at: datetime | None = None
    confirmed_at: datetime | None = None
    last_used_at: datetime | None = None
    supersedes: tuple[str, ...] = ()
    superseded_by: str | None = None
    mistaken: bool = False
    doubtful: bool = False
    standing: bool = False
    verbatim: bool = False
    source: Source = Source.TOLD
    cues: tuple[str, ...] = ()
    evidence: Evidence | None = None

    @property
    def superseded(self) -> bool:
        return self.superseded_by is not None

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def ended(self, today: date) -> bool:
        return has_ended(self.valid_to, today)


def has_ended(valid_to: date | None, today: date) -> bool:
    """Return whether a fact with this `valid_to` no longer holds; that day is the first on which it does not."""
    return valid_to is not None and valid_to <= today


class Event(StrEnum):
    """Changes to a memory, in the words of `memories history`."""

    ADD = "ADD"
    UPDATE = "UPDATE"
    CONFIRM = "CONFIRM"
    SUPERSEDE = "SUPERSEDE"
    MISTAKEN = "MISTAKEN"
    END = "END"
    DOUBT = "DOUBT"
    UNDO = "UNDO"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a memory's history, oldest first in every listing. `seq` grows with every change to any memory.

    `planned_end` is the day on which the memory was to end before an END set an earlier one.
    """

    seq: int
    memory_id: str
    event: Event
    at: datetime
    old_text: str | None
    new_text: str | None
    reason: str
    planned_end: date | None = None


# What learning decides, applied by the store in one transaction, in order.


@dataclass(frozen=True, slots=True)
class Add:
    """Store `draft`; the memories in `replaces` are superseded by it (and were never true, if `mistaken`)."""

    draft: Draft
    replaces: tuple[str, ...] = ()
    mistaken: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """The same fact was said again."""

    memory_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The fact stopped being true on `valid_to`."""

    memory_id: str
    valid_to: date
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MarkOutdated:
    """A fact it depended on has changed: it is possibly outdated."""

    memory_id: str
    reason: str = "a fact it depended on has changed"


@dataclass(frozen=True, slots=True)
class Forget:
    """The person asked for this to be forgotten: delete it."""

    memory_id: str
    reason: str = ""


Decision = Add | Confirm | End | MarkOutdated | Forget


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of a decision: the memory as it is now (as it was, for DELETE) and what it replaced."""

    event: Event
    memory: Memory
    replaced: tuple[Memory, ...] = ()


# Conversations.


class MessageStatus(StrEnum):
    """Ways in which a message ended. The user's is `stopped` if they stopped the turn before a word was answered."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `recalled` holds the ids of the memories that were in its prompt."""

    id: str
    session_id: str
    role: Role
    text: str
    created_at: datetime
    status: MessageStatus = MessageStatus.COMPLETE
    model: str | None = None
    recalled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation. A `private` one is recorded but nothing of it is learned.

    `origin` names the program that holds it, where that is not the terminal.
    """

    id: str
    user: str
    agent: str | None
    title: str
    started_at: datetime
    last_at: datetime
    private: bool = False
    messages: int = 0
    origin: str = ""

    def __post_init__(self) -> None:
        for name in ("id", "user", "agent"):
            object.__setattr__(self, name, composed(getattr(self, name)))

    @property
    def owner(self) -> Owner:
        """The owner of what it teaches: its user; without one its agent; otherwise the session itself."""
        if self.user:
            return Owner.user(self.user)
        return Owner.agent(self.agent) if self.agent else Owner(Scope.SESSION, self.id)


class JobState(StrEnum):
    """Failed jobs wait again, with their error, until a user discards them.

    A held one, of a turn that was stopped before a word was answered, waits until its conversation goes on.
    """

    WAITING = "waiting"
    CLAIMED = "claimed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """Options for learning from an exchange.

    `scope` is the scope of everything learned, where the model does not choose it; `expires_at` is when it expires.
    Without `infer` nothing is extracted: the messages are kept as they were said.
    """

    instructions: str | None = None
    metadata: Metadata = field(default_factory=dict)
    scope: Scope | None = None
    infer: bool = True
    expires_at: datetime | None = None


DEFAULT_LEARNING_OPTIONS = LearningOptions()
"""Learn what is worth keeping, without further instructions."""


@dataclass(frozen=True, slots=True)
class LearningJob:
    """One exchange waiting to be learned from. `due_at` is when it may be tried (again).

    With a `memory_id` there is no exchange: the language model has to decide what that memory, which the user added,
    replaces.
    """

    id: int
    session_id: str
    user_message_id: str
    state: JobState
    attempts: int
    created_at: datetime
    due_at: datetime
    error: str | None = None
    terms: LearningOptions = field(default_factory=LearningOptions)
    memory_id: str | None = None
