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
        self._facts: NDArray[np.int64] = np.empty((0, 5), np.int64)
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
        return self._matrix.nbytes + self._facts.nbytes + self._starts.nbytes + 100 * len(self._slots)

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
            former = self._slots.get(message.number)
            if former is not None:
                self._facts[former, 0] = -1
            self._facts[self._used] = (
                message.number,
                message.by_assistant,
                message.conversation,
                message.agent,
                message.day,
            )
            self._slots[message.number] = self._used
            self._used, self._rows = self._used + 1, self._rows + len(message.rows) // self._dim
            self._starts[self._used] = self._rows

    def nearest(self, query: "Vectors", limit: int, selection: Selection) -> list[int]:
        """Return the numbers of the `limit` selected messages nearest to any row of `query`, by sketch or by cosine."""
        if not self._used or limit <= 0:
            return []
        projected = query if self._basis is None else query @ self._basis
        best = best_cosines(self._matrix[: self._rows], projected)
        number, by_assistant, conversation, agent, day = self._facts[: self._used].T
        usable: NDArray[np.bool_] = number >= 0
        usable &= (conversation != selection.own) | (number < selection.own_before)
        if selection.agent is not None:
            usable &= agent == selection.agent
        if selection.conversation is not None:
            usable &= conversation == selection.conversation
        if selection.by_assistant is not None:
            usable &= by_assistant == selection.by_assistant
        if selection.first_day is not None:
            usable &= day >= selection.first_day
        if selection.last_day is not None:
            usable &= day <= selection.last_day
        slots = np.flatnonzero(usable)
        scores = np.maximum.reduceat(best, self._starts[: self._used])[slots]
        if len(slots) > limit:
            top = np.argpartition(-scores, limit - 1)[:limit]
            slots, scores = slots[top], scores[top]
        return [int(found) for found in self._facts[slots[np.argsort(-scores, kind="stable")], 0]]

    def _reserve(self, messages: int, rows: int) -> None:
        self._matrix = with_room(self._matrix, self._rows, rows)
        self._facts = with_room(self._facts, self._used, messages)
        self._starts = with_room(self._starts, self._used + 1, messages)
