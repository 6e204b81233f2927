"""The values that the storage returns: reports, lists, states of the index, and what an inspection finds."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


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
    """How a list is sorted: times latest first, text alphabetically; the newest come first among equals."""

    CREATED = "created"
    UPDATED = "updated"
    SINCE = "since"
    CATEGORY = "category"
    TEXT = "text"


class VectorProblem(StrEnum):
    """Reasons why a memory cannot be found by its meaning."""

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
    """A pending job as it is stored, even if it is damaged."""

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

    `exit_code` is that of the process, None if it took too long. Without `check` or `failure` there was no index
    that could be opened, or another process has it.
    """

    exit_code: int | None = None
    failure: str | None = None
    check: IndexCheck | None = None


class IndexFault(StrEnum):
    """Reasons why the index cannot be used; it is rebuilt automatically."""

    EMPTY = "empty"
    UNCLEAN = "not closed cleanly, or damaged"
    OTHER_EMBEDDER = "of another embedder"
    NEWER = "of a newer state of the database"
    OTHER_STATE = "of another state of the database"


@dataclass(frozen=True, slots=True)
class UnusableIndex:
    """The reason why an index cannot be used, its embedder, and the number of changes in it and in the database."""

    fault: IndexFault
    fingerprint: str = ""
    indexed_changes: int = 0
    stored_changes: int = 0
