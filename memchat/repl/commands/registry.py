"""What a slash command is, what it works on, and the table of all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Memory, Owner, Session

if TYPE_CHECKING:
    from memchat.app import App, Chat
    from memchat.chat.conversation import Turn


class CommandContext:
    """What commands work on: the chat, which commands may exchange for another, and the lists shown last.

    `memory_rows` and `session_rows` hold the ids of the rows that were numbered last; a row keeps its number after what
    it stood for is gone.
    """

    def __init__(self, chat: "Chat", app: "App") -> None:
        self.chat = chat
        self.app = app
        self.memory_rows: tuple[str, ...] = ()
        self.session_rows: tuple[str, ...] = ()
        self.thinking = app.settings.thinking

    @property
    def user(self) -> str:
        return self.chat.conversation.session.user

    @property
    def session(self) -> Session:
        """The conversation as it is stored now, its title included."""
        known = self.chat.conversation.session
        return self.app.store.transcripts.session(known.id) or known

    def memories(self) -> list[Memory]:
        """The user's current memories, newest first."""
        return self.app.store.memories.memories(MemoryFilter((Owner.user(self.user),), all_sessions=True))

    def count(self) -> int:
        """How many current memories the user has."""
        return self.app.store.memories.count(MemoryFilter((Owner.user(self.user),), all_sessions=True))

    def last_used(self) -> list[tuple[Memory, float | None]]:
        """The memories that were in the last prompt and still exist, each with its score.

        Standing ones have no score, nor has what an answer used before this chat was open_app.
        """
        turn = self.chat.conversation.last_turn
        if turn is not None and turn.reply:
            scores = {used.memory.id: used.score for used in turn.used}
        else:
            reply = self.app.store.transcripts.last_reply(self.chat.conversation.session)
            scores = dict.fromkeys(reply.recalled if reply else ())
        known = self.app.store.memories.by_ids(list(scores))
        return [(known[id_], score) for id_, score in scores.items() if id_ in known]

    def waiting(self) -> int:
        """How many exchanges of the user wait to be learned from, those that failed included."""
        return len(self.app.store.work.pending(self.user))


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command came to. A `question` is asked after the text is shown; yes calls `confirmed` for more text.

    `draft` is put into the next prompt, to be changed and sent. `turn` prepares a turn to be answered now.
    """

    text: str = ""
    question: str | None = None
    confirmed: Callable[[], str] | None = None
    draft: str = ""
    turn: "Callable[[], Turn] | None" = None
    leave: bool = False


class Takes(StrEnum):
    """What the argument of a command is, for Tab."""

    MEMORY = "memory"
    SESSION = "session"
    FILE = "file"
    MODEL = "model"


class Group(StrEnum):
    """The headings of /help, in order."""

    MEMORY = "Memory"
    CONVERSATION = "Conversation"
    CONTROL = "Control"


@dataclass(frozen=True, slots=True)
class Command:
    """`usage` begins with the name; `words` is how many words of argument it takes at most, None for any text.

    Tab suggestions `choices`, or what the argument `takes`.
    """

    name: str
    group: Group
    usage: str
    help: str
    choices: tuple[str, ...]
    takes: Takes | None
    words: int | None
    run: Callable[[CommandContext, str], CommandResult]


COMMANDS: dict[str, Command] = {}
"""Every command by name, in the order of /help within its group."""

Run = Callable[[CommandContext, str], CommandResult]


def command(
    group: Group,
    usage: str,
    help_: str,
    choices: Sequence[str] = (),
    *,
    takes: Takes | None = None,
    words: int | None = None,
) -> Callable[[Run], Run]:
    """Register a command under the first word of `usage`."""

    def register(run: Run) -> Run:
        name = usage.split(maxsplit=1)[0]
        COMMANDS[name] = Command(name, group, f"/{usage}", help_, tuple(choices), takes, words, run)
        return run

    return register


@dataclass(frozen=True, slots=True)
class Invocation:
    """A line that is a command: the name that was typed, and what followed it."""

    name: str
    argument: str
