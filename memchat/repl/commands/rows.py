"""Numbered rows: how memories and conversations are listed, and which one a number or a short id means."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from memchat.core.types import Memory, Owner, Role, Scope, Session
from memchat.errors import AmbiguousId, NotFound, UsageError
from memchat.recall.excerpt_block import caveat
from memchat.recall.excerpts import Excerpt
from memchat.repl.commands.registry import CommandContext
from memchat.repl.layout import age, columns, one_line
from memchat.storage.short_ids import MEANS_ID, is_generated, short_ids

_NUMBERS = re.compile(r"\d{1,3}(?:-\d{1,3})?(?:[,\s]+\d{1,3}(?:-\d{1,3})?)*")
_ID = re.compile(r"[0-9a-f]{4,8}(?:-[0-9a-f-]*)?|[0-9a-f]{4,}")


def numbered_memories(context: CommandContext, memories: Sequence[Memory], marks: Sequence[Sequence[str]] = ()) -> str:
    """A row for each memory: its number, its `marks`, its short id, its words. The numbers hold until the next list."""
    context.memory_rows = tuple(memory.id for memory in memories)
    short = short_ids(context.memory_rows)
    table = [
        (f"{number:>2}", *(marks[number - 1] if marks else ()), short[memory.id], one_line(memory.text) + mark(memory))
        for number, memory in enumerate(memories, 1)
    ]
    return columns(table)


def excerpt_lines(excerpts: Sequence[Excerpt], now: datetime) -> list[str]:
    """What was quoted from earlier conversations: score, age, who said it, the words, and whether they still hold."""
    if not excerpts:
        return []
    rows = [
        (
            f"{excerpt.score:.2f}",
            age(excerpt.said_at, now),
            "assistant" if excerpt.role is Role.ASSISTANT else "you",
            one_line(excerpt.text) + (f" ({one_line(note)})" if (note := caveat(excerpt)) else ""),
        )
        for excerpt in excerpts
    ]
    return ["From earlier conversations:", columns(rows)]


def mark(memory: Memory) -> str:
    """What must be known about a memory besides its words."""
    shared = f" (of {one_line(memory.owner.name)}, shared by all its users)" if memory.scope is Scope.AGENT else ""
    return shared + (" (possibly outdated)" if memory.doubtful else "")


def numbers_in(argument: str, rows: Sequence[str], listing: str) -> list[int] | None:
    """The row numbers in `argument`, as `2`, `1 3` or `2-4`; None where it is something else.

    Raises UsageError for numbers that the last list does not have; `listing` is the command that shows one.
    """
    if not _NUMBERS.fullmatch(argument):
        return None
    numbers = list(dict.fromkeys(_spelled_out(argument)))
    if not rows:
        raise UsageError("No list was shown yet that these numbers could mean.", hint=f"{listing} shows one.")
    if missing := [number for number in numbers if not 1 <= number <= len(rows)]:
        has = f"only 1 to {len(rows)}" if len(rows) > 1 else "only 1"
        raise UsageError(f"The last list has no row {missing[0]}, {has}.", hint=f"{listing} shows it.")
    return numbers


def _spelled_out(argument: str) -> Iterator[int]:
    for part in re.split(r"[,\s]+", argument):
        first, dash, last = part.partition("-")
        yield from range(int(first), int(last) + 1) if dash else (int(first),)


def memories_named(context: CommandContext, argument: str) -> list[Memory] | None:
    """The memories that `argument` names by number or by id, several apart from each other; None where it is words."""
    if (numbers := numbers_in(argument, context.memory_rows, "/memories")) is not None:
        return [_row(context, number) for number in numbers]
    words = argument.lower().split()
    if not words or not all(map(_ID.fullmatch, words)):
        return None
    found: list[Memory] = []
    for word in words:
        try:
            found.append(context.app.store.memories.find(word, [Owner.user(context.user)]))
        except AmbiguousId:
            raise
        except NotFound:
            return None
    return list({memory.id: memory for memory in found}.values())


def _row(context: CommandContext, number: int) -> Memory:
    memory = context.app.store.memories.get(context.memory_rows[number - 1])
    if memory is None:
        raise NotFound(f"The memory in row {number} was forgotten already.", hint="/memories lists what there is.")
    return memory


def numbered_sessions(context: CommandContext, sessions: Sequence[Session]) -> str:
    """A row for each conversation: its number, a star where it is the present one, short id, last use, title."""
    context.session_rows = tuple(session.id for session in sessions)
    short = short_ids(id_ for id_ in context.session_rows if is_generated(id_))
    here = context.chat.conversation.session.id
    table = [
        (
            f"{number:>2}{'*' if session.id == here else ' '}",
            short.get(session.id, one_line(session.id)),
            session.last_at.astimezone().strftime("%Y-%m-%d"),
            one_line(session.title) or "(no title)",
        )
        for number, session in enumerate(sessions, 1)
    ]
    return columns(table)


def session_named(context: CommandContext, argument: str) -> Session:
    """The conversation that `argument` names by number, id, name or words of its title. Raises NotFound."""
    conversations = context.app.store.conversations
    if (numbers := numbers_in(argument, context.session_rows, "/sessions")) is not None:
        session = conversations.session(context.session_rows[numbers[0] - 1])
        if session is None:
            raise NotFound(f"The conversation in row {numbers[0]} is gone.", hint="/sessions lists what there is.")
        return session
    try:
        return conversations.find_session(argument, context.user, shortest=MEANS_ID)
    except AmbiguousId:
        raise
    except NotFound:
        return _titled(context, argument)


def _titled(context: CommandContext, words: str) -> Session:
    every = context.app.store.conversations.sessions(context.user)
    found = [one for one in every if words.casefold() in one.title.casefold()]
    if len(found) != 1:
        problem = f"{len(found)} conversations have" if found else "No conversation has"
        raise NotFound(
            f"{problem} {words!r} in the title.", hint=f"/sessions {words if found else ''}".rstrip() + " lists them."
        )
    return found[0]
