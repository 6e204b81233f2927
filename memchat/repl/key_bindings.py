"""The keys of the prompt and the history behind it."""

import sys
from collections.abc import Callable, Iterable

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.filters import is_searching
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

LEAVE_HINT = "Press Ctrl-C again or Ctrl-D to quit."


class PromptHistory(History):
    """What the person said before, newest first, asked for when the prompt is up; the transcript keeps it, no file."""

    def __init__(self, former: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self._former = former

    def load_history_strings(self) -> Iterable[str]:
        return self._former()

    def store_string(self, string: str) -> None:
        """Nothing to do: the turn itself is recorded."""


class ExitGuard:
    """Whether one more Ctrl-C leaves: the last key was Ctrl-C, on an empty line."""

    def __init__(self) -> None:
        self.armed = False

    def disarm(self, _: object = None) -> None:
        self.armed = False


def chat_key_bindings(leaving: ExitGuard) -> KeyBindings:
    """Enter sends; Alt-Enter and Ctrl-J break the line; Ctrl-C clears the line and, twice on an empty one, leaves."""
    keys = KeyBindings()

    @keys.add("enter", filter=~is_searching)
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j", filter=~is_searching)
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c", filter=~is_searching)
    @keys.add(Keys.SIGINT)
    def _clear_or_leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        elif leaving.armed:
            event.app.exit(exception=EOFError())
        else:
            leaving.armed = True
            run_in_terminal(_say_how_to_leave)

    return keys


def _say_how_to_leave() -> None:
    sys.stdout.write(f"{LEAVE_HINT}\n")
    sys.stdout.flush()
