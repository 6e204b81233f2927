"""Slash commands: each one a function of the chat and its argument that returns the words to show."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memchat.config import closest_match
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Memory, Owner, Scope
from memchat.errors import AmbiguousId, NotFound, UsageError
from memchat.repl.completer import CompletionSources
from memchat.repl.notifications import one_line, remember_lines
from memchat.storage.short_ids import memory_ids, shortest_prefixes

if TYPE_CHECKING:
    from memchat.app import App, Chat

_COMMAND = re.compile(r"/(?P<name>[^\s/]*)(?:\s+(?P<argument>.*))?\s*", re.DOTALL)
_ID = re.compile(r"[0-9a-f]{4,8}(?:-[0-9a-f-]*)?|[0-9a-f]{4,}")
_FLAGS = re.compile(r"(?:--(?:agent|standing)(?:\s+|$))+")
_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What commands work on."""

    chat: "Chat"
    app: "App"

    @property
    def user(self) -> str:
        return self.chat.conversation.session.user

    def memories(self) -> list[Memory]:
        """The person's current memories, newest first."""
        return self.app.memories(self.user)

    def count(self) -> int:
        """How many current memories the person has."""
        return self.app.store.memories.count(MemoryFilter((Owner.user(self.user),), all_sessions=True))

    def last_used(self) -> list[tuple[Memory, float | None]]:
        """The memories that the last answer could use and that still exist, each with its score.

        Wishes have none, and neither has what an answer used before this chat was taken up.
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
        """How many exchanges of the person wait to be learned from, those that failed included."""
        return len(self.app.store.work.pending(self.user))


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command came to. A `question` is asked after the text is shown; yes calls `confirmed` for more text."""

    text: str = ""
    question: str | None = None
    confirmed: Callable[[], str] | None = None
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    usage: str
    help: str
    choices: tuple[str, ...]
    words: int | None
    run: Callable[[CommandContext, str], CommandResult]


COMMANDS: dict[str, Command] = {}
"""Every command by name, in the order of /help."""


def command(
    usage: str, help_: str, choices: tuple[str, ...] = (), *, words: int | None = None
) -> Callable[[Callable[[CommandContext, str], CommandResult]], Callable[[CommandContext, str], CommandResult]]:
    """Register a command under the first word of `usage`; `choices` are the arguments that Tab offers.

    `words` is how many words it takes at most, None for any text: with more of them a line is a message.
    """

    def register(run: Callable[[CommandContext, str], CommandResult]) -> Callable[[CommandContext, str], CommandResult]:
        name = usage.split(maxsplit=1)[0]
        COMMANDS[name] = Command(name, f"/{usage}", help_, choices, words, run)
        return run

    return register


@dataclass(frozen=True, slots=True)
class Invocation:
    """A line that is a command: the name that was typed, and what followed it."""

    name: str
    argument: str


def parse(line: str) -> Invocation | None:
    """The command in `line`, None for a message.

    A message is also what begins with a slash and cannot be meant as a command: a path, words behind a name that is no
    command's, more words than the command takes; and a pasted heading.
    """
    line = line.strip()
    if line.startswith("# ") and "\n" not in line:
        return Invocation("remember", line[2:].strip())
    match = _COMMAND.fullmatch(line)
    if match is None:
        return None
    name, argument = match["name"].lower(), (match["argument"] or "").strip()
    known = COMMANDS.get(name)
    most = 0 if known is None else known.words
    return Invocation(name, argument) if most is None or len(argument.split()) <= most else None


def dispatch(room: CommandContext, call: Invocation) -> CommandResult:
    """Carry out a command. Raises MemchatError; UsageError with the nearest command for a name that does not exist."""
    known = COMMANDS.get(call.name)
    if known is None:
        near = closest_match(call.name, list(COMMANDS))
        raise UsageError(
            f"There is no command /{call.name}.", hint=f"Did you mean /{near}?" if near else "/help lists them."
        )
    return known.run(room, call.argument)


def sources(room: CommandContext) -> CompletionSources:
    """What completion needs to know."""

    def memories() -> list[tuple[str, str]]:
        current = room.memories()
        short = short_ids(room, current)
        return [(short[memory.id], memory.text) for memory in current]

    return CompletionSources(
        commands={name: known.help for name, known in COMMANDS.items()},
        choices={name: known.choices for name, known in COMMANDS.items()},
        memories=memories,
    )


def short_ids(room: CommandContext, memories: Sequence[Memory]) -> dict[str, str]:
    """For each id the shortest beginning that no other memory of the person has, superseded ones included."""
    every = memory_ids(room.app.store.database, [Owner.user(room.user)])
    return shortest_prefixes([*every, *(memory.id for memory in memories)])


@command("help", "what can be typed here", words=0)
def _help(room: CommandContext, argument: str) -> CommandResult:
    width = max(len(known.usage) for known in COMMANDS.values())
    lines = [f"  {known.usage:<{width}}  {known.help}" for known in COMMANDS.values()]
    keys = [
        "Enter sends; Alt-Enter or Ctrl-J starts a new line; a paste of several lines stays one message.",
        "Ctrl-C stops a reply or clears the line; Ctrl-R searches what you said before; Ctrl-D leaves.",
        "A line that starts with '# ' is remembered as it is, like /remember.",
        "/remember --standing TEXT is for every answer, --agent TEXT for all who talk to this chat's agent.",
    ]
    return CommandResult("\n".join([*lines, "", *keys]))


@command("memories [WORDS]", "what I remember of you; with words, what they bring to mind")
def _memories(room: CommandContext, argument: str) -> CommandResult:
    if argument:
        hits = room.app.recall.search(room.chat.query(argument))
        return CommandResult(
            _listing(room, [hit.memory for hit in hits]) or "Nothing remembered comes to mind with that."
        )
    found = room.memories()
    if not found:
        return CommandResult("Nothing is remembered yet.")
    rest = len(found) - _MOST_LISTED
    more = f"\n… and {rest} more: memchat memories list, or /memories WORDS." if rest > 0 else ""
    return CommandResult(_listing(room, found[:_MOST_LISTED]) + more)


@command("forget ID|WORDS", "erase a memory for good; with words, whatever they find, once you agree")
def _forget(room: CommandContext, argument: str) -> CommandResult:
    if not argument:
        raise UsageError("Forget what?", hint="/forget ID, or /forget WORDS; /memories shows the ids.")
    if named := _named(room, argument.lower()):
        return CommandResult(_erase(room, [named]))
    found = [m for m in room.memories() if argument.casefold() in m.text.casefold()]
    found = found or room.app.matching(argument, MemoryFilter((Owner.user(room.user),), all_sessions=True))
    if not found:
        return CommandResult("There is nothing like that of yours to forget. /memories shows the ids.")
    rest = len(found) - _MOST_LISTED
    more = f"\n… and {rest} more" if rest > 0 else ""
    what = "this memory" if len(found) == 1 else f"these {len(found)} memories"
    listing = _listing(room, found[:_MOST_LISTED])
    return CommandResult(listing + more, f"Forget {what} for good?", lambda: _erase(room, found))


@command("remember TEXT", "keep a sentence exactly as you write it")
def _remember(room: CommandContext, argument: str) -> CommandResult:
    flags, text = _flagged(argument)
    if not text:
        raise UsageError("Remember what?", hint="/remember I am allergic to peanuts.")
    agent = room.chat.conversation.agent
    if "--agent" in flags and agent is None:
        raise UsageError("This chat has no agent to remember it for.", hint="memchat chat --agent NAME")
    agent = agent if "--agent" in flags else None
    told = room.app.remember(text, room.user, agent, True if "--standing" in flags else None)
    lines = remember_lines(told, shortest_prefixes(memory_ids(room.app.store.database, [told.memory.owner])))
    if told.similar:
        lines.append("/forget ID erases one." if agent is None else f"memchat forget ID --agent {agent} erases one.")
    return CommandResult("\n".join(lines))


def _flagged(argument: str) -> tuple[set[str], str]:
    """The flags that /remember begins with, and the text behind them."""
    found = _FLAGS.match(argument)
    flags = found[0] if found else ""
    return set(flags.split()), argument[len(flags) :]


@command("why", "which memories the last answer could use, and how well they fit", words=0)
def _why(room: CommandContext, argument: str) -> CommandResult:
    used = room.last_used()
    if not used:
        return CommandResult("The last answer used no memories.")
    short = short_ids(room, [memory for memory, _ in used])
    lines = []
    for memory, score in used:
        mark = f"{score:.2f}" if score is not None else "always" if memory.standing else "–"
        lines.append(f"  {mark:<6}  {short[memory.id]}  {one_line(memory.text)}{_shared_mark(memory)}")
    erasable = any(memory.scope is not Scope.AGENT for memory, _ in used)
    return CommandResult("\n".join([*lines, *(["/forget ID erases one of yours."] if erasable else [])]))


@command("private [on|off]", "whether this conversation stays out of memory", ("on", "off"), words=1)
def _private(room: CommandContext, argument: str) -> CommandResult:
    conversation = room.chat.conversation
    if argument not in {"", "on", "off"}:
        raise UsageError(f"Private is on or off, not {argument!r}.")
    if argument:
        conversation.set_private(argument == "on")
    if conversation.private:
        return CommandResult("Private: nothing said from here on is learned, not even later. /private off ends it.")
    return CommandResult("Not private: what is said from here on is learned.")


@command("model", "which model answers", words=1)
def _model(room: CommandContext, argument: str) -> CommandResult:
    name = one_line(room.chat.conversation.model.name)
    if argument and argument != name:
        raise UsageError(
            f"The model of a running chat stays {name}.",
            hint=f"/quit, then: memchat chat --continue --model {one_line(argument)}",
        )
    return CommandResult(name)


@command("session", "this conversation's id and title", words=0)
def _session(room: CommandContext, argument: str) -> CommandResult:
    session = room.chat.conversation.session
    title = one_line(session.title) or "(no title yet)"
    started = session.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return CommandResult(f"{title}\n  started {started}\n  memchat chat --session {session.id}")


@command("status", "memories kept, and what still waits to be learned", words=0)
def _status(room: CommandContext, argument: str) -> CommandResult:
    conversation = room.chat.conversation
    waiting = room.waiting()
    learning = "off" if not conversation.remembers else "private" if conversation.private else "on"
    return CommandResult(
        f"  person    {one_line(room.user)}\n"
        f"  model     {one_line(conversation.model.name)}\n"
        f"  memories  {room.count()}\n"
        f"  learning  {learning}, {waiting} exchange{'' if waiting == 1 else 's'} waiting"
    )


@command("quit", "leave (as Ctrl-D does)", words=0)
def _quit(room: CommandContext, argument: str) -> CommandResult:
    return CommandResult(leave=True)


def _named(room: CommandContext, argument: str) -> Memory | None:
    """The person's memory whose id begins with `argument`; None where those are words. AmbiguousId for several.

    Raises UsageError for one of the chat's agent: it is not this person's alone to erase.
    """
    if not _ID.fullmatch(argument):
        return None
    try:
        return room.app.find(argument, room.user)
    except AmbiguousId:
        raise
    except NotFound:
        _refuse_shared(room, argument)
        return None


def _refuse_shared(room: CommandContext, id_: str) -> None:
    agent = room.chat.conversation.agent
    if agent is not None:
        with suppress(NotFound):
            room.app.store.memories.find(id_, [Owner.agent(agent)])
            name = one_line(agent)
            raise UsageError(
                f"That is a memory of {name}, shared by all its users.",
                hint=f"Outside a chat it can be erased: memchat forget {id_} --agent {name}",
            )


def _erase(room: CommandContext, memories: Sequence[Memory]) -> str:
    receipt = room.app.forget([memory.id for memory in memories])
    lines = [f"Forgotten: {one_line(memory.text)}" for memory in memories]
    if receipt.left:
        lines.append("Traces of it are still in the data directory. memchat doctor says where.")
    return "\n".join(lines)


def _shared_mark(memory: Memory) -> str:
    return f" (of {one_line(memory.owner.name)}, shared by all its users)" if memory.scope is Scope.AGENT else ""


def _listing(room: CommandContext, memories: Sequence[Memory]) -> str:
    """A line for each memory, its id as short as /forget takes it."""
    short = short_ids(room, memories)
    marks = {m.id: _shared_mark(m) + (" (possibly outdated)" if m.doubtful else "") for m in memories}
    return "\n".join(f"  {short[m.id]}  {one_line(m.text)}{marks[m.id]}" for m in memories)
