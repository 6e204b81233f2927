"""What a chat writes to its terminal besides replies: text, quiet lines, notices, errors, the sign of life."""

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from memchat.errors import MemchatError
from memchat.repl.layout import folded, one_line, quiet, styled
from memchat.repl.reply_screen import Waiting
from memchat.text.sanitize import strip_control_chars

if TYPE_CHECKING:
    from rich.console import Console


def is_dumb() -> bool:
    """Whether the terminal takes no escape sequences."""
    return os.environ.get("TERM", "dumb").lower() in {"dumb", "unknown"}


ROOM_BELOW = 4
"""Lines left free by a page: the one below it, the prompt, the line below that."""
_ELSEWHERE = {
    r" with --model; `?memchat models`? lists them": " with /model (Tab lists them)",
    r" with --model\b|\(/model in a chat, else --model\)": " with /model",
    r"\(--model\)": "(/model)",
    r"Start a new session": "/new starts a new conversation",
    r"^Ask again\.": "/retry asks again.",
    r"`?memchat memories list`?": "/memories",
    r"`?memchat sessions list`?": "/sessions",
    r"`?memchat status`?": "/status",
    r"`?memchat models`?": "/model",
}
"""What hints name outside of a chat, and what does the same inside."""


def in_chat(hint: str) -> str:
    """A hint whose commands are those of the chat."""
    for outside, inside in _ELSEWHERE.items():
        hint = re.sub(outside, inside, hint)
    return hint


class Screen:
    """Standard output as the screen of one chat. `console`, made when first needed, renders replies."""

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
        """What was asked for: a command's answer."""
        if text:
            self.waiting.end()
            self.write(f"{folded(strip_control_chars(text))}\n")

    def say_paged(self, text: str) -> bool:
        """The first screenful of `text`, its last line below it; False once nothing of it is left for `say_more`."""
        *self._rest, self._footer = folded(strip_control_chars(text)).split("\n")
        return self.say_more()

    def say_more(self) -> bool:
        """The next screenful of what was last said in pages. False where nothing is left after it."""
        if not self._rest:
            return False
        self.waiting.end()
        context = max(shutil.get_terminal_size().lines - ROOM_BELOW, 1)
        page, self._rest = self._rest[:context], self._rest[context:]
        more = f" Enter shows {len(self._rest)} more lines." if self._rest else ""
        self.write("\n".join([*page, f"{self._footer}{self.dim(more)}"]) + "\n")
        return bool(self._rest)

    def say_quietly(self, text: str) -> None:
        """What is good to know."""
        self.waiting.end()
        self.write(f"{self.dim(folded(one_line(text)))}\n")

    def warn(self, text: str) -> None:
        """What the person should notice."""
        self.waiting.end()
        self.write(f"{styled(folded(one_line(text)), 'yellow', sys.stdout)}\n")

    def complain(self, error: MemchatError) -> None:
        """An expected failure: what happened, and below it what to do."""
        self.waiting.end()
        message = folded(strip_control_chars(error.message))
        self.write(f"{styled(message, 'red', sys.stdout)}\n")
        if error.hint:
            self.write(f"{folded(strip_control_chars(in_chat(error.hint)))}\n")

    def dim(self, text: str) -> str:
        return quiet(text, sys.stdout)
