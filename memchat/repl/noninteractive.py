"""A chat without a terminal: one turn, or one command, for each line of input, raw replies out."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from memchat.errors import MemchatError, UsageError
from memchat.learning.worker import END_WAIT_S
from memchat.repl.commands.dispatch import dispatch, literal, parse
from memchat.repl.commands.files import composed
from memchat.repl.commands.registry import CommandContext, Invocation
from memchat.repl.markdown.renderer import PlainWriter
from memchat.repl.notifications import NotificationQueue, error_lines
from memchat.repl.turn import AnswerWriter, notices, run_turn
from memchat.signals import INTERRUPTED, Signals
from memchat.text.decoding import decode_text, whole_lines
from memchat.text.sanitize import strip_control_chars

if TYPE_CHECKING:
    from memchat.app import App, Chat
    from memchat.chat.conversation import Turn

_LONG_S = 5.0
"""After so many seconds a person is told what is waited for."""


def run_piped(
    chat: "Chat",
    app: "App",
    lines: Iterable[bytes],
    out: TextIO,
    err: TextIO,
    notes: NotificationQueue | None = None,
) -> int:
    """Answer each of `lines` that is not blank, then wait for what they taught. Returns the exit code.

    Bytes that are not UTF-8 are replaced. A line that fails is named on `err`, the next one is answered all the same,
    and the exit code is that of the first failure. Each reply ends with a newline, also one that was cut off. A slash
    command is answered on `out` like a message; what it would ask about first, it does not do.
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
                waiting = whole_lines(lines)
                while (line := _next(waiting, signals)) is not None:
                    if not self._handle(line, signals):
                        break
                with signals.interruptible():
                    self._wait_for_learning()
                    self._show_notes()
            except KeyboardInterrupt:
                return INTERRUPTED
        return self._failed

    def _wait_for_learning(self) -> None:
        worker = self._context.chat.learning_worker
        if worker.wait_until_idle(_LONG_S):
            return
        self._say("Learning from what was said… (Ctrl-C to quit now; it is taken up the next time)")
        if not worker.wait_until_idle(END_WAIT_S):
            self._say("Not everything is learned yet. It is kept, and taken up the next time.")

    def _handle(self, line: bytes, signals: Signals) -> bool:
        """Do what `line` says; False to leave."""
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
        # Only what begins with a slash: files that are piped in have lines that begin with "# ".
        call = None if text.startswith("#") else parse(text)
        if call is None:
            # Lines from elsewhere must not send the person's files.
            message, _ = composed(self._context, literal(text), names_files=False)
            self._turn(lambda: self._context.chat.conversation.turn(message), signals)
            return True
        with signals.interruptible():
            answer = dispatch(self._context, call)
            if answer.draft or answer.edit:
                raise UsageError(f"/{call.name} needs a terminal here, or the new text behind it.")
            self._print(answer.text)
            _refuse_question(call, answer.question)
        if answer.turn is not None:
            self._turn(answer.turn, signals)
        return not answer.leave

    def _turn(self, begin: "Callable[[], Turn]", signals: Signals) -> None:
        turn = run_turn(self._context.chat, begin, AnswerWriter(PlainWriter(self._out)), signals)
        for notice in notices(turn):
            self._say(notice)

    def _print(self, text: str) -> None:
        if text:
            print(strip_control_chars(text), file=self._out, flush=True)

    def _say(self, line: str) -> None:
        print(strip_control_chars(line), file=self._err, flush=True)

    def _show_notes(self) -> None:
        for line in self._notes.take():
            self._say(line)


def _next(lines: Iterator[bytes], signals: Signals) -> bytes | None:
    with signals.interruptible():
        return next(lines, None)


def _refuse_question(call: Invocation, question: str | None) -> None:
    if question:
        raise UsageError(
            f"/{call.name} asks first, and there is no terminal to ask in.",
            hint="Give an id; or see memchat forget --help.",
        )
