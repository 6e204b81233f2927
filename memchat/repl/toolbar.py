"""The toolbar below the prompt: user, model, memory mode, pending learning, context use, tokens and cost."""

import shutil
import time

from memchat.repl.commands.registry import CommandContext
from memchat.terminal import cells
from memchat.text.sanitize import one_line

REFRESH_S = 1.0
"""Age at which the count of pending exchanges is read again, in seconds; the toolbar is drawn with every key."""


class Toolbar:
    """Returns the text of the toolbar whenever the prompt is drawn."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._pending = 0
        self._counted_at = -REFRESH_S

    def __call__(self) -> str:
        """Join as many parts as fit the screen, the most important first."""
        context, spent = self._context, self._context.spent
        now = time.monotonic()
        if now - self._counted_at >= REFRESH_S:
            self._pending, self._counted_at = context.waiting(), now
        tokens = spent.prompt_tokens + spent.completion_tokens
        parts = [
            one_line(context.user),
            one_line(context.chat.conversation.model.name),
            f"memory {context.memory_state}",
            f"learning {self._pending}" if self._pending else "",
            f"{context.window_use()} of the window" if context.window_use() else "",
            f"{tokens:,} tokens" if tokens else "",
            spent.cost if spent.cost_usd else "",
        ]
        width = shutil.get_terminal_size().columns - 1
        line = ""
        for part in filter(None, parts):
            longer = f"{line} · {part}" if line else part
            if cells(longer) > width:
                break
            line = longer
        return line

    def recount(self) -> None:
        """Count the pending exchanges again the next time the toolbar is drawn."""
        self._counted_at = -REFRESH_S
