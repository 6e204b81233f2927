"""The keys of the prompt and the history behind it."""

import sys
from collections.abc import Callable, Iterable

from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from memchat.repl.pastes import Pastes
from memchat.text.attachments import without_attachments

LEAVE_HINT = "Press Ctrl-C again or Ctrl-D to quit."


class PromptHistory(History):
    """What the person said before, newest first, asked for when the prompt is up; the transcript keeps it, no file."""

    def __init__(self, former: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self._former = former

    def load_history_strings(self) -> Iterable[str]:
        return map(without_attachments, self._former())

    def store_string(self, string: str) -> None:
        """Nothing to do: the turn itself is recorded."""


class ExitGuard:
    """Whether one more Ctrl-C leaves: the last key was Ctrl-C, on an empty line."""

    def __init__(self) -> None:
        self.armed = False

    def disarm(self, _: object = None) -> None:
        self.armed = False


def chat_key_bindings(leaving: ExitGuard, pastes: Pastes) -> KeyBindings:
    """Enter sends; Alt-Enter and Ctrl-J break the line; Ctrl-C clears the line and, twice on an empty one, leaves.

    A long paste is one mark, which Tab behind it unfolds and Backspace removes.
    """
    keys = KeyBindings()

    @keys.add("enter", filter=~is_searching)
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j", filter=~is_searching)
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-x", "c-e")
    def _edit(event: KeyPressEvent) -> None:
        # prompt_toolkit's own binding would send the text at once.
        event.current_buffer.open_in_editor()

    @keys.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        event.current_buffer.insert_text(pastes.fold(text))

    def before_cursor() -> str | None:
        return pastes.mark_before(get_app().current_buffer.document.text_before_cursor)

    behind_paste = Condition(lambda: before_cursor() is not None)

    @keys.add("tab", filter=behind_paste)
    def _unfold(event: KeyPressEvent) -> None:
        mark = before_cursor() or ""
        event.current_buffer.delete_before_cursor(len(mark))
        event.current_buffer.insert_text(pastes.unfold(mark))

    @keys.add("tab", filter=~behind_paste)
    def _complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        else:
            buffer.start_completion(insert_common_part=True)

    @keys.add("backspace", filter=behind_paste)
    def _remove_paste(event: KeyPressEvent) -> None:
        event.current_buffer.delete_before_cursor(len(before_cursor() or ""))

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
