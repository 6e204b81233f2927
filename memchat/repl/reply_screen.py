"""One turn on a terminal: the spinner, the model's thinking as configured, and the reply."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from memchat.config import Thinking
from memchat.repl.layout import duration
from memchat.repl.spinner import WIPE, Spinner, waiting_label
from memchat.text.sanitize import StreamFilter

if TYPE_CHECKING:
    from memchat.repl.markdown.renderer import ReplyWriter

NOTEWORTHY_S = 1.0
"""Shortest thinking that gets a line, in seconds."""


class ReplyScreen:
    """Implements `TurnWriter`. `write` prints text as it is, `quiet` dims it, `waiting` starts a spinner."""

    def __init__(
        self,
        reply: "ReplyWriter",
        thinking: Thinking,
        write: Callable[[str], None],
        quiet: Callable[[str], str],
        waiting: "Waiting",
    ) -> None:
        self._reply = reply
        self._thinking = thinking
        self._write = write
        self._quiet = quiet
        self._waiting = waiting
        self._filter = StreamFilter()
        self._thought_since: float | None = None
        self._at_line_start = True

    def feed(self, piece: str) -> None:
        self._waiting.end()
        self._end_thinking()
        self._reply.feed(piece)

    def think(self, piece: str) -> None:
        if self._thought_since is None:
            self._thought_since = time.monotonic()
            if self._thinking is Thinking.FOLDED:
                self._waiting.begin(waiting_label("thinking"))
        if self._thinking is Thinking.SHOWN and (text := self._filter.feed(piece)):
            self._waiting.end()
            self._write(self._quiet(text))
            self._at_line_start = text.endswith("\n")

    def close(self) -> None:
        self._waiting.end()
        self._end_thinking()
        self._reply.close()

    def _end_thinking(self) -> None:
        if self._thought_since is None:
            return
        thought_s = time.monotonic() - self._thought_since
        self._thought_since = None
        if self._thinking is Thinking.SHOWN:
            self._write("\n" if self._at_line_start else "\n\n")
        elif self._thinking is Thinking.FOLDED and thought_s >= NOTEWORTHY_S:
            self._write(self._quiet(f"Thought for {duration(thought_s)}. /thinking shows it.") + "\n")


class Waiting:
    """The spinner of a turn; it shows nothing if the terminal cannot clear a line."""

    def __init__(self, write: Callable[[str], None], *, can_wipe: bool) -> None:
        self._write = write
        self.can_wipe = can_wipe
        self._spinner: Spinner | None = None

    def begin(self, label: Callable[[float], str]) -> None:
        """Show `label` in place of the current one."""
        self.end()
        if self.can_wipe:
            self._spinner = Spinner(self._write, label)

    def end(self) -> None:
        if self._spinner is not None:
            self._spinner.end()
            self._spinner = None

    def clear_line(self) -> None:
        """Start a new line for the next message, or clear the line with ^C if the terminal can."""
        self.end()
        self._write(WIPE if self.can_wipe else "\n")
