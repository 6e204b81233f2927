"""The protocols of memchat's storage, and their values. A second engine implements them.

An `Engine` holds the data of one home and opens a `Storage` for each thread: memories, conversations, jobs, erasure and
vectors over one connection.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from memchat.core.protocols import (
    Embedded,
    Embedder,
    MemoryFilter,
    MessageStore,
    Progress,
    Purpose,
    RecallStore,
    Spent,
    no_progress,
)
from memchat.core.types import (
    DEFAULT_LEARNING_OPTIONS,
    Applied,
    Change,
    CosineScale,
    Decision,
    Event,
    LearningJob,
    LearningOptions,
    Memory,
    Message,
    MessageStatus,
    Metadata,
    Owner,
    Role,
    Session,
)

if TYPE_CHECKING:
    from memchat.storage.serialization import Record


@dataclass(frozen=True, slots=True)
class Finding:
    """`needle` was found in `file`, a path relative to the folder searched. `kind`: text, cue, metadata, id, vector."""

    kind: str
    file: str
    needle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """The result of an erasure. `left` lists what the search of the files still found; it must be empty."""

    memories: int = 0
    versions: int = 0
    messages: int = 0
    """Messages deleted whole, or whose quoted words were blanked."""
    sessions: int = 0
    work: int = 0
    files: int = 0
    """Files searched afterwards."""
    bytes: int = 0
    left: tuple[Finding, ...] = ()


class MemoryListItem(NamedTuple):
    """A memory in a list. `since` and `valid_to` are days; `since` is the local day if it is that of creation."""

    id: str
    since: str
    category: str
    text: str
    scope: str
    owner: str
    valid_to: str | None
    superseded: bool
    mistaken: bool
    doubtful: bool


class TokenTotal(NamedTuple):
    """Tokens of `calls` calls since the day `since`, of which `estimated` did not report theirs.

    `saved_tokens` is below zero if memory took more than it saved.
    """

    since: str
    calls: int
    estimated: int
    prompt_tokens: int
    completion_tokens: int
    saved_tokens: int


class Sort(StrEnum):
    """The order of a list: times latest first, words by the alphabet, and the newest first among equals."""

    CREATED = "created"
    UPDATED = "updated"
    SINCE = "since"
    CATEGORY = "category"
    TEXT = "text"


class VectorProblem(StrEnum):
    """Why a memory cannot be found by its meaning."""

    MISSING = "no vectors"
    FOREIGN = "vectors of another embedder"
    UNUSABLE = "unusable vectors"


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: the new ids, and the number of memories that were known already."""

    ids: tuple[str, ...]
    known: int


class Phase(StrEnum):
    """State of the index. It answers in READY, and in FILLING for owners that are complete."""

    STARTING = "starting"
    ELSEWHERE = "another process has it"
    EMPTY = "nothing to index"
    FILLING = "being rebuilt"
    READY = "ready"
    OFF = "not used"
    CLOSED = "closed"
    ABSENT = "to be built"
    UNCLEAN = "to be rebuilt"


@dataclass(frozen=True, slots=True)
class IndexState:
    """`owned` by this process; `indexed` memories; `reason` of the last failure."""

    owned: bool
    phase: Phase
    indexed: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The number of rows, and the ids of those that cannot be read."""

    count: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job that waits, as it is stored: also one that no reader of jobs can read."""

    user: str
    attempts: int
    created_at: str
    error: str | None


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """Ids of records, `{memory id}:{row}`: missing, there without a memory, with another vector than the memory's."""

    memories: int = 0
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return not (self.missing or self.extra or self.wrong)


@dataclass(frozen=True, slots=True)
class IndexComparison:
    """The result of comparing the index with the database in a process of its own.

    `exit_code` is that of the process, None where it took too long. Without `check` or `failure` there was no index
    that could be opened, or another process has it.
    """

    exit_code: int | None = None
    failure: str | None = None
    check: IndexCheck | None = None


class IndexFault(StrEnum):
    """Why the index cannot be used; it is rebuilt by itself."""

    EMPTY = "empty"
    UNCLEAN = "not closed cleanly, or damaged"
    OTHER_EMBEDDER = "of another embedder"
    NEWER = "of a newer state of the database"
    OTHER_STATE = "of another state of the database"


@dataclass(frozen=True, slots=True)
class UnusableIndex:
    """Why the index cannot be used, whose vectors it holds, and how many changes it and the database know of."""

    fault: IndexFault
    fingerprint: str = ""
    indexed_changes: int = 0
    stored_changes: int = 0


# The protocols.


class MemoryReading(RecallStore, Protocol):
    """Reading memories; `RecallStore` is the part that recall needs."""

    def get(self, memory_id: str) -> Memory | None: ...
    def find(self, given: str, owners: Sequence[Owner]) -> Memory:
        """The one memory of `owners` that `given`, a part of its id, names. Raises NotFound, AmbiguousId."""

    def memories(self, view: MemoryFilter, limit: int | None = None, offset: int = 0) -> list[Memory]:
        """The memories of `view`, newest first, without the first `offset`."""

    def listed(
        self, view: MemoryFilter, limit: int | None = None, sort: Sort = Sort.CREATED
    ) -> Iterator[MemoryListItem]: ...
    def listed_json(self, view: MemoryFilter, limit: int | None = None, sort: Sort = Sort.CREATED) -> Iterator[str]:
        """The same as JSON objects, with the keys of `serialization.memory_json`."""

    def tally(self, view: MemoryFilter) -> list[tuple[str, str, int]]:
        """The memories of `view` counted by category and month (YYYY-MM of their day under SINCE), in order."""

    def owner_counts(self) -> list[tuple[Owner, int]]:
        """Every owner of current memories with their number, by kind and name."""

    def ids(self, owners: Sequence[Owner]) -> list[str]:
        """The ids of all memories of `owners`, superseded and expired ones included."""

    def count_versions(self, ids: Sequence[str]) -> int:
        """Count the memories `ids` together with the versions that they superseded."""

    def history(self, memory: Memory) -> list[Change]:
        """Every change to `memory` and to the versions it superseded, oldest first."""

    def learned_from(self, message_id: str) -> list[Memory]:
        """The memories that were learned from that message and not replaced since, oldest first."""

    def turn_before(self, memory: Memory) -> str | None:
        """The turn before one that was kept word for word."""

    def last_verbatim(self, session_id: str) -> str | None:
        """The text of the newest message kept as it was said in that conversation."""


class Memories(MemoryReading, Protocol):
    """Reading memories, and changing them by hand. What learning decides goes through `Storage.apply`."""

    def edit(
        self, memory: Memory, text: str, embedded: Embedded, reason: str, event: Event = Event.UPDATE
    ) -> Memory: ...
    def amend(self, memory: Memory, metadata: Metadata, expires_at: datetime | None) -> Memory: ...
    def undo(self, memory: Memory, former: Memory | str, embedded: Embedded | None) -> Memory: ...
    def unend(self, memory: Memory) -> Memory: ...


class Conversations(Protocol):
    """Conversations and their messages. A message is on disk before a model sees it."""

    def new_session(
        self, user: str, agent: str | None, *, private: bool = False, name: str | None = None, origin: str = ""
    ) -> Session: ...
    def open_session(self, user: str, agent: str | None, origin: str, since: datetime) -> Session | None:
        """The unnamed session that `user` last used with `agent`, held by `origin`, unless it is idle since before."""

    def latest_session(self, user: str, agent: str | None = None) -> Session | None: ...
    def session(self, session_id: str) -> Session | None: ...
    def find_session(self, given: str, user: str, *, shortest: int = 1) -> Session: ...
    def named_session(self, name: str, user: str) -> Session | None: ...
    def name_for(self, name: str, user: str) -> str: ...
    def sessions(self, user: str, limit: int | None = None) -> list[Session]: ...
    def message(self, message_id: str) -> Message | None: ...
    def messages(self, session_id: str, limit: int | None = None) -> list[Message]: ...
    def before(self, message: Message, limit: int) -> list[Message]: ...
    def earlier(self, message: Message) -> Iterator[Message]: ...
    def reply_to(self, message: Message) -> Message | None: ...
    def last_reply(self, session: Session) -> Message | None: ...
    def last_question(self, session: Session) -> Message | None: ...
    def drop_replies(self, asked: Message) -> None: ...
    def take_back(self, asked: Message) -> None: ...
    def recent_user_messages(self, user: str, limit: int) -> list[str]: ...
    def begin_turn(
        self, session: Session, text: str, terms: LearningOptions | None = DEFAULT_LEARNING_OPTIONS
    ) -> Message:
        """Store what the user said and, with `terms`, the job that learns from it, in one transaction."""

    def end_turn(
        self,
        asked: Message,
        text: str,
        status: MessageStatus,
        model: str,
        recalled: list[str],
        *,
        spent: Spent | None = None,
    ) -> Message | None: ...
    def record(self, session: Session, role: Role, text: str) -> Message: ...
    def restore(self, session: Session, messages: Sequence[Message], terms: LearningOptions | None) -> int: ...
    def set_private(self, session: Session, private: bool) -> None: ...
    def rename(self, session: Session, title: str) -> None: ...


class Jobs(Protocol):
    """The queue of learning jobs. One process at a time does a job; those of a person are done in order."""

    def claim(self, user: str | None, skip: Collection[int] = ()) -> LearningJob | None: ...
    def claim_of(self, session: Session) -> LearningJob | None: ...
    def of(self, message_id: str) -> LearningJob | None: ...
    def of_memory(self, memory_id: str) -> LearningJob | None:
        """The job that decides what that memory replaces, as long as it waits."""

    def fail(self, work: LearningJob, reason: str) -> None: ...
    def release(self, work: LearningJob) -> None: ...
    def discard(self, work: LearningJob) -> None: ...
    def retry_all(self, user: str) -> int: ...
    def pending(self, user: str | None = None) -> list[LearningJob]: ...
    def due(self, user: str | None, skip: Collection[int] = ()) -> int: ...


class Erasure(Protocol):
    """Deleting for good: afterwards no byte of what was erased is left in any file. The report says what was found."""

    def erase(
        self, ids: Sequence[str], *, keep_source: bool = False, on_progress: Progress = no_progress
    ) -> ErasureReport: ...
    def erase_person(self, user: str, on_progress: Progress = no_progress) -> ErasureReport: ...
    def erase_everything(self) -> ErasureReport: ...
    def erase_sessions(self, ids: Sequence[str], on_progress: Progress = no_progress) -> ErasureReport: ...
    def finish_erasures(self, timeout_s: float = 30.0) -> None:
        """Finish erasures that were interrupted. Raises StoreBusy when another process does not let go in time."""


class Vectors(Protocol):
    """The stored vectors, held against the embedder in use."""

    def others_notice(self, fingerprint: str) -> str | None: ...
    def renew_outdated(self, embedder: Embedder) -> Generator[int]:
        """Embed again, in small batches, what an earlier built-in embedder read; yields how many after each batch."""

    def renew(
        self, fingerprint: str, embedder: Embedder, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> int: ...


class MessageIndexing(Protocol):
    """The vectors and the words by which messages are found, made behind the conversation."""

    def backlog(self, user: str | None = None) -> int: ...
    def indexed(self, user: str | None = None) -> int: ...
    def queue_foreign(self) -> int: ...
    def queue_all(self) -> int: ...
    def index_next(self, user: str | None, embedder: Embedder, limit: int = 16) -> int: ...


class FormOutcomes(Protocol):
    """Record of unusable answers in the full form of extraction, by the model's name."""

    def prefers_compact(self, model: str) -> bool: ...
    def note(self, model: str, *, usable: bool) -> bool:
        """Count one answer; whether `model` has just changed over to the compact form by it."""


class TokenUsage(Protocol):
    """The tokens that people spend, summed by day and model."""

    def add(self, session_id: str, purpose: Purpose, model: str, spent: Spent) -> None: ...
    def add_for(self, owner: Owner, agent: str | None, model: str, spent: Spent) -> None: ...
    def totals(self, user: str, agent: str | None = None) -> dict[Purpose, TokenTotal]: ...


class Transfer(Protocol):
    """Memories out of a store with their whole history, and back into one without a difference."""

    def export(
        self,
        view: MemoryFilter,
        on_unreadable: Callable[[], None] | None = None,
        on_progress: Progress = no_progress,
    ) -> "list[Record]": ...
    def restore(
        self, records: "Sequence[Record]", embedder: Embedder, on_progress: Callable[[int], None] = lambda done: None
    ) -> Imported: ...


class Storage(Erasure, Protocol):
    """The repositories of a store, over one connection of one thread."""

    @property
    def read_only(self) -> bool: ...
    @property
    def memories(self) -> Memories: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def work(self) -> Jobs: ...
    @property
    def messages(self) -> MessageStore: ...
    @property
    def message_index(self) -> MessageIndexing: ...
    @property
    def extraction_forms(self) -> FormOutcomes: ...
    @property
    def usage(self) -> TokenUsage: ...
    @property
    def vectors(self) -> Vectors: ...
    @property
    def transfer(self) -> Transfer: ...
    def apply(
        self,
        decisions: Sequence[Decision],
        embedded: Sequence[Embedded | None],
        work: LearningJob | None = None,
        *,
        compared_for: str | None = None,
    ) -> list[Applied]:
        """Carry out `decisions` and end `work` in one transaction; nothing when the work is no longer ours to do.

        With `compared_for` each memory that is added waits in the queue of that user to be compared with others.
        """

    def connect_search(self, fingerprint: str, *, indexed: bool = True) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> "Storage": ...
    def __exit__(self, *_: object) -> None: ...


class Inspection(Protocol):
    """Looking for damage in what is kept."""

    name: str

    @property
    def version(self) -> int: ...
    def complaints(self) -> list[str]: ...
    def only_indexes(self, found: Iterable[str]) -> bool: ...
    def broken_references(self) -> dict[str, int]: ...
    def unreadable_memories(self) -> Unreadable: ...
    def unreadable_messages(self) -> Unreadable: ...
    def conversations(self) -> int: ...
    def check_fulltext(self) -> tuple[int, int]: ...
    def check_message_index(self) -> tuple[int, int]: ...
    def vector_problems(self, fingerprint: str) -> dict[VectorProblem, int]: ...
    def misowned_vectors(self) -> int: ...
    def replaced_by_missing(self) -> list[str]: ...
    def history_of_missing(self) -> int: ...
    def unknown_events(self) -> list[str]: ...
    def unknown_job_states(self) -> list[str]: ...
    def jobs(self) -> list[JobSummary]: ...
    def unfinished_erasures(self) -> int: ...
    def damage_as_store_error(self) -> AbstractContextManager[None]: ...
    def is_external(self, error: Exception) -> bool: ...


class IndexInspection(Protocol):
    """Holding the index against the database."""

    database_name: str

    def state(self) -> IndexState: ...
    def explain_unusable(self) -> UnusableIndex: ...
    def compare(self) -> IndexComparison: ...


class Repairs(Protocol):
    """Making again what can be made from the memories themselves."""

    def rebuild_indexes(self) -> str | None: ...
    def remove_strays(self) -> int: ...
    def rebuild_fulltext(self) -> int | None: ...
    def requeue_messages(self) -> int: ...
    def renew_vectors(self, embedder: Callable[[], Embedder]) -> int: ...
    def damage_as_store_error(self) -> AbstractContextManager[None]: ...


class Engine(Protocol):
    """The data of one home."""

    @property
    def location(self) -> str:
        """The place of the data, for messages to users."""

    @property
    def exists(self) -> bool: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def has_index(self) -> bool: ...
    def open(self, fingerprint: str) -> Storage: ...
    def close(self) -> None: ...
    def dimension_of(self, model: str) -> int | None: ...
    def fingerprint_of(self, model: str) -> str | None: ...
    def cosine_scale(self, fingerprint: str) -> CosineScale | None: ...
    def keep_cosine_scale(self, fingerprint: str, scale: CosineScale) -> None: ...
    def start_index(self, fingerprint: str) -> None: ...
    def held_index_state(self, fingerprint: str) -> IndexState | None: ...
    def index_state(self, fingerprint: str) -> IndexState: ...
    def rebuild_index(
        self, fingerprint: str, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> int: ...
    def drop_index(self) -> bool: ...
    def backup(self, target: Path, on_progress: Progress = no_progress) -> None: ...
    def is_data(self, path: Path) -> bool: ...
    def inspect(self, fingerprint: str) -> AbstractContextManager[tuple[Inspection, IndexInspection]]: ...
    def repairs(self, fingerprint: str) -> AbstractContextManager[Repairs]: ...


MAX_BLOCKING_ATTEMPTS = 3
"""Number of failures until an exchange stops blocking later ones of the same user."""
