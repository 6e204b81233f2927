"""A chat without a terminal: one turn, or one command, for each line of input, raw replies out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from memchat.errors import MemchatError, UsageError
from memchat.memory.safety import visible
from memchat.terminal.blocks import RawReply
from memchat.terminal.notes import Notes, error_lines
from memchat.terminal.signals import Signals

if TYPE_CHECKING:
    from memchat.app import App, Chat
    from memchat.terminal.slash import Call, Room

_INTERRUPTED = 130


def run_piped(
    chat: "Chat", app: "App", lines: Iterable[bytes], out: TextIO, err: TextIO, notes: Notes | None = None
) -> int:
    """Answer each of `lines` that is not blank, then wait for what they taught. Returns the exit code.

    Bytes that are not UTF-8 are replaced. A line that fails is named on `err`, the next one is answered all the same,
    and the exit code is that of the first failure. Each reply ends with a newline, also one that was cut off. A slash
    command is answered on `out` like a message; what it would ask about first, it does not do.
    """
    notes = notes or Notes()
    notes.at_once = lambda line: print(line, file=err, flush=True)
    failed = 0
    with Signals().handled() as signals:
        try:
            with signals.interruptible():
                for line in lines:
                    text = line.decode("utf-8", errors="replace").strip()
                    try:
                        if text and not _answer(chat, app, text, out):
                            break
                    except MemchatError as error:
                        print(error_lines(error), file=err, flush=True)
                        failed = failed or error.exit_code
                    _say(notes, err)
                _settle(chat, notes, err)
        except KeyboardInterrupt:
            return _INTERRUPTED
    return failed


def _answer(chat: "Chat", app: "App", text: str, out: TextIO) -> bool:
    """Do what `text` says; False to leave."""
    # Only what begins with a slash: files that are piped in have lines that begin with "# ".
    if text.startswith("/"):
        from memchat.terminal.slash import Room, parse

        call = parse(text)
        if call is not None:
            return _command(Room(chat, app), call, out)
    _turn(chat, text, out)
    return True


def _command(room: "Room", call: "Call", out: TextIO) -> bool:
    from memchat.terminal.slash import perform

    answer = perform(room, call)
    if answer.text:
        print(visible(answer.text), file=out, flush=True)
    if answer.question:
        raise UsageError(
            f"/{call.name} asks first, and there is no terminal to ask in.",
            hint="Give an id; or see memchat forget --help.",
        )
    return not answer.leave


def _turn(chat: "Chat", text: str, out: TextIO) -> None:
    reply = RawReply(out)
    try:
        with chat.conversation.turn(text) as turn:
            try:
                for piece in turn:
                    reply.feed(piece)
            finally:
                reply.close()
    finally:
        chat.learner.wake()


def _settle(chat: "Chat", notes: Notes, err: TextIO) -> None:
    chat.learner.settle()
    _say(notes, err)


def _say(notes: Notes, err: TextIO) -> None:
    for line in notes.take():
        print(visible(line), file=err, flush=True)
