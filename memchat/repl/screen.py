"""Terminal output of a chat besides replies: results, dim lines, warnings, errors, the spinner."""

import re
import shutil
import sys
from typing import TYPE_CHECKING

from memchat.errors import MemchatError
from memchat.repl.layout import quiet, wrap_lines
from memchat.repl.reply_screen import Waiting
from memchat.terminal import is_dumb, styled
from memchat.text.sanitize import one_line, strip_control_chars

if TYPE_CHECKING:
    from rich.console import Console


ROOM_BELOW = 4
"""Lines that a page leaves free: its footer, the prompt, and the line below the prompt."""
_CHAT_HINTS = {
    r" with --model; `?memchat models`? lists them": " with /model (Tab lists them)",
    r" with --model\b|\(/model in a chat, else --model\)": " with /model",
    r"\(--model\)": "(/model)",
    r"Start a new conversation": "/new starts one",
    r"^Ask again\.": "/retry asks again.",
    r"`?memchat memories list`?": "/memories",
    r"`?memchat sessions list`?": "/sessions",
    r"`?memchat status`?": "/status",
    r"`?memchat models`?": "/model",
}
"""Patterns for commands and options in hints, and the slash command that does the same in a chat."""


def in_chat(hint: str) -> str:
    """Rewrite a hint to name slash commands instead of commands and options."""
    for pattern, replacement in _CHAT_HINTS.items():
        hint = re.sub(pattern, replacement, hint)
    return hint


class Screen:
    """The screen of one chat, on stdout. `console` renders replies and is created when first needed."""

    def __init__(self, console: "Console | None" = None) -> None:
        self._console = console
        self._rest: list[str] = []
        self._footer = ""
        self.waiting = Waiting(self.write, can_wipe=sys.stdout.isatty() and not is_dumb())

    @property
    def console(self) -> "Console":
        if self._console is None:
            from rich.console import Console

            self._console = Console(highlight=False)
        return self._console

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Print the result of a command."""
        if text:
            self.waiting.end()
            self.write(f"{wrap_lines(strip_control_chars(text))}\n")

    def say_paged(self, text: str) -> bool:
        """Print the first screenful of `text`, with its last line as footer; returns whether more is left."""
        *self._rest, self._footer = wrap_lines(strip_control_chars(text)).split("\n")
        return self.say_more()

    def say_more(self) -> bool:
        """Print the next screenful of the last paged text; returns whether more is left."""
        if not self._rest:
            return False
        self.waiting.end()
        height = max(shutil.get_terminal_size().lines - ROOM_BELOW, 1)
        page, self._rest = self._rest[:height], self._rest[height:]
        more = f" Enter shows {len(self._rest)} more lines." if self._rest else ""
        self.write("\n".join([*page, f"{self._footer}{self.dim(more)}"]) + "\n")
        return bool(self._rest)

    def say_quietly(self, text: str) -> None:
        """Print a dim line."""
        self.waiting.end()
        self.write(f"{self.dim(wrap_lines(one_line(text)))}\n")

    def warn(self, text: str) -> None:
        """Print a warning in yellow."""
        self.waiting.end()
        self.write(f"{styled(wrap_lines(one_line(text)), 'yellow', sys.stdout)}\n")

    def complain(self, error: MemchatError) -> None:
        """Print an expected failure in red and, below it, its hint."""
        self.waiting.end()
        message = wrap_lines(strip_control_chars(error.message))
        self.write(f"{styled(message, 'red', sys.stdout)}\n")
        if error.hint:
            self.write(f"{wrap_lines(strip_control_chars(in_chat(error.hint)))}\n")

    def dim(self, text: str) -> str:
        return quiet(text, sys.stdout)
