"""The rows of the tables sessions and messages, and how sessions and messages are stored in them."""

import json
import sqlite3

from memchat.core.types import Message, MessageStatus, Role, Session
from memchat.errors import UsageError
from memchat.storage.database import Database
from memchat.storage.memory_rows import format_time, parse_time, raises_on_corruption, to_items
from memchat.text.titles import title_of

SESSIONS = "SELECT s.*, (SELECT count(*) FROM messages AS m WHERE m.session_id = s.id) AS messages FROM sessions AS s"


@raises_on_corruption
def to_session(row: sqlite3.Row) -> Session:
    return Session(
        row["id"],
        row["user"],
        row["agent"],
        row["title"],
        parse_time(row["started_at"]),
        parse_time(row["last_at"]),
        bool(row["private"]),
        row["messages"],
        row["origin"],
    )


@raises_on_corruption
def to_message(row: sqlite3.Row) -> Message:
    return Message(
        row["id"],
        row["session_id"],
        Role(row["role"]),
        row["text"],
        parse_time(row["created_at"]),
        MessageStatus(row["status"]),
        row["model"],
        to_items(row["recalled"]),
    )


def insert_session(database: Database, session: Session) -> None:
    """Store `session`, or update the time of its last use."""
    kept = database.execute(
        """INSERT INTO sessions (id, user, agent, title, private, started_at, last_at, origin)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET last_at = max(last_at, excluded.last_at) WHERE user = excluded.user""",
        (
            session.id,
            session.user,
            session.agent,
            title_of(session.title),
            session.private,
            format_time(session.started_at),
            format_time(session.last_at),
            session.origin,
        ),
    )
    if not kept:
        raise UsageError(f"The session {session.id} belongs to another user.", hint="Choose another --session.")


def insert_message(database: Database, message: Message, *, private: bool) -> None:
    database.execute(
        """INSERT INTO messages (id, session_id, role, text, created_at, status, model, recalled, private)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            message.id,
            message.session_id,
            message.role,
            message.text,
            format_time(message.created_at),
            message.status,
            message.model,
            json.dumps(message.recalled),
            private,
        ),
    )
