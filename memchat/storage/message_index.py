"""Index messages for search: the backlog of those without vectors and terms, and what is written for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import TYPE_CHECKING

from memchat.core.protocols import Embedder
from memchat.core.types import MessageStatus, Owner, Scope
from memchat.storage.database import Database, placeholders
from memchat.storage.fulltext import index_words, owner_term
from memchat.storage.memory_rows import ensure_owner, owner_number
from memchat.storage.vectors.codec import dimension_of
from memchat.storage.vectors.message_codec import encode_rows, most_rows
from memchat.text.embedding import message_texts, with_dimension

if TYPE_CHECKING:
    from sqlite3 import Row

    from memchat.core.protocols import Vectors

BATCH = 16
"""Messages embedded and written at a time: what an interruption costs, and how long a reply's own embedding waits."""
ASSUMED_DIMENSION = 384
"""Dimension assumed until the first vectors are known."""
TERMS_PER_MESSAGE = 2_000
"""Maximum number of indexed terms of a message; of a longer one, such as a pasted book, the first ones."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message to index; `previous` is the one before it in the same conversation."""

    number: int
    owner: Owner
    text: str
    previous: str | None


class MessageIndex:
    """The vectors and words of messages in one database, over one connection.

    Triggers put a message into the backlog when it is written and when its text changes. Any process can index the
    backlog at any time, and twice without harm.
    """

    def __init__(self, database: Database, fingerprint: str) -> None:
        self._db = database
        self._fingerprint = fingerprint

    def backlog(self, user: str | None = None) -> int:
        """Count the messages of `user`, or of all users, that vector search cannot find yet."""
        where, values = ("", ()) if user is None else (" WHERE user = ?", (user,))
        return int(self._db.value(f"SELECT count(*) FROM message_backlog{where}", values))

    def indexed(self, user: str | None = None) -> int:
        """Count the messages that vector search can find."""
        if user is None:
            return int(self._db.value("SELECT count(*) FROM message_vectors"))
        owner = owner_number(self._db, Owner.user(user))
        return int(self._db.value("SELECT count(*) FROM message_vectors WHERE owner = ?", (owner,)))

    def queue_foreign(self) -> int:
        """Put messages with vectors of another embedder back into the backlog; return how many."""
        mine = self._fingerprint
        if mine.endswith(":?") or not self._db.value(_FOREIGN, (mine,)):
            return 0
        return self._db.execute(
            """INSERT OR IGNORE INTO message_backlog (number, user)
                SELECT v.number, s.user FROM message_vectors AS v JOIN messages AS m ON m.number = v.number
                JOIN sessions AS s ON s.id = m.session_id WHERE v.fingerprint <> ?""",
            (mine,),
        )

    def queue_all(self) -> int:
        """Put every message that may be found into the backlog; return how many were not there yet."""
        return self._db.execute(
            """INSERT OR IGNORE INTO message_backlog (number, user)
                SELECT m.number, s.user FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
                WHERE m.private = 0 AND m.text <> ''"""
        )

    def index_next(self, user: str | None, embedder: Embedder, limit: int = BATCH) -> int:
        """Index the newest `limit` messages of the backlog; return how many left it, 0 when it is empty.

        Raises ModelError when the embedder fails; the backlog then stays as it is.
        """
        where, values = ("", ()) if user is None else ("WHERE user = ?", (user,))
        rows = self._db.rows(
            f"SELECT number FROM message_backlog {where} ORDER BY number DESC LIMIT ?", (*values, limit)
        )
        if not rows:
            return 0
        numbers = [row["number"] for row in rows]
        waiting = self._read(numbers)
        embedded: list[Vectors] = []
        if waiting:
            most = most_rows(dimension_of(embedder.fingerprint) or ASSUMED_DIMENSION)
            plans = [message_texts(one.text, one.previous, most) for one in waiting]
            matrix = embedder.embed([text for plan in plans for text in plan])
            self._fingerprint = with_dimension(self._fingerprint, matrix.shape[1])
            ends = list(accumulate(map(len, plans), initial=0))
            embedded = [matrix[start:end] for start, end in pairwise(ends)]
        with self._db.transaction():
            current = {one.number: one for one in self._read(numbers)}
            for one, vectors in zip(waiting, embedded, strict=True):
                if current.get(one.number) == one:
                    self._write(one, vectors)
                    numbers.remove(one.number)
                    self._remove(one.number)
            for number in numbers:
                if number not in current:
                    self._remove(number)
        return len(rows)

    def _read(self, numbers: Sequence[int]) -> list[_Waiting]:
        """Read those of `numbers` that may be found: not empty, not private, and finished."""
        marks = placeholders(numbers)
        rows = self._db.rows(
            f"""SELECT m.number, m.text, s.id AS session_id, s.user, s.agent,
                (SELECT p.text FROM messages AS p WHERE p.session_id = m.session_id AND p.number < m.number
                    AND p.private = 0 ORDER BY p.number DESC LIMIT 1) AS previous
                FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
                WHERE m.number IN ({marks}) AND m.private = 0 AND m.text <> '' AND m.status <> ?
                ORDER BY m.number DESC""",
            (*numbers, MessageStatus.FAILED),
        )
        return [_Waiting(row["number"], owner_of(row), row["text"], row["previous"]) for row in rows]

    def _write(self, message: _Waiting, vectors: "Vectors") -> None:
        owner = ensure_owner(self._db, message.owner)
        terms = [owner_term(owner, word) for word in islice(index_words(message.text), TERMS_PER_MESSAGE)]
        self._db.execute("DELETE FROM message_words WHERE rowid = ?", (message.number,))
        self._db.execute("DELETE FROM message_vectors WHERE number = ?", (message.number,))
        self._db.execute("INSERT INTO message_words (rowid, terms) VALUES (?, ?)", (message.number, " ".join(terms)))
        self._db.execute(
            "INSERT INTO message_vectors (number, owner, fingerprint, rows) VALUES (?, ?, ?, ?)",
            (message.number, owner, self._fingerprint, encode_rows(vectors[: most_rows(vectors.shape[1])])),
        )

    def _remove(self, number: int) -> None:
        self._db.execute("DELETE FROM message_backlog WHERE number = ?", (number,))


def unsearchable(database: Database) -> list[int]:
    """List the numbers of messages that search cannot find and that are not in the backlog."""
    rows = database.rows(
        """SELECT m.number, v.fingerprint, length(v.rows) AS size, w.rowid AS words
            FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
            LEFT JOIN message_vectors AS v ON v.number = m.number
            LEFT JOIN message_words AS w ON w.rowid = m.number
            WHERE m.private = 0 AND m.text <> '' AND m.status <> ?
                AND m.number NOT IN (SELECT number FROM message_backlog)""",
        (MessageStatus.FAILED,),
    )
    found = []
    for row in rows:
        size, dim = row["size"], dimension_of(row["fingerprint"] or "")
        if row["words"] is None or not size or (dim is not None and size % dim):
            found.append(row["number"])
    return found


_FOREIGN = "SELECT 1 FROM message_vectors WHERE fingerprint <> ? LIMIT 1"


def owner_of(row: "Row") -> Owner:
    """Return the owner of a message: its user, or the conversation itself if no user is named."""
    return Owner.user(row["user"]) if row["user"] else Owner(Scope.SESSION, row["session_id"])
