"""The chat without a terminal: each line of input is one message or command, and replies are printed raw."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from memchat.errors import MemchatError, UsageError
from memchat.repl.commands.dispatch import dispatch, literal, parse
from memchat.repl.commands.files import composed
from memchat.repl.commands.registry import CommandContext
from memchat.repl.notifications import NotificationQueue, error_lines
from memchat.repl.plain_writer import PlainWriter
from memchat.repl.turn import AnswerWriter, notices, run_turn, wait_for_learning
from memchat.signals import INTERRUPTED, Signals
from memchat.text.decoding import decode_text, whole_lines
from memchat.text.sanitize import strip_control_chars

if TYPE_CHECKING:
    from memchat.app import App, Chat
    from memchat.chat.conversation import Turn

_QUIET_WAIT_S = 5.0
"""Time to wait for learning before a note says so, in seconds."""


def run_piped(
    chat: "Chat",
    app: "App",
    lines: Iterable[bytes],
    out: TextIO,
    err: TextIO,
    notes: NotificationQueue | None = None,
) -> int:
    """Answer each of `lines` that is not blank, then wait for learning. Returns the exit code.

    Bytes that are not UTF-8 are replaced. Failures are printed to `err`, the next line is still answered, and the exit
    code is that of the first failure. Each reply ends with a newline, even if it was cut off. The result of a slash
    command goes to `out` like a reply; a command that would ask for confirmation does nothing.
    """
    return _PipedChat(CommandContext(chat, app, notes), out, err).run(lines)


class _PipedChat:
    def __init__(self, context: CommandContext, out: TextIO, err: TextIO) -> None:
        self._context = context
        self._out = out
        self._err = err
        self._notes = context.notes
        self._notes.at_once = self._say
        self._failed = 0

    def run(self, lines: Iterable[bytes]) -> int:
        self._context.chat.learning_worker.notify()
        with Signals().handled() as signals:
            try:
                complete = whole_lines(lines)
                while True:
                    with signals.interruptible():
                        line = next(complete, None)
                    if line is None or not self._handle(line, signals):
                        break
                with signals.interruptible():
                    wait_for_learning(self._context.chat.learning_worker, self._say, _QUIET_WAIT_S)
                    self._show_notes()
            except KeyboardInterrupt:
                return INTERRUPTED
        return self._failed

    def _handle(self, line: bytes, signals: Signals) -> bool:
        """Answer one line; returns False to quit. Failures are printed."""
        goes_on = True
        try:
            text = decode_text(line, "This line").strip()
            goes_on = not text or self._answer(text, signals)
        except MemchatError as error:
            self._say(error_lines(error))
            self._failed = self._failed or error.exit_code
        self._show_notes()
        return goes_on

    def _answer(self, text: str, signals: Signals) -> bool:
        # "# text" is not a command here: files that are piped in have lines that begin so.
        call = None if text.startswith("#") else parse(text)
        if call is None:
            # Piped text must not attach the user's files.
            message, _ = composed(self._context, literal(text), names_files=False)
            self._turn(lambda: self._context.chat.conversation.turn(message), signals)
            return True
        with signals.interruptible():
            answer = dispatch(self._context, call)
            if answer.draft or answer.edit:
                raise UsageError(f"/{call.name} needs a terminal, or the new text after it.")
            if answer.text:
                print(strip_control_chars(answer.text), file=self._out, flush=True)
            if answer.question:
                raise UsageError(
                    f"/{call.name} asks for confirmation, and there is no terminal to ask on.",
                    hint="Give an id instead, or see memchat forget --help.",
                )
        if answer.turn is not None:
            self._turn(answer.turn, signals)
        return not answer.leave

    def _turn(self, begin: "Callable[[], Turn]", signals: Signals) -> None:
        turn = run_turn(self._context.chat, begin, AnswerWriter(PlainWriter(self._out)), signals)
        for notice in notices(turn):
            self._say(notice)

    def _say(self, line: str) -> None:
        print(strip_control_chars(line), file=self._err, flush=True)

    def _show_notes(self) -> None:
        for line in self._notes.take():
            self._say(line)
