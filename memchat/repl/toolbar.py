"""The line below the prompt: who, which model, whether it learns, how full the window is, what it cost so far."""

import shutil
import time

from memchat.repl.commands.registry import CommandContext
from memchat.repl.layout import cells, one_line

REFRESH_S = 1.0
"""How old the count of what waits to be learned may be: it is asked for with every key."""


class Toolbar:
    """Called by the prompt whenever it is drawn."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._waiting = 0
        self._counted_at = -REFRESH_S

    def __call__(self) -> str:
        """As many of the parts as the screen has room for, the more important first."""
        width = shutil.get_terminal_size().columns - 1
        line = ""
        for part in self._parts():
            longer = f"{line} · {part}" if line else part
            if cells(longer) > width:
                break
            line = longer
        return line

    def _parts(self) -> list[str]:
        context, spent = self._context, self._context.spent
        tokens = spent.prompt_tokens + spent.completion_tokens
        parts = [
            one_line(context.user),
            one_line(context.chat.conversation.model.name),
            f"memory {context.memory_state}",
            f"learning {self._to_learn()}" if self._to_learn() else "",
            f"{context.window_use()} of the window" if context.window_use() else "",
            f"{tokens:,} tokens" if tokens else "",
            spent.cost if spent.cost_usd else "",
        ]
        return [part for part in parts if part]

    def recount(self) -> None:
        """Count what waits to be learned again the next time the line is drawn."""
        self._counted_at = -REFRESH_S

    def _to_learn(self) -> int:
        now = time.monotonic()
        if now - self._counted_at >= REFRESH_S:
            self._waiting, self._counted_at = self._context.waiting(), now
        return self._waiting
