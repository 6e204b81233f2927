"""Find where a memory comes from: the conversation and the message it was extracted from."""

from typing import TYPE_CHECKING

from memchat.core.types import Memory, Message, Session

if TYPE_CHECKING:
    from memchat.storage.protocols import Conversations


def origin_of(memory: Memory, conversations: "Conversations", user: str) -> tuple[Session, Message | None] | None:
    """Return the conversation and the message of `memory`; None if it has none, or none of `user`."""
    if memory.evidence is None:
        return None
    session = conversations.session(memory.evidence.session_id)
    if session is None or session.user != user:
        return None
    return session, conversations.message(memory.evidence.message_id)
