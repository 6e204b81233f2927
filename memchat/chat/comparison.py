"""Ask a question twice, without and with memory. Nothing of it is recorded."""

from collections.abc import Iterator
from dataclasses import dataclass

from memchat.chat.conversation import Conversation, ConversationOptions, TurnRecall, UsedMemory
from memchat.core.protocols import Clock, LanguageModel, Spent, Usage
from memchat.core.types import LearningOptions, Message, MessageStatus, Role, Session
from memchat.recall.excerpts import Excerpt


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, the memories and excerpts in its prompt, and its tokens; `estimated` if the model did not count them."""

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
    """A transcript that records nothing, for questions outside of all conversations."""

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


def compare(
    question: str, session: Session, model: LanguageModel, recall: TurnRecall, style: ConversationOptions, clock: Clock
) -> Comparison:
    """Ask `question` without and with what `recall` finds. Raises ModelError."""
    nothing = NullTranscript(clock)
    stateless, remembering = (
        _ask(Conversation(session, model, nothing, memory, style, clock), question) for memory in (None, recall)
    )
    return Comparison(question, model.name, stateless, remembering)


def _ask(conversation: Conversation, question: str) -> Answer:
    """Begin `conversation` with `question` and return the whole reply."""
    with conversation.turn(question) as turn:
        reply = "".join(turn)
    count = conversation.model.count_tokens
    usage = turn.usage or Usage(sum(count(message.content) for message in turn.request.messages), count(turn.reply))
    return Answer(reply, tuple(turn.used), usage, estimated=turn.usage is None, excerpts=turn.excerpts)
