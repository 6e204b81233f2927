"""A chat without a terminal: one turn for each line of input, raw replies out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from memchat.errors import MemchatError
from memchat.memory.safety import visible
from memchat.terminal.blocks import RawReply
from memchat.terminal.notes import Notes, error_lines
from memchat.terminal.signals import Signals

if TYPE_CHECKING:
    from memchat.app import Chat

_INTERRUPTED = 130


def run_piped(chat: "Chat", lines: Iterable[bytes], out: TextIO, err: TextIO, notes: Notes | None = None) -> int:
    """Answer each of `lines` that is not blank, then wait for what they taught. Returns the exit code.

    Bytes that are not UTF-8 are replaced. A turn that fails is named on `err`, the next line is answered all the same,
    and the exit code is that of the first failure. Each reply ends with a newline, also one that was cut off.
    """
    notes = notes or Notes()
    notes.at_once = lambda line: print(line, file=err, flush=True)
    failed = 0
    with Signals().handled() as signals:
        try:
            with signals.interruptible():
                for line in lines:
                    text = line.decode("utf-8", errors="replace").strip()
                    if text:
                        code = _turn(chat, text, out, err)
                        failed = failed or code
                        _say(notes, err)
                _settle(chat, notes, err)
        except KeyboardInterrupt:
            return _INTERRUPTED
    return failed


def _turn(chat: "Chat", text: str, out: TextIO, err: TextIO) -> int:
    """One turn; its exit code."""
    reply = RawReply(out)
    try:
        with chat.conversation.turn(text) as turn:
            try:
                for piece in turn:
                    reply.feed(piece)
            finally:
                reply.close()
    except MemchatError as error:
        print(error_lines(error), file=err, flush=True)
        return error.exit_code
    finally:
        chat.learner.wake()
    return 0


def _settle(chat: "Chat", notes: Notes, err: TextIO) -> None:
    chat.learner.settle()
    _say(notes, err)


def _say(notes: Notes, err: TextIO) -> None:
    for line in notes.take():
        print(visible(line), file=err, flush=True)
