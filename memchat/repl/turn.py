"""Run one turn of a conversation and write its reply, for the chat, piped input and `ask`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from memchat.core.protocols import Cut
from memchat.learning.worker import END_WAIT_S
from memchat.signals import Signals

if TYPE_CHECKING:
    from memchat.app import Chat
    from memchat.chat.conversation import Turn
    from memchat.learning.worker import LearningWorker
    from memchat.repl.markdown.renderer import ReplyWriter
    from memchat.repl.reply_screen import Waiting


class TurnWriter(Protocol):
    """Receives the pieces of a turn: `feed` the reply, `think` the model's thinking before it."""

    def feed(self, piece: str) -> None: ...

    def think(self, piece: str) -> None: ...

    def close(self) -> None:
        """Write the rest and end the last line. Also called for a reply that was cut off."""


class AnswerWriter:
    """Writes the reply without the thinking to `reply`, which is closed only if anything was written.

    Without `reply` nothing is written. The spinner `waiting` ends with the first word.
    """

    def __init__(self, reply: "ReplyWriter | None", waiting: "Waiting | None" = None) -> None:
        self._reply = reply
        self._waiting = waiting
        self._begun = False

    def feed(self, piece: str) -> None:
        if self._reply is None:
            return
        if self._waiting is not None:
            self._waiting.end()
        self._begun = True
        self._reply.feed(piece)

    def think(self, piece: str) -> None:
        pass

    def close(self) -> None:
        if self._reply is not None and self._begun:
            self._reply.close()


CUT_NOTICES = {
    Cut.LENGTH: "The reply reached the model's length limit. Ask it to continue, or allow longer replies.",
    Cut.FILTER: "The provider's content filter ended the reply here.",
}


def run_turn(chat: "Chat", begin: "Callable[[], Turn]", writer: TurnWriter, signals: Signals) -> "Turn":
    """Run the turn that `begin` prepares, write it to `writer` and record it. Raises MemchatError, KeyboardInterrupt.

    Ctrl-C can interrupt the waiting and the reply, but not the recording.
    """
    chat.learning_worker.hold()
    try:
        with signals.interruptible():
            turn = begin()
        with turn, signals.interruptible():
            try:
                for part in turn.parts():
                    (writer.think if part.thinking else writer.feed)(part.text)
            finally:
                writer.close()
    finally:
        chat.learning_worker.notify()
    return turn


SAVING = "Saving what I learned… (Ctrl-C to quit now and finish next time)"


def wait_for_learning(worker: "LearningWorker", say: Callable[[str], None], quiet_s: float) -> None:
    """Wait until every exchange has been learned from; a wait of more than `quiet_s` seconds is announced."""
    if worker.wait_until_idle(quiet_s):
        return
    say(SAVING)
    if not worker.wait_until_idle(END_WAIT_S):
        say("Learning is not finished. It will continue the next time you start memchat.")


def notices(turn: "Turn") -> list[str]:
    """Return the notices that a finished turn has for the user."""
    return [notice for notice in (turn.notice, CUT_NOTICES.get(turn.cut) if turn.cut else None) if notice]
