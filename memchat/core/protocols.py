"""Protocols between the parts: `memchat.llm` and `memchat.storage` implement them, and tests run over the real ones."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from memchat.core.conditions import Condition
from memchat.core.types import (
    Memory,
    Metadata,
    Owner,
    Role,
    Scope,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    """Rows of unit length, shape `(n, dim)`, float32."""


Progress = Callable[[int, int], None]
"""Called with how many steps are done, and of how many."""


def no_progress(done: int, total: int) -> None:
    """Ignore progress."""


class Clock(Protocol):
    """Return the present moment, aware and in UTC."""

    def __call__(self) -> datetime: ...


# Models.


@dataclass(frozen=True, slots=True)
class PromptMessage:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call to a language model.

    `schema` is a JSON Schema for the reply: an adapter passes it on where the model supports that. `temperature` and
    `max_tokens` are left to the model where None.
    """

    messages: Sequence[PromptMessage]
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cost_usd` is None if the price is unknown (which is not the same as free)."""

    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None = None


class Purpose(StrEnum):
    """Purposes for which tokens are spent."""

    CHAT = "chat"
    LEARN = "learn"


@dataclass(frozen=True, slots=True)
class PromptShare:
    """The tokens that memory took in a prompt, and those that it replaced.

    `memory_tokens` is the length of the memories, the excerpts and the summary with their instructions,
    `sent_bytes` that of the conversation that was sent itself, and `room_tokens` what was left of the model's window.
    """

    memory_tokens: int
    sent_bytes: int
    room_tokens: int


@dataclass(frozen=True, slots=True)
class Spent:
    """The tokens of `calls` calls; those of `estimated` calls were estimated, since the provider did not report them.

    `share` is that of memory in the prompt of a turn; None with memory off.
    """

    prompt_tokens: int
    completion_tokens: int
    calls: int = 1
    estimated: int = 0
    share: PromptShare | None = None


class Cut(StrEnum):
    """Reasons why a reply ended before it was finished."""

    LENGTH = "length"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply. The last ones may carry the usage and the `cut`, and no text.

    `thinking` is what the model wrote for itself on the way to its answer; it is no part of the reply.
    """

    text: str = ""
    usage: Usage | None = None
    thinking: str = ""
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole reply; `cut` and `thinking` as in `Delta`."""

    text: str
    usage: Usage | None = None
    thinking: str = ""
    cut: Cut | None = None


class LanguageModel(Protocol):
    """A model that chats and extracts. Failures are `ModelError`s; nothing of a vendor's leaves an implementation."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens(self) -> int:
        """The window that prompt and reply share, in tokens; a cautious guess if it is unknown."""

    def count_tokens(self, text: str) -> int: ...

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        """Yield the reply as it arrives. Closing the generator ends the connection at once.

        A stream that ends before the model was done raises `BadReply` after its last delta.
        """

    def complete(self, request: ModelRequest) -> Completion: ...


CountTokens = Callable[[str], int]


class CompletionModel(Protocol):
    """A model asked in OpenAI's shapes: `request` holds "messages" and what else OpenAI's clients send.

    Failures are `ModelError`s.
    """

    @property
    def name(self) -> str: ...

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a whole chat completion."""

    def stream(self, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Yield the chunks of a chat completion as they arrive. Closing the generator ends the connection at once."""


class Embedder(Protocol):
    """Turns texts into vectors. Only vectors with the same `fingerprint`, of model and dimension, can be compared.

    If the dimension becomes known with the first vectors only, `fingerprint` ends with `:?` until then.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors, one row per text, in the order given. No texts give shape `(0, dimension)`."""


class RequestEmbedder(Protocol):
    """Requests to vectors that compare with those an `Embedder` of the same model made of memories."""

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors, one row per text, in the order given."""

    def similarities(self, requests: "Vectors", memories: "Sequence[Vectors]", texts: Sequence[str]) -> "list[Vectors]":
        """Return the nearness of the requests to the vectors of each memory in `texts`; unrelated ones are near 0.

        One array of shape `(requests, vectors of the memory)` for each.
        """

    def across_languages(self, requests: "Vectors") -> "Vectors | None":
        """Return vectors that search for memories in other languages than the requests; None if they need none."""


class WordPieces(Protocol):
    """The word pieces of a text and how near in meaning two pieces are, from a built-in model's own tables."""

    def pieces(self, texts: Sequence[str]) -> "list[NDArray[np.int64]]":
        """Return the piece ids of each text, in order, without special tokens."""

    def vectors(self, pieces: "NDArray[np.int64]") -> "Vectors":
        """Return the unit vectors of `pieces`, shape `(n, 384)`; zeros for a piece that stands for unknown words."""

    def expected_shares(self, words: "Sequence[NDArray[np.int64]]") -> list[float]:
        """Return the share of texts in which each word, given by its pieces, is to be expected."""


class Vocabulary(Protocol):
    """Chooses the word pieces by which a request and a memory are compared."""

    def between(self, request: str, memory: str) -> WordPieces:
        """Return the word pieces that suit the languages of both texts."""

    def tokens(self, text: str) -> int:
        """Estimate the number of tokens of `text` in a prompt."""


# Storage.


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Conditions on the memories to read. Memories of other owners than `owners` are never returned.

    Session memories are included only with `session_id` (that session's) or `all_sessions`. `agent` keeps those learned
    with that agent, `where` those whose metadata has all its pairs, `condition` those that fulfil it. `since` and
    `until` bound the day since which a memory is true or, if that is unknown, the day of its creation.
    """

    owners: tuple[Owner, ...]
    session_id: str | None = None
    all_sessions: bool = False
    scope: Scope | None = None
    agent: str | None = None
    where: Metadata = field(default_factory=dict)
    condition: Condition | None = None
    categories: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    superseded: bool = False
    expired: bool = False
    as_of: date | None = None


class VectorKind:
    """Kinds of the rows of a memory's vectors. JOINED is the text followed by its cues."""

    TEXT = "text"
    JOINED = "joined"
    CUE = "cue"
    WINDOW = "window"
    SENTENCE = "sentence"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one memory: `kinds[i]` says what row `i` of `rows`, shape `(n, dim)`, stands for."""

    kinds: tuple[str, ...]
    rows: "Vectors"


@dataclass(frozen=True, slots=True)
class Candidate:
    """The part of a memory that ranking reads; the rest is read only for the few that are recalled.

    `day` is when it became true or was stored, `session_id` that of a session memory. `previous` and `following` are
    the neighbours of a verbatim turn.
    """

    id: str
    text: str
    cues: tuple[str, ...]
    day: date
    valid_to: date | None
    doubtful: bool
    verbatim: bool
    session_id: str | None
    embedded: Embedded
    previous: str | None = None
    following: str | None = None


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Conditions on the messages to read: of `owner`'s conversations with `agent`, none from private ones.

    With `every_agent` the agent does not matter. Of the conversation `session_id` only messages before `window_start`
    are included, since the later ones are in the prompt anyway; without `window_start` none of it is. With
    `only_session` that conversation alone is read. `since` and `until` are local days.
    """

    owner: Owner
    agent: str | None = None
    every_agent: bool = False
    session_id: str = ""
    window_start: str | None = None
    only_session: str | None = None
    role: Role | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class MessageCandidate:
    """The part of a message that ranking reads. `vectors` are those of its window and its segments, shape `(n, dim)`.

    `previous` and `following` are the neighbouring messages of its conversation.
    """

    number: int
    id: str
    session_id: str
    role: Role
    text: str
    said_at: datetime
    vectors: "Vectors"
    previous: str | None = None
    following: str | None = None


@dataclass(frozen=True, slots=True)
class StaleMemory:
    """A memory that no longer holds: its words, where they were said, and what holds instead.

    `successor` is the current text of what replaced it, `ended` the day it stopped. A `mistaken` one was never true.
    It held before `until`: a moment, and the number of the first message of that moment that comes after the change.
    Where that is unknown, it is None.
    """

    text: str
    message_id: str | None
    quote: str
    successor: str | None
    ended: date | None
    mistaken: bool
    until: tuple[datetime, int] | None = None

    def is_of(self, said_at: datetime, number: int) -> bool:
        """Return whether a message of that moment, numbered `number`, may state it: what was said later is not meant.

        What never was true is not true in later messages either.
        """
        return self.mistaken or self.until is None or (said_at, number) < self.until


class MessageStore(Protocol):
    """Read messages, as recall needs it."""

    def message_count(self, view: MessageFilter) -> int:
        """Count the owner's messages that can be found."""

    def message_frequencies(self, view: MessageFilter, terms: Sequence[str]) -> dict[str, int]:
        """Count the owner's messages that contain each term, up to some thousands."""

    def nearest_messages(self, view: MessageFilter, query: "Vectors", limit: int) -> list[int]:
        """Return numbers of the messages with a vector near to any row of `query`, roughly nearest first."""

    def messages_with(self, view: MessageFilter, terms: Sequence[str], limit: int) -> list[int]:
        """Return numbers of messages that contain any of the `terms`, best BM25 first."""

    def message_candidates(self, view: MessageFilter, numbers: Iterable[int]) -> list[MessageCandidate]:
        """Return the messages under `numbers` that `view` includes, in no order; no replies of the offline model."""

    def messages_beside(self, numbers: Sequence[int]) -> dict[int, list[int]]:
        """Return for each message what its role said before and after it in its conversation, by number."""

    def stale_memories(self, owner: Owner) -> Sequence[StaleMemory]:
        """Return the owner's memories that were superseded, have ended, or were never true."""


class RecallStore(Protocol):
    """Read memories, as recall needs it."""

    def keyword_search(self, view: MemoryFilter, terms: Sequence[str], limit: int) -> list[str]:
        """Return ids of memories that contain any of the stemmed `terms`, best BM25 first."""

    def frequencies(self, view: MemoryFilter, terms: Sequence[str]) -> dict[str, int]:
        """Count, for each of `terms`, the owners' memories that contain it; counts stop at some thousands."""

    def count(self, view: MemoryFilter) -> int: ...

    def has_verbatim_turns(self, view: MemoryFilter) -> bool:
        """Return whether any memory of the owners is a turn kept verbatim."""

    def vector_search(self, view: MemoryFilter, query: "Vectors", limit: int) -> list[str]:
        """Return ids of the memories with a vector nearest to any row of `query`, nearest first; exact."""

    def candidates(self, ids: Iterable[str]) -> list[Candidate]:
        """Return the candidates under `ids` that still exist, in no order."""

    def by_ids(self, ids: Sequence[str]) -> dict[str, Memory]:
        """Return the memories under `ids` that still exist, by id."""

    def standing(self, view: MemoryFilter) -> list[Memory]:
        """Return the standing instructions, newest first."""
