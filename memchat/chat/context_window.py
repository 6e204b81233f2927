"""The context window: the newest messages of a conversation that fit beside the system prompt."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from memchat.chat.prompt import CountTokens
from memchat.core.protocols import PromptMessage
from memchat.core.types import Message, MessageStatus, Role
from memchat.errors import ContextOverflow

REPLY_TOKENS = 1_024
"""Room left for the reply in the model's window."""


SAFE_FRACTION = 0.75
"""How much of the window the conversation may fill: many models' tokens are counted by another's rules, and a provider
refuses what is too long as a whole."""


EARLIER_TOKENS = 32_000
"""What earlier messages of the conversation may take of any window: they are paid for with every turn."""


MESSAGE_OVERHEAD_TOKENS = 6


BYTES_A_TOKEN = 4
"""In English text; in other languages it is about as many."""


@dataclass(frozen=True, slots=True)
class PackedMessages:
    """The messages to send. `truncated` says that older ones were left out, for there is no room for more.

    `oldest` is the id of the oldest earlier message among them.
    """

    messages: list[PromptMessage]
    truncated: bool
    oldest: str | None = None


class ContextWindow:
    """A model's window of `tokens` tokens, filled with a conversation. `count` may be an estimate.

    What a message takes is counted once: a long conversation goes out again with every turn.
    """

    def __init__(self, tokens: int, count: CountTokens) -> None:
        self._tokens = tokens
        self._count = count
        self._counted: dict[tuple[str, int], int] = {}

    def fill(self, system: str, earlier: Iterable[Message], text: str) -> PackedMessages:
        """`system`, the newest of `earlier` (newest first, read as far as they fit), whole messages only, and `text`.

        Raises ContextOverflow when `text` itself does not fit.
        """
        given = PromptMessage(Role.SYSTEM, system), PromptMessage(Role.USER, text)
        room = self._tokens - min(REPLY_TOKENS, self._tokens // 4)
        spoken = (message for message in earlier if message.text and message.status is not MessageStatus.FAILED)
        kept, outgrown = self._newest(spoken, room, given)
        while kept and kept[0].role is not Role.USER:
            kept = kept[1:]
        messages = [given[0], *_in_turns(kept, given[1])]
        return PackedMessages(messages, outgrown, kept[0].id if kept else None)

    def fullness(self, messages: Sequence[PromptMessage]) -> float:
        """How much of the room for a conversation `messages` take, the system's apart: an estimate from their bytes."""
        room = min(int((self._tokens - min(REPLY_TOKENS, self._tokens // 4)) * SAFE_FRACTION), EARLIER_TOKENS)
        taken = sum(_most(one.content) // BYTES_A_TOKEN for one in messages if one.role is not Role.SYSTEM)
        return taken / max(room, 1)

    def _newest(
        self, spoken: Iterator[Message], room: int, given: tuple[PromptMessage, PromptMessage]
    ) -> tuple[list[Message], bool]:
        """What fits of `spoken`, oldest first, and whether there was more. Counted only where it could be too much."""
        sure = min(int(room * SAFE_FRACTION) - sum(_most(one.content) for one in given), EARLIER_TOKENS)
        taken: list[Message] = []
        while sure >= 0 and (message := next(spoken, None)) is not None:
            taken.append(message)
            sure -= _most(message.text)
        if sure >= 0:
            return taken[::-1], False
        needed = sum(self._count(one.content) + MESSAGE_OVERHEAD_TOKENS for one in given)
        if needed > room:
            raise ContextOverflow(
                f"The message is too long for the model's window of {self._tokens} tokens.",
                hint="Shorten it, use another model (--model), or say with MEMCHAT_CONTEXT_TOKENS how many it takes.",
            )
        left = min(int(room * SAFE_FRACTION) - needed, EARLIER_TOKENS)
        kept: list[Message] = []
        for message in chain(taken, spoken):
            left -= self._cost(message)
            if left < 0:
                return kept[::-1], True
            kept.append(message)
        return kept[::-1], False

    def _cost(self, message: Message) -> int:
        # The length stands for the words, parts of which may have been erased since.
        known = message.id, len(message.text)
        if known not in self._counted:
            self._counted[known] = self._count(message.text) + MESSAGE_OVERHEAD_TOKENS
        return self._counted[known]


def _in_turns(earlier: Sequence[Message], last: PromptMessage) -> Iterator[PromptMessage]:
    """`earlier` and `last`, a message that was stopped before its answer as one with the message after it.

    Many models refuse a prompt in which the roles do not alternate.
    """
    unanswered = ""
    for message in earlier:
        if message.status is MessageStatus.STOPPED:
            unanswered += f"{message.text}\n\n"
        else:
            yield PromptMessage(message.role, unanswered + message.text)
            unanswered = ""
    yield PromptMessage(last.role, unanswered + last.content)


def _most(text: str) -> int:
    """More tokens than `text` can have: a token holds at least a byte. Saves counting where all fits anyway."""
    return len(text.encode("utf-8", "surrogatepass")) + MESSAGE_OVERHEAD_TOKENS
