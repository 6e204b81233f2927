"""Slash commands: their registry, the context they work on, and their results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from memchat.core.protocols import MemoryFilter, Usage
from memchat.core.types import Memory, Owner, Session
from memchat.repl.notifications import NotificationQueue
from memchat.text.attachments import Attachment

if TYPE_CHECKING:
    from memchat.app import App, Chat
    from memchat.chat.conversation import LeftOut, Turn
    from memchat.chat.sessions import ChatOptions
    from memchat.recall.excerpts import Excerpt


class CommandContext:
    """The state that commands work on: the chat, which commands may replace, and the lists shown last.

    `memory_rows` and `session_rows` contain the ids of the numbered rows shown last. A row keeps its number even if its
    memory or conversation is deleted.
    """

    def __init__(self, chat: "Chat", app: "App", notes: NotificationQueue | None = None) -> None:
        self.chat = chat
        self.app = app
        self.notes = notes or NotificationQueue()
        self.attachments: list[Attachment] = []
        self.spent = Spent()
        self.memory_rows: tuple[str, ...] = ()
        self.session_rows: tuple[str, ...] = ()
        self.thinking = app.settings.thinking

    def reopen(self, options: "ChatOptions") -> None:
        """Switch to another conversation, or to other options for this one. Private mode stays on."""
        former = self.chat
        self.chat = self.app.reopen(former, options, self.notes)
        if former.conversation.private and not self.chat.conversation.private:
            self.chat.conversation.set_private(True)
        if self.chat.conversation.session.id == former.conversation.session.id:
            self.chat.conversation.last_turn = former.conversation.last_turn
            self.chat.conversation.summary = former.conversation.summary
            self.chat.conversation.private = former.conversation.private
        else:
            self.spent = Spent()
        self.chat.learning_worker.notify()

    @property
    def user(self) -> str:
        return self.chat.conversation.session.user

    @property
    def session(self) -> Session:
        """The conversation as stored now, with its current title."""
        known = self.chat.conversation.session
        return self.app.store.conversations.session(known.id) or known

    @property
    def lacks_model(self) -> bool:
        """Return whether the offline model is in use only because no other was found."""
        return self.app.choice(self.chat.options.model, self.chat.conversation.agent).lacks_model

    @property
    def memory_state(self) -> str:
        """ "on", "private" (recall without learning) or "off" (neither)."""
        conversation = self.chat.conversation
        return "off" if not conversation.remembers else "private" if conversation.private else "on"

    def window_use(self) -> str:
        """Return the share of the context window that the last exchange took, as "12%"; empty if it is unknown."""
        used, window = self.spent.last_prompt_tokens, self.chat.conversation.model.context_tokens
        return f"{used / window:.0%}" if used and window else ""

    def memories(self) -> list[Memory]:
        """Return the user's current memories, newest first."""
        return self.app.store.memories.memories(self._every)

    def count(self) -> int:
        """Return the number of the user's current memories."""
        return self.app.store.memories.count(self._every)

    def tally(self) -> list[tuple[str, str, int]]:
        """Count the user's current memories by category and month."""
        return self.app.store.memories.tally(self._every)

    @property
    def _every(self) -> MemoryFilter:
        """All current memories of the user, including those that belong to one conversation."""
        return MemoryFilter((Owner.user(self.user),), all_sessions=True)

    def last_used(self) -> list[tuple[Memory, float | None]]:
        """Return the memories that were in the last prompt and still exist, each with its score.

        The score is None for standing instructions, and for an answer from before this chat was opened.
        """
        turn = self.chat.conversation.last_turn
        if turn is not None and turn.reply:
            scores = {used.memory.id: used.score for used in turn.used}
        else:
            reply = self.app.store.conversations.last_reply(self.chat.conversation.session)
            scores = dict.fromkeys(reply.recalled if reply else ())
        known = self.app.store.memories.by_ids(list(scores))
        return [(known[id_], score) for id_, score in scores.items() if id_ in known]

    def last_excerpts(self) -> "tuple[Excerpt, ...]":
        """Return the excerpts in the last prompt of this chat."""
        turn = self.chat.conversation.last_turn
        return turn.excerpts if turn is not None and turn.reply else ()

    def left_out(self) -> "LeftOut":
        """Return how much matched but did not fit into the last prompt of this chat."""
        from memchat.chat.conversation import LeftOut

        turn = self.chat.conversation.last_turn
        return turn.left_out if turn is not None and turn.reply else LeftOut()

    def waiting(self) -> int:
        """Return the number of the user's exchanges and added memories that wait to be learned, with failed ones."""
        return len(self.app.store.work.pending(self.user))


@dataclass(slots=True)
class Spent:
    """Tokens and cost of the answers in one conversation, since it was started or resumed here.

    The cost is unknown if that of any answer is.
    """

    turns: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    last_prompt_tokens: int = 0

    def add(self, usage: Usage | None) -> None:
        """Count one answer."""
        self.turns += 1
        if usage is None:
            self.cost_usd = None
            return
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.last_prompt_tokens = usage.prompt_tokens + usage.completion_tokens
        known = self.cost_usd is not None and usage.cost_usd is not None
        self.cost_usd = (self.cost_usd or 0.0) + (usage.cost_usd or 0.0) if known else None

    @property
    def cost(self) -> str:
        return "unknown" if self.cost_usd is None else f"${self.cost_usd:.4f}"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    A `question` is asked after `text` is shown; on yes, `confirmed` is called and returns more text, otherwise
    `declined` is shown. `draft` is put into the next prompt; with `edit`, the user's editor opens it first. `turn`
    prepares a turn to run now. `copy` goes to the clipboard. A `paged` text is shown a screenful at a time, with its
    last line as footer.
    """

    text: str = ""
    question: str | None = None
    confirmed: Callable[[], str] | None = None
    declined: str = "Nothing was done."
    draft: str = ""
    edit: bool = False
    copy: str = ""
    paged: bool = False
    turn: "Callable[[], Turn] | None" = None
    leave: bool = False


class Takes(StrEnum):
    """The kind of argument that a command takes, for completion."""

    MEMORY = "memory"
    SESSION = "session"
    FILE = "file"
    MODEL = "model"


class Group(StrEnum):
    """The headings of /help, in order."""

    MEMORY = "Memory"
    CONVERSATION = "Conversation"
    TEXT = "Files and text"
    CONTROL = "Control"


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command. `words` is the maximum number of words in its argument; None means any text.

    Tab completes `choices`, or values of the kind that the argument `takes`.
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
"""All commands by name, in the order in which /help lists them within a group."""

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
    """A command that was typed: its name and the text after it."""

    name: str
    argument: str
