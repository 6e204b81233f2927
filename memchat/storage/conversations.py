"""Conversations in SQLite. A message is on disk before anything is done with it."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from memchat.core.ids import new_id
from memchat.core.names import composed
from memchat.core.protocols import Clock, Purpose, Spent
from memchat.core.types import (
    DEFAULT_LEARNING_OPTIONS,
    JobState,
    LearningOptions,
    Message,
    MessageStatus,
    Role,
    Session,
)
from memchat.errors import AmbiguousId, NotFound
from memchat.storage.conversation_rows import SESSIONS, insert_message, insert_session, to_message, to_session
from memchat.storage.database import Database, placeholders
from memchat.storage.leases import CLAIM_S, process_lease_id, releasing
from memchat.storage.memory_rows import format_time
from memchat.storage.short_ids import MEANS_ID, SHORTEST_TAIL, is_generated
from memchat.text.normalize import fix_surrogates

_PART_OF_ID = re.compile(r"01[0-9a-f]{2,6}(-[0-9a-f-]*)?|(?=.*[0-9])(?=.*[a-f])[0-9a-f]{7,12}")
"""The beginning of an id, which is 01 until 2039, or its end."""
FIRST_READ, MOST_READ = 16, 256
"""Number of messages read at a time, at first and at most; each may be a pasted page."""


class ConversationRepository:
    """Sessions and their messages, over one connection."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def new_session(
        self, user: str, agent: str | None, *, private: bool = False, name: str | None = None, origin: str = ""
    ) -> Session:
        """Create a session, which is stored with its first message. `name` is an id chosen by the caller."""
        now = self._clock()
        return Session(name or new_id(), user, agent, "", now, now, private, origin=origin)

    def open_session(self, user: str, agent: str | None, origin: str, since: datetime) -> Session | None:
        """Return the unnamed session of `origin` that `user` last used with `agent`, if that was after `since`."""
        rows = self._db.rows(
            f"""{SESSIONS} WHERE s.user = ? AND s.agent IS ? AND s.origin = ? AND s.last_at >= ?
                ORDER BY s.last_at DESC LIMIT 1""",
            (composed(user), composed(agent), origin, format_time(since)),
        )
        return to_session(rows[0]) if rows else None

    def latest_session(self, user: str, agent: str | None = None) -> Session | None:
        """Return the session that `user` last used, with `agent` if one is given."""
        row = self._db.row(
            f"{SESSIONS} WHERE s.user = ? AND (? IS NULL OR s.agent = ?) ORDER BY s.last_at DESC LIMIT 1",
            (composed(user), composed(agent), composed(agent)),
        )
        return None if row is None else to_session(row)

    def session(self, session_id: str) -> Session | None:
        row = self._db.row(f"{SESSIONS} WHERE s.id = ?", (composed(session_id),))
        return None if row is None else to_session(row)

    def find_session(self, given: str, user: str, *, shortest: int = 1) -> Session:
        """Find the session that `user` means by `given`: its whole id or name, or the beginning or end of a generated
        id.

        A beginning has at least `shortest` characters, an end SHORTEST_TAIL. Raises NotFound, or AmbiguousId where
        several of the person's ids match.
        """
        session = self._resolve(given, user, shortest)
        if session is None:
            raise NotFound(f"There is no conversation {given!r}.", hint="memchat sessions list shows them.")
        return session

    def named_session(self, name: str, user: str) -> Session | None:
        """Return the session to resume under `name`; None if that is the name of a new one.

        Raises NotFound if `name` looks like an id and matches none of the user's, AmbiguousId if it matches several.
        """
        looks_like_id = _PART_OF_ID.fullmatch(name.lower()) is not None
        session = self._resolve(name, user, shortest=MEANS_ID if looks_like_id else len(name) + 1)
        if session is None and looks_like_id:
            recent = _candidates(self.sessions(user, limit=5))
            raise NotFound(
                f"No conversation has the id {name!r}." + (f" The last ones are:\n{recent}" if recent else ""),
                hint="A name for a new conversation must not look like an id.",
            )
        return session

    def _resolve(self, given: str, user: str, shortest: int) -> Session | None:
        user = composed(user)
        for known in (given, _own_name(given, user)):
            session = self.session(known)
            if session is not None and session.user == user:
                return session
        part = given.lower()
        rows = self._db.rows(
            f"""{SESSIONS} WHERE s.user = ? AND ((? AND substr(s.id, 1, ?) = ?) OR (? AND substr(s.id, -?) = ?))
                ORDER BY s.last_at DESC""",
            (
                user,
                len(part) >= max(shortest, 1),
                len(part),
                part,
                len(part) >= SHORTEST_TAIL,
                max(len(part), 1),
                part,
            ),
        )
        found = [to_session(row) for row in rows if is_generated(row["id"])]
        if len(found) > 1:
            raise AmbiguousId(
                f"{given!r} matches several conversations:\n{_candidates(found[:5])}", hint="Type more of the id."
            )
        return found[0] if found else None

    def name_for(self, name: str, user: str) -> str:
        """Return the id under which the session that `user` calls `name` is stored: the name, unless another person has
        it."""
        return name if self.session(name) is None else _own_name(name, user)

    def sessions(self, user: str, limit: int | None = None) -> list[Session]:
        """List the sessions of `user`, the one last used first."""
        sql = f"{SESSIONS} WHERE s.user = ? ORDER BY s.last_at DESC LIMIT ?"
        return [to_session(row) for row in self._db.rows(sql, (composed(user), -1 if limit is None else limit))]

    def message(self, message_id: str) -> Message | None:
        row = self._db.row("SELECT * FROM messages WHERE id = ?", (message_id,))
        return None if row is None else to_message(row)

    def messages(self, session_id: str, limit: int | None = None) -> list[Message]:
        """List the last `limit` messages of a session, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM messages WHERE session_id = ? ORDER BY number DESC LIMIT ?",
            (session_id, -1 if limit is None else limit),
        )
        return [to_message(row) for row in reversed(rows)]

    def before(self, message: Message, limit: int) -> list[Message]:
        """List the last `limit` messages before `message` that were not said in private, oldest first."""
        rows = self._db.rows(
            """SELECT * FROM messages WHERE session_id = ? AND private = 0
                AND number < (SELECT number FROM messages WHERE id = ?) ORDER BY number DESC LIMIT ?""",
            (message.session_id, message.id, limit),
        )
        return [to_message(row) for row in reversed(rows)]

    def earlier(self, message: Message) -> Iterator[Message]:
        """Yield the messages of the session before `message`, newest first, reading only as far as needed."""
        last = self._db.value("SELECT number FROM messages WHERE id = ?", (message.id,))
        limit = FIRST_READ
        while last is not None:
            rows = self._db.rows(
                "SELECT * FROM messages WHERE session_id = ? AND number < ? ORDER BY number DESC LIMIT ?",
                (message.session_id, last, limit),
            )
            yield from map(to_message, rows)
            last = rows[-1]["number"] if len(rows) == limit else None
            limit = min(2 * limit, MOST_READ)

    def reply_to(self, message: Message) -> Message | None:
        """Return the message right after `message`, if it is the assistant's."""
        row = self._db.row(
            """SELECT * FROM messages WHERE session_id = ? AND number > (SELECT number FROM messages WHERE id = ?)
                ORDER BY number LIMIT 1""",
            (message.session_id, message.id),
        )
        return None if row is None or row["role"] != Role.ASSISTANT else to_message(row)

    def last_reply(self, session: Session) -> Message | None:
        """Return the assistant's last message in `session`."""
        row = self._db.row(
            "SELECT * FROM messages WHERE session_id = ? AND role = ? ORDER BY number DESC LIMIT 1",
            (session.id, Role.ASSISTANT),
        )
        return None if row is None else to_message(row)

    def last_question(self, session: Session) -> Message | None:
        """Return the user's last message in `session`."""
        row = self._db.row(
            "SELECT * FROM messages WHERE session_id = ? AND role = ? ORDER BY number DESC LIMIT 1",
            (session.id, Role.USER),
        )
        return None if row is None else to_message(row)

    def drop_replies(self, asked: Message) -> None:
        """Delete the replies to `asked`, the last question of its session."""
        with self._db.transaction():
            self._delete_from(asked, "number > ")

    def take_back(self, asked: Message) -> None:
        """Delete `asked`, everything said after it, and the jobs on it; the session too if nothing is left."""
        with self._db.transaction():
            self._delete_from(asked, "number >= ")
            self._db.execute(
                "DELETE FROM sessions WHERE id = ? AND NOT EXISTS (SELECT 1 FROM messages WHERE session_id = ?)",
                (asked.session_id, asked.session_id),
            )

    def _delete_from(self, asked: Message, which: str) -> None:
        number = self._db.value("SELECT number FROM messages WHERE id = ?", (asked.id,))
        if number is not None:
            sql = f"DELETE FROM messages WHERE session_id = ? AND {which} ?"
            self._db.execute(sql, (asked.session_id, number))

    def recent_user_messages(self, user: str, limit: int) -> list[str]:
        """List the last messages that `user` typed in any session, newest first."""
        rows = self._db.rows(
            """SELECT m.text FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
                WHERE s.user = ? AND m.role = 'user' ORDER BY m.number DESC LIMIT ?""",
            (composed(user), limit),
        )
        return [row["text"] for row in rows]

    def begin_turn(
        self, session: Session, text: str, terms: LearningOptions | None = DEFAULT_LEARNING_OPTIONS
    ) -> Message:
        """Record what the user said. With `terms`, the exchange will be learned from even if this process dies.

        The job is written in the same transaction and leased to this turn until `end_turn` releases it. Without `terms`
        the exchange is private: it is not learned from, and later ones do not read it.
        """
        now = self._clock()
        message = Message(new_id(), session.id, Role.USER, fix_surrogates(text), now)
        with self._db.transaction():
            self._keep_session(session, message.text)
            insert_message(self._db, message, private=terms is None)
            if terms is not None:
                # The conversation goes on, so a stopped message may now be learned from.
                self._db.execute(
                    "UPDATE work SET state = 'waiting', due_at = ? WHERE session_id = ? AND state = 'held'",
                    (format_time(now), session.id),
                )
                self._enqueue(session.user, message, terms)
        return message

    def _enqueue(self, user: str, message: Message, terms: LearningOptions) -> None:
        now = message.created_at
        self._db.execute(
            """INSERT INTO work (user, session_id, user_message_id, state, created_at, due_at, claim, claimed_until,
                instructions, metadata, scope, infer, expires_at)
                VALUES (?, ?, ?, 'claimed', ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                user,
                message.session_id,
                message.id,
                format_time(now),
                format_time(now),
                process_lease_id(),
                format_time(now + timedelta(seconds=CLAIM_S)),
                None if terms.instructions is None else fix_surrogates(terms.instructions),
                fix_surrogates(json.dumps(dict(terms.metadata), ensure_ascii=False)),
                terms.scope,
                terms.infer,
                None if terms.expires_at is None else format_time(terms.expires_at),
            ),
        )

    def end_turn(
        self,
        asked: Message,
        text: str,
        status: MessageStatus,
        model: str,
        recalled: Sequence[str],
        *,
        spent: Spent | None = None,
    ) -> Message | None:
        """Record the reply and what it took, and hand the exchange to the learning worker, in one transaction.

        With the status `stopped` the worker gets it when the conversation goes on. An empty reply is not stored.
        Returns None then, and when the conversation was deleted meanwhile.
        """
        text, at = fix_surrogates(text), self._clock()
        reply = Message(new_id(), asked.session_id, Role.ASSISTANT, text, at, status, model, tuple(recalled))
        now = format_time(at)
        with releasing(), self._db.transaction():
            private = self._db.value("SELECT private FROM messages WHERE id = ?", (asked.id,))
            if private is None:
                return None
            if spent is not None:
                from memchat.storage.usage import TokenUsage

                TokenUsage(self._db, self._clock).add(asked.session_id, Purpose.CHAT, model, spent)
            if text:
                insert_message(self._db, reply, private=bool(private))
            asked_status = MessageStatus.COMPLETE if text else status
            self._db.execute("UPDATE messages SET status = ? WHERE id = ?", (asked_status, asked.id))
            self._db.execute("UPDATE sessions SET last_at = ? WHERE id = ?", (now, asked.session_id))
            self._db.execute(
                """UPDATE work SET state = ?, claim = NULL, claimed_until = NULL, due_at = ?
                    WHERE user_message_id = ?""",
                (JobState.HELD if status is MessageStatus.STOPPED else JobState.WAITING, now, asked.id),
            )
            marks = placeholders(recalled)
            self._db.execute(f"UPDATE memories SET last_used_at = ? WHERE id IN ({marks})", (now, *recalled))
        return reply if text else None

    def record(self, session: Session, role: Role, text: str) -> Message:
        """Record a message from elsewhere; nothing is learned from it by itself."""
        message = Message(new_id(), session.id, role, fix_surrogates(text), self._clock())
        with self._db.transaction():
            self._keep_session(session, message.text)
            insert_message(self._db, message, private=session.private)
        return message

    def restore(self, session: Session, messages: Sequence[Message], terms: LearningOptions | None) -> int:
        """Store a conversation held elsewhere, in one transaction. Returns how many messages are new.

        A message is stored once under its id, however often it is imported. With `terms` the user's new messages wait
        to be learned from. Raises UsageError where the session is another person's.
        """
        with self._db.transaction():
            known = {row["id"] for row in self._db.rows("SELECT id FROM messages WHERE session_id = ?", (session.id,))}
            fresh = [message for message in messages if message.id not in known]
            if fresh:
                insert_session(self._db, session)
            for message in fresh:
                insert_message(self._db, message, private=session.private)
                if terms is not None and message.role is Role.USER and not session.private:
                    self._enqueue(session.user, message, terms)
                    self._db.execute(
                        """UPDATE work SET state = 'waiting', claim = NULL, claimed_until = NULL, due_at = ?
                            WHERE user_message_id = ?""",
                        (format_time(self._clock()), message.id),
                    )
        return len(fresh)

    def set_private(self, session: Session, private: bool) -> None:
        """Make `session` private from now on, or no longer, for every later use."""
        self._db.execute("UPDATE sessions SET private = ? WHERE id = ?", (private, session.id))

    def rename(self, session: Session, title: str) -> None:
        self._db.execute("UPDATE sessions SET title = ? WHERE id = ?", (fix_surrogates(title), session.id))

    def _keep_session(self, session: Session, first_words: str) -> None:
        now = self._clock()
        insert_session(self._db, replace(session, title=first_words, started_at=now, last_at=now))


def _candidates(sessions: Sequence[Session]) -> str:
    return "\n".join(f"  {session.id}  {session.title or '(no title)'}" for session in sessions)


def _own_name(name: str, user: str) -> str:
    """Return a name derived from `name` for a person, where another person's session already has it."""
    return f"{name}@{user}"
