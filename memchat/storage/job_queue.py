"""The queue of learning jobs: each survives any kill, is claimed by one process at a time and applied exactly once."""

import json
import sqlite3
from collections.abc import Collection, Generator
from dataclasses import replace
from datetime import timedelta

from memchat.core.names import composed
from memchat.core.protocols import Clock
from memchat.core.types import JobState, LearningJob, LearningOptions, Scope, Session
from memchat.storage.database import Database
from memchat.storage.leases import CLAIM_S, holder_is_dead, process_lease_id, releasing
from memchat.storage.memory_rows import format_time, parse_time, raises_on_corruption
from memchat.storage.protocols import MAX_BLOCKING_ATTEMPTS
from memchat.text.normalize import fix_surrogates

FIRST_WAIT_S = 5
LONGEST_WAIT_S = 6 * 3600
PAGE = 200


class JobQueue:
    """The learning jobs of one database, over one connection.

    A job belongs to the user of its session. Callers claim jobs of one user, or with None of all users, as servers do.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def claim(self, user: str | None, skip: Collection[int] = ()) -> LearningJob | None:
        """Claim the oldest due job of `user` for this process, none of those to `skip`; None if there is none.

        A person's exchanges are learned in order: while one waits to be tried again, later ones wait too, until it has
        failed MAX_BLOCKING_ATTEMPTS times.
        """
        if self._next(user, skip) is None:
            return None
        with self._db.transaction():
            row = self._next(user, skip)
            return None if row is None else self._take(row)

    def _next(self, user: str | None, skip: Collection[int]) -> sqlite3.Row | None:
        held: set[str] = set()
        for row in self._oldest_first(user):
            key = _ordering_key(row)
            if key not in held and row["id"] not in skip and self._free(row):
                return row
            if row["state"] != JobState.HELD and row["attempts"] < MAX_BLOCKING_ATTEMPTS:
                held.add(key)
        return None

    def _oldest_first(self, user: str | None) -> Generator[sqlite3.Row]:
        """Yield the jobs of `user`, read in pages: mostly the first few rows suffice."""
        of_user, values = ("", ()) if user is None else ("user = ? AND ", (user,))
        last = 0
        while rows := self._db.rows(
            f"SELECT * FROM work WHERE {of_user}id > ? ORDER BY id LIMIT ?", (*values, last, PAGE)
        ):
            yield from rows
            last = rows[-1]["id"]

    def claim_of(self, session: Session) -> LearningJob | None:
        """Claim the oldest free job of the session's person for this process, due or not.

        A job that failed MAX_BLOCKING_ATTEMPTS times waits for its time and blocks no other. Sessions without a user
        belong together only if they have the same agent.
        """
        with self._db.transaction():
            for row in self._db.rows(_OF_SESSIONS_PERSON, (session.user, session.id, session.agent)):
                waits = row["state"] == JobState.WAITING and row["attempts"] < MAX_BLOCKING_ATTEMPTS
                if waits or self._free(row):
                    return self._take(row)
        return None

    def of(self, message_id: str) -> LearningJob | None:
        """Return the jobs on that message."""
        row = self._db.row("SELECT * FROM work WHERE user_message_id = ?", (message_id,))
        return None if row is None else _work(row)

    def of_memory(self, memory_id: str) -> LearningJob | None:
        """Return the job that compares that memory with others."""
        row = self._db.row("SELECT * FROM work WHERE memory_id = ?", (memory_id,))
        return None if row is None else _work(row)

    def add_comparison(self, user: str, memory_id: str) -> None:
        """Enqueue the comparison of a memory that `user` added, in the caller's transaction."""
        now = format_time(self._clock())
        sql = "INSERT INTO work (user, memory_id, created_at, due_at) VALUES (?, ?, ?, ?)"
        self._db.execute(sql, (composed(user), memory_id, now, now))

    def _free(self, row: sqlite3.Row) -> bool:
        now = format_time(self._clock())
        if row["state"] == JobState.HELD:
            return False
        if row["state"] == JobState.CLAIMED:
            return holder_is_dead(row["claim"]) or row["claimed_until"] <= now
        # A clock that was set back must not make a short wait long.
        longest = format_time(self._clock() + timedelta(seconds=_wait_s(row["attempts"] - 1)))
        return not now < row["due_at"] <= longest

    def _take(self, row: sqlite3.Row) -> LearningJob:
        until = format_time(self._clock() + timedelta(seconds=CLAIM_S))
        self._db.execute(
            "UPDATE work SET state = 'claimed', claim = ?, claimed_until = ? WHERE id = ?",
            (process_lease_id(), until, row["id"]),
        )
        return replace(_work(row), state=JobState.CLAIMED)

    def is_ours(self, work: LearningJob) -> bool:
        """Return whether `work` still exists and is leased to this process."""
        claim = self._db.value("SELECT claim FROM work WHERE id = ?", (work.id,))
        return bool(claim == process_lease_id())

    def done(self, work: LearningJob) -> None:
        self._db.execute("DELETE FROM work WHERE id = ?", (work.id,))

    def fail(self, work: LearningJob, reason: str) -> None:
        """Release `work` with the reason. It is due again after a wait that doubles with each failure."""
        self._release(work, fix_surrogates(reason), attempts=work.attempts + 1, wait_s=_wait_s(work.attempts))

    def release(self, work: LearningJob) -> None:
        """Release `work` unchanged, free to be claimed at once."""
        self._release(work, work.error, attempts=work.attempts, wait_s=0)

    def _release(self, work: LearningJob, error: str | None, *, attempts: int, wait_s: float) -> None:
        due = self._clock() + timedelta(seconds=wait_s)
        with releasing():
            self._db.execute(
                """UPDATE work SET state = 'waiting', claim = NULL, claimed_until = NULL, attempts = ?, due_at = ?,
                    error = ? WHERE id = ? AND claim = ?""",
                (attempts, format_time(due), error, work.id, process_lease_id()),
            )

    def retry_all(self, user: str) -> int:
        """Make all waiting jobs of `user` due now. Returns how many."""
        retry = "UPDATE work SET state = 'waiting', due_at = ? WHERE user = ? AND state IN ('waiting', 'held')"
        return self._db.execute(retry, (format_time(self._clock()), user))

    def discard(self, work: LearningJob) -> None:
        """Delete `work` at a person's request."""
        self._db.execute("DELETE FROM work WHERE id = ?", (work.id,))

    def pending(self, user: str | None = None) -> list[LearningJob]:
        """List all jobs, oldest first; with `user` only that person's."""
        return [_work(row) for row in self._oldest_first(user)]

    def due(self, user: str | None, skip: Collection[int] = ()) -> int:
        """Count the exchanges of `user` that this process could learn from now, or is learning from; not `skip`.

        Jobs leased to another live process, and jobs that wait for those, are left to it.
        """
        held: set[str] = set()
        count = 0
        for row in self._oldest_first(user):
            key, free = _ordering_key(row), row["id"] not in skip and self._free(row)
            count += row["claim"] == process_lease_id() or (free and key not in held)
            if not free and row["state"] != JobState.HELD and row["attempts"] < MAX_BLOCKING_ATTEMPTS:
                held.add(key)
        return count


def _ordering_key(row: sqlite3.Row) -> str:
    """Return the key within which jobs keep their order: the person, or the session where there is none."""
    return str(row["user"] or row["session_id"] or "")


def _wait_s(failures: int) -> int:
    """Return how long a job waits after `failures` failures, in seconds; 0 for none."""
    return 0 if failures < 0 else min(FIRST_WAIT_S * 2 ** min(failures, 32), LONGEST_WAIT_S)


_OF_SESSIONS_PERSON = """
    SELECT * FROM work WHERE user = ? AND (
        user <> '' OR session_id = ? OR session_id IN (SELECT id FROM sessions WHERE agent = ? AND user = '')
    ) ORDER BY id
"""


@raises_on_corruption
def _work(row: sqlite3.Row) -> LearningJob:
    return LearningJob(
        row["id"],
        row["session_id"] or "",
        row["user_message_id"] or "",
        JobState(row["state"]),
        row["attempts"],
        parse_time(row["created_at"]),
        parse_time(row["due_at"]),
        row["error"],
        LearningOptions(
            row["instructions"],
            json.loads(row["metadata"]),
            None if row["scope"] is None else Scope(row["scope"]),
            bool(row["infer"]),
            None if row["expires_at"] is None else parse_time(row["expires_at"]),
        ),
        row["memory_id"],
    )
