"""Import conversations held elsewhere, message by message: each once, however often an import is interrupted."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from memchat.core.types import LearningOptions, Message, Role, Session
from memchat.importers.found import Dialogue
from memchat.storage.short_ids import is_generated

if TYPE_CHECKING:
    from memchat.storage.protocols import Conversations


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of learning from dialogues: calls to the extraction model, and their tokens."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


CALL_TOKENS = 2_500
"""Tokens of a call besides the message and its answer: the instructions, and the known memories."""
ANSWER_TOKENS = 150


def estimate(dialogues: Iterable[Dialogue]) -> Estimate:
    """Estimate the cost at four characters per token. Each reply counts: it is sent with the message it answers."""
    calls = characters = 0
    for dialogue in dialogues:
        if not dialogue.private:
            calls += sum(message.role is Role.USER for message in dialogue.messages)
            characters += sum(len(message.text) for message in dialogue.messages)
    return Estimate(calls, calls * CALL_TOKENS + characters // 4, calls * ANSWER_TOKENS)


@dataclass(frozen=True, slots=True)
class DialogueImporter:
    """Store dialogues of one user. `clean` is applied to every text; with `terms`, new messages are learned from."""

    conversations: "Conversations"
    user: str
    clean: Callable[[str], str]
    terms: LearningOptions | None

    def restore(self, dialogue: Dialogue, origin: str) -> int:
        """Store `dialogue` in one transaction; return how many of its messages are new."""
        messages = dialogue.messages
        if not messages:
            return 0
        # memchat's own ids are kept, unless another user or another conversation has them.
        kept = is_generated(dialogue.id) and (
            (known := self.conversations.session(dialogue.id)) is None or known.user == self.user
        )
        session_id = dialogue.id if kept else derived_id((self.user, origin, dialogue.id))
        session = Session(
            session_id,
            self.user,
            dialogue.agent,
            self.clean(dialogue.title or messages[0].text),
            dialogue.began or messages[0].at,
            messages[-1].at,
            dialogue.private,
            origin=origin,
        )
        restored = []
        for said in messages:
            kept = is_generated(said.id) and (
                (held := self.conversations.message(said.id)) is None or held.session_id == session_id
            )
            message_id = said.id if kept else derived_id((session_id, said.id))
            restored.append(Message(message_id, session_id, said.role, self.clean(said.text), said.at))
        return self.conversations.restore(session, restored, self.terms)


def derived_id(parts: Sequence[str]) -> str:
    """Derive a UUID in memchat's form from `parts`: the same parts always give the same id."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    bits = int.from_bytes(digest[:16], "big")
    return str(UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))
