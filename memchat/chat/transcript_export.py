"""Conversations as JSON and as Markdown, for files and other programs."""

from collections.abc import Sequence
from typing import Any

from memchat.core.types import Message, MessageStatus, Role, Session
from memchat.storage.serialization import moment_json


def session_json(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "user": session.user,
        "agent": session.agent,
        "title": session.title,
        "started_at": moment_json(session.started_at),
        "last_at": moment_json(session.last_at),
        "private": session.private,
        "message_count": session.messages,
    }


def message_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "role": str(message.role),
        "text": message.text,
        "created_at": moment_json(message.created_at),
        "status": str(message.status),
        "model": message.model,
        "recalled": list(message.recalled),
    }


def conversation_json(session: Session, messages: Sequence[Message]) -> dict[str, Any]:
    """Return a whole conversation, with the keys of `memchat sessions export`."""
    return {**session_json(session), "messages": [message_json(message) for message in messages]}


def conversation_markdown(session: Session, messages: Sequence[Message]) -> str:
    """Format a conversation for reading: a heading for each message, with its author and time."""
    parts = [f"# {session.title or 'Conversation'}"]
    for message in messages:
        who = session.user if message.role is Role.USER else message.model or str(message.role)
        cut = "" if message.status is MessageStatus.COMPLETE else f" ({message.status})"
        parts += [f"## {who}, {message.created_at.astimezone():%Y-%m-%d %H:%M}{cut}", message.text.strip()]
    return "\n\n".join(parts) + "\n"
