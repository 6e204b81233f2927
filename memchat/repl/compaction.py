"""Summing up a long conversation from within a chat: when it is asked for, or behind the prompt when it is time."""

import threading

from memchat.chat.compaction import FULL, Summary, older_messages, summarise
from memchat.chat.conversation import Turn
from memchat.core.types import Message
from memchat.errors import MemchatError
from memchat.repl.commands.registry import CommandContext


class Compaction:
    """Works on the chat that `context` holds at the time."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._thread: threading.Thread | None = None
        self._failed_at = 0

    def sum_up(self) -> Summary | None:
        """Put a summary in the place of the older messages; None where there are none. Raises ModelError."""
        conversation = self._context.chat.conversation
        older = older_messages(self._messages(), conversation.summary)
        if not older:
            return None
        conversation.summary = summarise(conversation.model, older, conversation.summary)
        return conversation.summary

    def after(self, turn: Turn) -> str | None:
        """Begin to sum up behind the prompt where the conversation has grown long; a word about it."""
        if turn.fullness < FULL or (self._thread is not None and self._thread.is_alive()):
            return None
        messages, former = self._messages(), self._context.chat.conversation.summary
        older = older_messages(messages, former)
        # A model that could not do it is asked again some messages later.
        if not older or len(messages) < self._failed_at:
            return None

        conversation, notes = self._context.chat.conversation, self._context.notes
        epoch = conversation.forgotten

        def work() -> None:
            try:
                summary = summarise(conversation.model, older, former)
            except MemchatError:
                self._failed_at = len(messages) + 10
                return
            # What was forgotten or taken back meanwhile must not come back in other words.
            if epoch == conversation.forgotten and summary.text:
                conversation.summary = summary
                notes.add(f"{summary.messages} older messages are sent as a summary from now on.")

        self._thread = threading.Thread(target=work, name="compaction", daemon=True)
        self._thread.start()
        share = min(turn.fullness, 1.0)
        return f"This conversation fills {share:.0%} of the room for it; its older messages are being summed up."

    def _messages(self) -> list[Message]:
        return self._context.app.store.conversations.messages(self._context.chat.conversation.session.id)
