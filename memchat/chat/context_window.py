"""Fill the context window: the newest messages of a conversation that fit beside the system prompt."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from memchat.core.protocols import CountTokens, PromptMessage
from memchat.core.types import Message, MessageStatus, Role
from memchat.errors import ContextOverflow
from memchat.text.size import BYTES_A_TOKEN, size

REPLY_TOKENS = 1_024
"""Tokens reserved for the reply."""
SAFE_FRACTION = 0.75
"""Share of the window that the conversation may fill. Token counts are often estimates, and a provider refuses a prompt
that is too long as a whole."""
EARLIER_TOKENS = 32_000
"""Maximum tokens of earlier messages in any window, since every turn pays for them again."""
MESSAGE_OVERHEAD_TOKENS = 6


@dataclass(frozen=True, slots=True)
class PackedMessages:
    """The messages to send. `truncated` says that older ones did not fit; `oldest` is the id of the oldest sent."""

    messages: list[PromptMessage]
    truncated: bool
    oldest: str | None = None


class ContextWindow:
    """A model's window of `tokens` tokens. `count` may be an estimate.

    Counts each message once, since a long conversation is sent again with every turn.
    """

    def __init__(self, tokens: int, count: CountTokens) -> None:
        self._tokens = tokens
        self._count = count
        self._counted: dict[tuple[str, int], int] = {}

    def fill(self, system: str, earlier: Iterable[Message], text: str) -> PackedMessages:
        """Pack `system`, the newest of `earlier` as whole messages, and `text`.

        `earlier` comes newest first and is read only as far as it fits. Raises ContextOverflow when `text` itself does
        not fit.
        """
        given = PromptMessage(Role.SYSTEM, system), PromptMessage(Role.USER, text)
        room = self._tokens - min(REPLY_TOKENS, self._tokens // 4)
        spoken = (message for message in earlier if message.text and message.status is not MessageStatus.FAILED)
        kept, outgrown = self._newest(spoken, room, given)
        while kept and kept[0].role is not Role.USER:
            kept = kept[1:]
        # Many models require alternating roles: a message stopped before its answer is joined with the one after it.
        messages, unanswered = [given[0]], ""
        for message in kept:
            if message.status is MessageStatus.STOPPED:
                unanswered += f"{message.text}\n\n"
            else:
                messages.append(PromptMessage(message.role, unanswered + message.text))
                unanswered = ""
        messages.append(PromptMessage(Role.USER, unanswered + text))
        return PackedMessages(messages, outgrown, kept[0].id if kept else None)

    def fullness(self, messages: Sequence[PromptMessage]) -> float:
        """Estimate the share of the room for a conversation that `messages` take, without the system prompt."""
        room = min(int((self._tokens - min(REPLY_TOKENS, self._tokens // 4)) * SAFE_FRACTION), EARLIER_TOKENS)
        taken = sum(_most(one.content) // BYTES_A_TOKEN for one in messages if one.role is not Role.SYSTEM)
        return taken / max(room, 1)

    def _newest(
        self, spoken: Iterator[Message], room: int, given: tuple[PromptMessage, PromptMessage]
    ) -> tuple[list[Message], bool]:
        """Return the part of `spoken` that fits, oldest first, and whether some did not; counts only if in doubt."""
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
            # With the length, since parts of the text may be deleted between two turns.
            key = message.id, len(message.text)
            if key not in self._counted:
                self._counted[key] = self._count(message.text) + MESSAGE_OVERHEAD_TOKENS
            left -= self._counted[key]
            if left < 0:
                return kept[::-1], True
            kept.append(message)
        return kept[::-1], False


def _most(text: str) -> int:
    """Return an upper bound of the tokens of `text`: a token is at least a byte. Saves counting short conversations."""
    return size(text) + MESSAGE_OVERHEAD_TOKENS
