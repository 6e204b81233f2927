"""Hold the vectors of one owner's messages in memory, short enough to compare with all of them at every turn.

Up to some thousand rows are kept whole. A larger history keeps, of each row, its SKETCH coordinates along the
directions in which that history varies most (its principal components). Of the best by sketch, the caller computes the
cosines from the stored rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memchat.storage.vectors.matrix import best_cosines, with_room
from memchat.storage.vectors.message_codec import decode_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memchat.core.protocols import Vectors

WHOLE_ROWS = 8_000
"""Maximum number of rows kept whole."""
SKETCH = 48
SAMPLE = 8_192
"""Number of rows from which the principal components are computed."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message in the matrix. The caller chooses the numbers `conversation` and `agent`."""

    number: int
    by_assistant: bool
    conversation: int
    agent: int
    day: int
    rows: bytes


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions on the messages to find; None sets no bound.

    `own` is the present conversation: of its messages, only those numbered below `own_before`. `first_day` and
    `last_day` are ordinals, both inclusive.
    """

    agent: int | None
    own: int
    own_before: int = 0
    by_assistant: bool | None = None
    first_day: int | None = None
    last_day: int | None = None
    conversation: int | None = None


class MessageMatrix:
    """Messages in slots, each with consecutive rows of one matrix."""

    def __init__(self, dim: int, basis: "Vectors | None" = None) -> None:
        self._dim = dim
        self._basis = basis
        width = dim if basis is None else basis.shape[1]
        self._matrix: Vectors = np.empty((0, width), np.float32)
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)
        self._by_assistant: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._conversations: NDArray[np.int32] = np.empty(0, np.int32)
        self._agents: NDArray[np.int32] = np.empty(0, np.int32)
        self._days: NDArray[np.int32] = np.empty(0, np.int32)
        self._slots: dict[int, int] = {}
        self._used = self._rows = 0

    @classmethod
    def sketched_by(cls, sample: Sequence[bytes], dim: int) -> "MessageMatrix":
        """Return an empty matrix that sketches what it gets along the principal components of `sample`."""
        rows = decode_rows(b"".join(sample), dim)
        _, components = np.linalg.eigh(rows.T @ rows)
        return cls(dim, np.ascontiguousarray(components[:, -SKETCH:]))

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def size_bytes(self) -> int:
        columns = self._numbers, self._by_assistant, self._conversations, self._agents, self._days, self._starts
        return self._matrix.nbytes + sum(column.nbytes for column in columns) + 100 * len(self._slots)

    @property
    def sketched(self) -> bool:
        """Return whether `nearest` compares by sketches only."""
        return self._basis is not None

    @property
    def overgrown(self) -> bool:
        """Return whether the rows are kept whole and have become too many for that."""
        return self._basis is None and self._dim > SKETCH and self._rows > 2 * WHOLE_ROWS

    def extend(self, messages: Sequence[MessageRow]) -> None:
        """Add messages; replaces known ones, and skips those whose bytes are not a whole number of rows."""
        whole = [message for message in messages if message.rows and len(message.rows) % self._dim == 0]
        rows = decode_rows(b"".join(message.rows for message in whole), self._dim)
        self._reserve(len(whole), len(rows))
        self._matrix[self._rows : self._rows + len(rows)] = rows if self._basis is None else rows @ self._basis
        for message in whole:
            former, at = self._slots.get(message.number), self._used
            if former is not None:
                self._numbers[former] = -1
            self._numbers[at], self._by_assistant[at] = message.number, message.by_assistant
            self._conversations[at], self._agents[at] = message.conversation, message.agent
            self._days[at] = message.day
            self._slots[message.number] = at
            self._used, self._rows = at + 1, self._rows + len(message.rows) // self._dim
            self._starts[self._used] = self._rows

    def nearest(self, query: "Vectors", limit: int, selection: Selection) -> list[int]:
        """Return the numbers of the `limit` selected messages nearest to any row of `query`, by sketch or by cosine."""
        if not self._used or limit <= 0:
            return []
        projected = query if self._basis is None else query @ self._basis
        best = best_cosines(self._matrix[: self._rows], projected)
        scores = np.maximum.reduceat(best, self._starts[: self._used])
        slots = np.flatnonzero(self._usable(selection))
        if len(slots) > limit:
            slots = slots[np.argpartition(-scores[slots], limit - 1)[:limit]]
        found: list[int] = self._numbers[slots[np.argsort(-scores[slots], kind="stable")]].tolist()
        return found

    def _usable(self, selection: Selection) -> "NDArray[np.bool_]":
        """Return which slots hold a message that `selection` allows."""
        used = slice(self._used)
        usable: NDArray[np.bool_] = self._numbers[used] >= 0
        own = self._conversations[used] == selection.own
        usable &= ~own | (self._numbers[used] < selection.own_before)
        if selection.agent is not None:
            usable &= self._agents[used] == selection.agent
        if selection.conversation is not None:
            usable &= self._conversations[used] == selection.conversation
        if selection.by_assistant is not None:
            usable &= self._by_assistant[used] == selection.by_assistant
        if selection.first_day is not None:
            usable &= self._days[used] >= selection.first_day
        if selection.last_day is not None:
            usable &= self._days[used] <= selection.last_day
        return usable

    def _reserve(self, messages: int, rows: int) -> None:
        self._matrix = with_room(self._matrix, self._rows, rows)
        self._numbers = with_room(self._numbers, self._used, messages)
        self._by_assistant = with_room(self._by_assistant, self._used, messages)
        self._conversations = with_room(self._conversations, self._used, messages)
        self._agents = with_room(self._agents, self._used, messages)
        self._days = with_room(self._days, self._used, messages)
        self._starts = with_room(self._starts, self._used + 1, messages)
