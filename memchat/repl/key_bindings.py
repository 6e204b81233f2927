"""The keys of the prompt and its history."""

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
    """The user's earlier messages, newest first, read from the database when the prompt is shown."""

    def __init__(self, former: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self._former = former

    def load_history_strings(self) -> Iterable[str]:
        return map(without_attachments, self._former())

    def store_string(self, string: str) -> None:
        """Do nothing, since the turn itself is recorded."""


class ExitGuard:
    """Armed if the next Ctrl-C quits: the last key was Ctrl-C on an empty line."""

    def __init__(self) -> None:
        self.armed = False

    def disarm(self, _: object = None) -> None:
        self.armed = False


def chat_key_bindings(guard: ExitGuard, pastes: Pastes) -> KeyBindings:
    """Bind the keys of the prompt.

    Enter sends. Alt-Enter and Ctrl-J insert a line break. Ctrl-C clears the line; twice on an empty line, it quits. A
    long paste is shown as one mark: Tab after it shows the text, Backspace deletes it.
    """
    keys = KeyBindings()
    _bind_editing(keys, pastes)
    _bind_paste_marks(keys, pastes)

    @keys.add("c-c", filter=~is_searching)
    @keys.add(Keys.SIGINT)
    def _clear_or_quit(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        elif guard.armed:
            event.app.exit(exception=EOFError())
        else:
            guard.armed = True
            run_in_terminal(lambda: sys.stdout.write(f"{LEAVE_HINT}\n"))

    return keys


def _bind_editing(keys: KeyBindings, pastes: Pastes) -> None:
    """Bind sending, line breaks, the editor and pasting."""

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


def _bind_paste_marks(keys: KeyBindings, pastes: Pastes) -> None:
    """Bind Tab and Backspace, which act on the mark of a paste before the cursor, if there is one."""

    def mark_before_cursor() -> str | None:
        return pastes.mark_before(get_app().current_buffer.document.text_before_cursor)

    after_mark = Condition(lambda: mark_before_cursor() is not None)

    @keys.add("tab", filter=after_mark)
    def _unfold(event: KeyPressEvent) -> None:
        mark = mark_before_cursor() or ""
        event.current_buffer.delete_before_cursor(len(mark))
        event.current_buffer.insert_text(pastes.unfold(mark))

    @keys.add("backspace", filter=after_mark)
    def _delete_mark(event: KeyPressEvent) -> None:
        event.current_buffer.delete_before_cursor(len(mark_before_cursor() or ""))

    @keys.add("tab", filter=~after_mark)
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
