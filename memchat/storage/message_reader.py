"""Read messages for recall: by vectors, by words, and with what ranking needs of them."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from sqlite3 import Row
from typing import TYPE_CHECKING

from memchat.core.protocols import Clock, MessageCandidate, MessageFilter, StaleMemory
from memchat.core.types import OFFLINE, Event, Owner, Role
from memchat.storage.database import Database, placeholders
from memchat.storage.fulltext import match_query
from memchat.storage.memory_rows import format_time, owner_number, parse_time, raises_on_corruption, to_day
from memchat.storage.position import Position, position
from memchat.storage.vectors.codec import dimension_of, searched, searched_dimension
from memchat.storage.vectors.message_codec import decode_each, decode_rows, first_columns
from memchat.text.embedding import with_dimension

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors
    from memchat.storage.vectors.message_matrix import MessageMatrix, MessageRow

COUNTED = 2_000
"""Beyond this many messages a word is simply common."""
CACHED_OWNERS = 32
READ_AT_ONCE = 1_000
"""Number of messages whose vectors are read and decoded at a time: some ten megabytes."""
SHORTLIST = 5
"""Number of messages compared by their stored vectors for each one to find, where the cache holds sketches."""
MOST_STALE = 2_000
"""Maximum number of memories that no longer hold, latest first, that messages are compared with."""

_NO_LONGER_HOLD = f"""
    SELECT m.text, m.message_id, coalesce(m.quote, '') AS quote, m.mistaken, m.valid_to, m.created_at,
        n.text AS successor, n.superseded_by AS further, n.valid_from AS replaced_from, c.at AS changed_at,
        said.created_at AS said_at, said.number AS said_in
    FROM memories AS m LEFT JOIN memories AS n ON n.id = m.superseded_by
        LEFT JOIN changes AS c ON c.seq = (SELECT max(seq) FROM changes WHERE memory_id = m.id
            AND event IN ('{Event.SUPERSEDE}', '{Event.MISTAKEN}', '{Event.END}'))
        LEFT JOIN messages AS said ON said.id = n.message_id
            AND c.seq < (SELECT max(seq) FROM changes WHERE memory_id = n.id AND event = '{Event.ADD}')
    WHERE m.owner = ? AND m.verbatim = 0 AND CASE WHEN m.superseded_by IS NULL THEN m.valid_to <= ?
        ELSE n.valid_from IS NULL OR n.valid_from <= ? END
    ORDER BY m.number DESC LIMIT ?"""
"""Memories that were superseded or have ended, with the change that did it.

A successor that was stored before that change is no evidence of its moment, though it was said in a message.
"""
_EDITED = """
    SELECT c.old_text AS text, m.message_id, coalesce(m.quote, '') AS quote, 0 AS mistaken, NULL AS valid_to,
        m.created_at, m.text AS successor, m.superseded_by AS further, NULL AS replaced_from, c.at AS changed_at,
        NULL AS said_at, NULL AS said_in
    FROM changes AS c JOIN memories AS m ON m.id = c.memory_id
    WHERE c.owner = ? AND c.old_text <> c.new_text AND c.old_text <> m.text AND m.verbatim = 0
    ORDER BY c.seq DESC LIMIT ?"""
_VISIBLE = """(? OR s.agent IS ?) AND m.private = 0 AND s.private = 0 AND (m.session_id <> ? OR m.number < ?)"""
_TALK = "messages AS m JOIN sessions AS s ON s.id = m.session_id"


@dataclass(slots=True)
class _Cached:
    """An owner's matrix, the last change in it, and the codes of its conversations and agents."""

    matrix: "MessageMatrix"
    seq: int
    epoch: int
    codes: dict[str | None, int] = field(default_factory=dict)

    def code(self, name: str | None) -> int:
        return self.codes.setdefault(name, len(self.codes))


class MessageCache:
    """The matrices of the owners used last. Readers of several threads may share it."""

    def __init__(self, limit: int = CACHED_OWNERS) -> None:
        self.lock = threading.RLock()
        self.limit = limit
        self.entries: OrderedDict[tuple[int, str], _Cached] = OrderedDict()


class MessageReader:
    """The messages of one database, over one connection. Implements `MessageStore`."""

    def __init__(self, database: Database, clock: Clock, fingerprint: str, cache: MessageCache | None = None) -> None:
        self._db = database
        self._clock = clock
        self._fingerprint = fingerprint
        self._cache = cache or MessageCache()
        self._stale: dict[int, tuple[Position, date, list[StaleMemory]]] = {}

    def share(self, cache: MessageCache) -> None:
        """Use `cache`, which other readers may use too."""
        self._cache = cache

    def message_count(self, view: MessageFilter) -> int:
        owner, dim = owner_number(self._db, view.owner), searched_dimension(self._fingerprint)
        if owner is None:
            return 0
        if dim is not None:
            with self._cache.lock:
                return len(self._up_to_date(owner, dim).matrix)
        return int(self._db.value("SELECT count(*) FROM message_vectors WHERE owner = ?", (owner,)))

    def message_frequencies(self, view: MessageFilter, terms: Sequence[str]) -> dict[str, int]:
        owner = owner_number(self._db, view.owner)
        if owner is None:
            return dict.fromkeys(terms, 0)
        sql = "SELECT count(*) FROM (SELECT 1 FROM message_words WHERE message_words MATCH ? LIMIT ?)"
        return {term: int(self._db.value(sql, (match_query([term], [owner]), COUNTED))) for term in terms}

    def messages_with(self, view: MessageFilter, terms: Sequence[str], limit: int) -> list[int]:
        owner = owner_number(self._db, view.owner)
        if owner is None or not terms:
            return []
        where, values = self._where(view)
        rows = self._db.rows(
            f"""SELECT m.number FROM message_words CROSS JOIN messages AS m ON m.number = message_words.rowid
                CROSS JOIN sessions AS s ON s.id = m.session_id
                WHERE message_words MATCH ? AND {where} ORDER BY message_words.rank LIMIT ?""",
            (match_query(terms, [owner]), *values, limit),
        )
        return [row["number"] for row in rows]

    def nearest_messages(self, view: MessageFilter, query: "Vectors", limit: int) -> list[int]:
        from memchat.storage.vectors.message_matrix import Selection

        owner = owner_number(self._db, view.owner)
        if owner is None or not len(query):
            return []
        self._fingerprint = with_dimension(self._fingerprint, query.shape[1])
        query = searched(query, self._fingerprint)
        with self._cache.lock:
            entry = self._up_to_date(owner, query.shape[1])
            selection = Selection(
                agent=None if view.every_agent else entry.code(view.agent),
                own=entry.code(view.session_id),
                own_before=self._window_start(view),
                by_assistant=None if view.role is None else view.role is Role.ASSISTANT,
                first_day=None if view.since is None else view.since.toordinal(),
                conversation=None if view.only_session is None else entry.code(view.only_session),
                last_day=None if view.until is None else view.until.toordinal(),
            )
            if not entry.matrix.sketched:
                return entry.matrix.nearest(query, limit, selection)
            shortlist = entry.matrix.nearest(query, SHORTLIST * limit, selection)
        return self._nearest_of(shortlist, query)[:limit]

    def _nearest_of(self, numbers: Sequence[int], query: "Vectors") -> list[int]:
        """Return `numbers` in the order of their messages' highest cosine with any row of `query`."""
        import numpy as np

        from memchat.storage.vectors.matrix import best_cosines

        dim, searched_dim = dimension_of(self._fingerprint) or query.shape[1], query.shape[1]
        sql = f"SELECT number, rows FROM message_vectors WHERE number IN ({placeholders(numbers)})"
        found = {row["number"]: row["rows"] for row in self._db.rows(sql, tuple(numbers)) if not len(row["rows"]) % dim}
        if not found:
            return []
        counts = np.array([len(rows) // dim for rows in found.values()])
        cosines = best_cosines(
            decode_rows(first_columns(b"".join(found.values()), dim, searched_dim), searched_dim), query
        )
        nearness = np.maximum.reduceat(cosines, np.cumsum(counts) - counts)
        return [number for _, number in sorted(zip((-nearness).tolist(), found, strict=True))]

    def message_candidates(self, view: MessageFilter, numbers: Iterable[int]) -> list[MessageCandidate]:
        wanted = list(dict.fromkeys(numbers))
        where, values = self._where(view)
        # The offline model only repeats memories, between sentences that are always the same.
        where += " AND NOT (m.role = ? AND m.model IS ?)"
        beside = """(SELECT o.text FROM messages AS o WHERE o.session_id = m.session_id AND o.private = 0
            AND o.number {0} m.number ORDER BY o.number {1} LIMIT 1)"""
        rows = self._db.rows(
            f"""SELECT m.number, m.id, m.session_id, m.role, m.text, m.created_at, v.rows AS vectors,
                {beside.format("<", "DESC")} AS previous, {beside.format(">", "")} AS following
                FROM {_TALK} LEFT JOIN message_vectors AS v ON v.number = m.number AND v.fingerprint = ?
                WHERE m.number IN ({placeholders(wanted)}) AND {where}""",
            (self._fingerprint, *wanted, *values, Role.ASSISTANT, OFFLINE),
        )
        vectors = decode_each([row["vectors"] for row in rows], dimension_of(self._fingerprint) or 0)
        return [_candidate(*one) for one in zip(rows, vectors, strict=True)]

    def messages_beside(self, numbers: Sequence[int]) -> dict[int, list[int]]:
        beside = """(SELECT o.number FROM messages AS o WHERE o.session_id = m.session_id AND o.role = m.role
            AND o.private = 0 AND o.number {0} m.number ORDER BY o.number {1} LIMIT 1)"""
        rows = self._db.rows(
            f"""SELECT m.number, {beside.format("<", "DESC")} AS previous, {beside.format(">", "")} AS following
                FROM messages AS m WHERE m.number IN ({placeholders(numbers)})""",
            tuple(numbers),
        )
        return {row["number"]: [n for n in (row["previous"], row["following"]) if n is not None] for row in rows}

    def stale_memories(self, owner: Owner) -> Sequence[StaleMemory]:
        number = owner_number(self._db, owner)
        if number is None:
            return []
        now, today = position(self._db, number), self._clock().astimezone().date()
        known = self._stale.get(number)
        if known is None or known[:2] != (now, today):
            rows = self._db.rows(_NO_LONGER_HOLD, (number, today.isoformat(), today.isoformat(), MOST_STALE))
            rows += self._db.rows(_EDITED, (number, MOST_STALE))
            known = self._stale[number] = (now, today, [self._stale_memory(row) for row in rows])
        return known[2]

    @raises_on_corruption
    def _stale_memory(self, row: Row) -> StaleMemory:
        successor, further = row["successor"], row["further"]
        for _ in range(MOST_STALE):
            if further is None:
                break
            newer = self._db.row("SELECT text, superseded_by FROM memories WHERE id = ?", (further,))
            if newer is None:
                break
            successor, further = newer["text"], newer["superseded_by"]
        return StaleMemory(
            row["text"],
            row["message_id"],
            row["quote"],
            successor,
            to_day(row["valid_to"]),
            bool(row["mistaken"]),
            _end_of(row),
        )

    # Steps.

    def _where(self, view: MessageFilter) -> tuple[str, list[object]]:
        """Return the condition over `messages AS m` and `sessions AS s` for `view`, with its parameters."""
        user = view.owner.name if view.owner.kind == "user" else ""
        # The plus: messages are found by their numbers, not by way of all conversations of the person.
        clauses = ["+s.user = ?", _VISIBLE]
        values: list[object] = [user, view.every_agent, view.agent, view.session_id, self._window_start(view)]
        if not user:
            clauses.append("s.id = ?")
            values.append(view.owner.name)
        if view.only_session is not None:
            clauses.append("s.id = ?")
            values.append(view.only_session)
        if view.role is not None:
            clauses.append("m.role = ?")
            values.append(view.role)
        if view.since is not None:
            clauses.append("m.created_at >= ?")
            values.append(_midnight(view.since))
        if view.until is not None:
            clauses.append("m.created_at < ?")
            values.append(_midnight(date.fromordinal(view.until.toordinal() + 1)))
        return " AND ".join(clauses), values

    def _window_start(self, view: MessageFilter) -> int:
        if view.window_start is None:
            return 0
        return int(self._db.value("SELECT number FROM messages WHERE id = ?", (view.window_start,)) or 0)

    def _up_to_date(self, owner: int, dim: int) -> _Cached:
        key, entries = (owner, self._fingerprint), self._cache.entries
        epoch, entry = position(self._db, owner).epoch, entries.get(key)
        if entry is None or entry.epoch != epoch or entry.matrix.overgrown:
            entry = entries[key] = _Cached(self._empty_matrix(owner, dim), 0, epoch)
        while new := self._read_new(owner, entry, dim):
            entry.matrix.extend(new)
        entries.move_to_end(key)
        while len(entries) > self._cache.limit:
            entries.popitem(last=False)
        return entry

    def _empty_matrix(self, owner: int, dim: int) -> "MessageMatrix":
        """Return an empty matrix for the owner's messages, with sketches if they have many rows."""
        from memchat.storage.vectors import message_matrix

        whole = dimension_of(self._fingerprint) or dim
        of_owner, values = "FROM message_vectors WHERE owner = ? AND fingerprint = ?", (owner, self._fingerprint)
        total = int(self._db.value(f"SELECT coalesce(sum(length(rows)), 0) {of_owner}", values)) // whole
        if total <= message_matrix.WHOLE_ROWS or dim <= message_matrix.SKETCH:
            return message_matrix.MessageMatrix(dim)
        every = -(-total // message_matrix.SAMPLE)
        # Scattered: numbers alternate between the person and the assistant.
        scattered = f"SELECT rows {of_owner} AND number * 2654435761 / 65536 % ? = 0"
        sample = self._db.rows(scattered, (*values, every))
        return message_matrix.MessageMatrix.sketched_by([first_columns(row["rows"], whole, dim) for row in sample], dim)

    def _read_new(self, owner: int, entry: _Cached, dim: int) -> "list[MessageRow]":
        """Read the next messages that `entry` lacks; of each vector the `dim` numbers that are searched."""
        from memchat.storage.vectors.message_matrix import MessageRow

        rows = self._db.rows(
            """SELECT v.seq, v.number, v.rows, m.role, m.session_id, s.agent,
                CAST(julianday(date(m.created_at, 'localtime')) - 1721424.5 AS INTEGER) AS day
                FROM message_vectors AS v CROSS JOIN messages AS m ON m.number = v.number
                CROSS JOIN sessions AS s ON s.id = m.session_id
                WHERE v.owner = ? AND v.fingerprint = ? AND v.seq > ? ORDER BY v.seq LIMIT ?""",
            (owner, self._fingerprint, entry.seq, READ_AT_ONCE),
        )
        if rows:
            entry.seq = rows[-1]["seq"]
        whole = dimension_of(self._fingerprint) or dim
        return [
            MessageRow(
                row["number"],
                row["role"] == Role.ASSISTANT,
                entry.code(row["session_id"]),
                entry.code(row["agent"]),
                row["day"] or 0,
                first_columns(row["rows"], whole, dim),
            )
            for row in rows
        ]


def _midnight(day: date) -> str:
    """Return the start of the local `day`, in the stored form of times."""
    return format_time(datetime(day.year, day.month, day.day).astimezone())


def _end_of(row: Row) -> tuple[datetime, int] | None:
    """Return the moment at which a memory stopped to hold, and the number from which its messages come after that.

    A successor replaces it when that is said, or on the later day on which it begins. An end is recorded some time
    after it was said, without the message: all of its day comes after it, unless the memory is of that day, too.
    """
    if row["successor"] is None and row["valid_to"] is not None:
        begins = _midnight(date.fromisoformat(row["valid_to"]))
        if row["changed_at"] and row["created_at"] >= begins:
            return parse_time(row["changed_at"]), sys.maxsize
        return parse_time(begins), 0
    begins = row["replaced_from"] and _midnight(date.fromisoformat(row["replaced_from"]))
    told = row["said_at"] or row["changed_at"]
    if begins and (told is None or begins > told):
        return parse_time(begins), 0
    return (parse_time(told), row["said_in"] or sys.maxsize) if told else None


@raises_on_corruption
def _candidate(row: Row, vectors: "Vectors") -> MessageCandidate:
    return MessageCandidate(
        row["number"],
        row["id"],
        row["session_id"],
        Role(row["role"]),
        row["text"],
        parse_time(row["created_at"]),
        vectors,
        row["previous"],
        row["following"],
    )
