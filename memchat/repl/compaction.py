"""Summarise a long conversation: on request, or in the background when the context window fills up."""

import threading

from memchat.chat.compaction import FULL, Summary, older_messages, summarise
from memchat.chat.conversation import Turn
from memchat.core.types import Message
from memchat.errors import MemchatError
from memchat.repl.commands.registry import CommandContext


class Compaction:
    """Summarises the conversation that `context` currently holds."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._thread: threading.Thread | None = None
        self._failed_at = 0

    def sum_up(self) -> Summary | None:
        """Replace the older messages by a summary, or return None if there are none. Raises ModelError."""
        conversation = self._context.chat.conversation
        older = older_messages(self._messages(), conversation.summary)
        if not older:
            return None
        conversation.summary = summarise(conversation.model, older, conversation.summary)
        return conversation.summary

    def after(self, turn: Turn) -> str | None:
        """After a turn, start a summary in the background if the conversation has grown long; returns a notice."""
        if turn.fullness < FULL or (self._thread is not None and self._thread.is_alive()):
            return None
        messages, former = self._messages(), self._context.chat.conversation.summary
        older = older_messages(messages, former)
        # After a failure the model is asked again some messages later.
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
            # Text that was deleted or undone meanwhile must not come back within the summary.
            if epoch == conversation.forgotten and summary.text:
                conversation.summary = summary
                notes.add(f"From now on {summary.messages} older messages are sent as a summary.")

        self._thread = threading.Thread(target=work, name="compaction", daemon=True)
        self._thread.start()
        share = min(turn.fullness, 1.0)
        return f"This conversation fills {share:.0%} of the context window. Summarising its older messages…"

    def _messages(self) -> list[Message]:
        return self._context.app.store.conversations.messages(self._context.chat.conversation.session.id)
