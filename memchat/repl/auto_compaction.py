"""Decide when a chat summarises its long conversation: on request, or in the background when the window fills up."""

import threading
from collections.abc import Sequence

from memchat.chat.compaction import Summary, older_messages, summarise
from memchat.chat.conversation import Conversation, Turn
from memchat.core.protocols import Purpose
from memchat.core.types import Message
from memchat.errors import MemchatError
from memchat.llm.usage import MeteredModel
from memchat.repl.commands.registry import CommandContext
from memchat.storage.protocols import Storage

COMPACT_FROM = 0.75
"""Share of the context window from which a conversation is summarised in the background."""


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
        conversation.summary = _summarise(conversation, older, conversation.summary, self._context.app.store)
        return conversation.summary

    def after(self, turn: Turn) -> str | None:
        """Start a summary in the background if the turn nearly filled the context window; returns a notice."""
        if turn.fullness < COMPACT_FROM or (self._thread is not None and self._thread.is_alive()):
            return None
        messages, former = self._messages(), self._context.chat.conversation.summary
        older = older_messages(messages, former)
        # After a failure the model is asked again some messages later.
        if not older or len(messages) < self._failed_at:
            return None

        app, conversation, notes = self._context.app, self._context.chat.conversation, self._context.notes
        epoch = conversation.forgotten

        def work() -> None:
            try:
                # A connection of its own, since threads must not share one.
                with app.open_store() as store:
                    summary = _summarise(conversation, older, former, store)
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


def _summarise(conversation: Conversation, older: Sequence[Message], former: Summary | None, store: Storage) -> Summary:
    """Summarise `older` together with `former`, and record the tokens in `store`. Raises ModelError."""
    metered = MeteredModel(conversation.model)
    summary = summarise(metered, older, former)
    if (spent := metered.spent) is not None:
        store.usage.add(conversation.session.id, Purpose.CHAT, metered.name, spent)
    return summary
