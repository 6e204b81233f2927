"""A chat without a terminal: one turn, or one command, for each line of input, raw replies out."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from memchat.errors import MemchatError, UsageError
from memchat.repl.commands.dispatch import dispatch, literal, parse
from memchat.repl.commands.registry import CommandContext, Invocation
from memchat.repl.markdown.renderer import PlainWriter
from memchat.repl.notifications import NotificationQueue, error_lines
from memchat.signals import Signals
from memchat.text.sanitize import strip_control_chars

if TYPE_CHECKING:
    from memchat.app import App, Chat

_INTERRUPTED = 130


def run_piped(
    chat: "Chat", app: "App", lines: Iterable[bytes], out: TextIO, err: TextIO, notes: NotificationQueue | None = None
) -> int:
    """Answer each of `lines` that is not blank, then wait for what they taught. Returns the exit code.

    Bytes that are not UTF-8 are replaced. A line that fails is named on `err`, the next one is answered all the same,
    and the exit code is that of the first failure. Each reply ends with a newline, also one that was cut off. A slash
    command is answered on `out` like a message; what it would ask about first, it does not do.
    """
    notes = notes or NotificationQueue()
    notes.at_once = lambda line: print(line, file=err, flush=True)
    failed = 0
    context = CommandContext(chat, app)
    chat.learning_worker.notify()
    with Signals().handled() as signals:
        try:
            waiting = iter(lines)
            while (line := _next(waiting, signals)) is not None:
                text = line.decode("utf-8", errors="replace").strip()
                try:
                    if text and not _answer(context, text, out, signals, notes):
                        break
                except MemchatError as error:
                    print(error_lines(error), file=err, flush=True)
                    failed = failed or error.exit_code
                _say(notes, err)
            with signals.interruptible():
                _settle(chat, notes, err)
        except KeyboardInterrupt:
            return _INTERRUPTED
    return failed


def _next(lines: Iterator[bytes], signals: Signals) -> bytes | None:
    with signals.interruptible():
        return next(lines, None)


def _answer(context: CommandContext, text: str, out: TextIO, signals: Signals, notes: NotificationQueue) -> bool:
    """Do what `text` says; False to leave."""
    # Only what begins with a slash: files that are piped in have lines that begin with "# ".
    call = None if text.startswith("#") else parse(text)
    if call is not None:
        with signals.interruptible():
            return _command(context, call, out)
    _turn(context.chat, literal(text), out, signals, notes)
    return True


def _command(context: CommandContext, call: Invocation, out: TextIO) -> bool:
    answer = dispatch(context, call)
    if answer.draft:
        raise UsageError(f"/{call.name} wants the new text behind it here.", hint="/edit ID TEXT")
    if answer.text:
        print(strip_control_chars(answer.text), file=out, flush=True)
    if answer.question:
        raise UsageError(
            f"/{call.name} asks first, and there is no terminal to ask in.",
            hint="Give an id; or see memchat forget --help.",
        )
    return not answer.leave


def _turn(chat: "Chat", text: str, out: TextIO, signals: Signals, notes: NotificationQueue) -> None:
    """One turn. Ctrl-C may cut short the reply, but not the recording of it."""
    reply = PlainWriter(out)
    try:
        with signals.interruptible():
            turn = chat.conversation.turn(text)
        if turn.notice:
            notes.add(turn.notice)
        with turn as pieces, signals.interruptible():
            try:
                for piece in pieces:
                    reply.feed(piece)
            finally:
                reply.close()
    finally:
        chat.learning_worker.notify()


def _settle(chat: "Chat", notes: NotificationQueue, err: TextIO) -> None:
    chat.learning_worker.wait_until_idle()
    _say(notes, err)


def _say(notes: NotificationQueue, err: TextIO) -> None:
    for line in notes.take():
        print(strip_control_chars(line), file=err, flush=True)
