"""The same question twice: to a model that remembers nothing, and with what is remembered. Nothing of it is kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from memchat.chat.conversation import Conversation, UsedMemory
from memchat.core.protocols import Clock, Spent, Usage
from memchat.core.types import LearningOptions, Message, MessageStatus, Role, Session
from memchat.recall.excerpts import Excerpt


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, what of memory was in its prompt, and what it took; `estimated` says that we counted the tokens."""

    reply: str
    used: tuple[UsedMemory, ...]
    usage: Usage
    estimated: bool
    excerpts: tuple[Excerpt, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    question: str
    model: str
    stateless: Answer
    remembering: Answer


class NullTranscript:
    """A transcript that keeps nothing, for questions that are not to be part of any conversation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin_turn(self, session: Session, text: str, terms: LearningOptions | None) -> Message:
        return Message("", session.id, Role.USER, text, self._clock())

    def end_turn(
        self,
        asked: Message,
        text: str,
        status: MessageStatus,
        model: str,
        recalled: list[str],
        *,
        spent: Spent | None = None,
    ) -> None:
        return None

    def earlier(self, message: Message) -> Iterator[Message]:
        return iter(())

    def set_private(self, session: Session, private: bool) -> None:
        pass


def ask(conversation: Conversation, question: str) -> Answer:
    """The whole reply of a conversation that begins with `question`. Raises ModelError."""
    with conversation.turn(question) as turn:
        reply = "".join(turn)
    count = conversation.model.count_tokens
    usage = turn.usage or Usage(sum(count(message.content) for message in turn.request.messages), count(turn.reply))
    return Answer(reply, tuple(turn.used), usage, estimated=turn.usage is None, excerpts=turn.excerpts)
