"""Numbered lists of memories and conversations, and look-up by number, short id or title."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from memchat.core.types import Memory, Owner, Role, Scope, Session
from memchat.errors import AmbiguousId, NotFound, UsageError
from memchat.repl.commands.registry import CommandContext
from memchat.repl.layout import age, columns
from memchat.storage.short_ids import MEANS_ID, is_generated, short_ids
from memchat.text.sanitize import one_line

if TYPE_CHECKING:
    from memchat.recall.excerpts import Excerpt

_NUMBERS = re.compile(r"\d{1,3}(?:-\d{1,3})?(?:[,\s]+\d{1,3}(?:-\d{1,3})?)*")
_ID = re.compile(r"[0-9a-f]{4,8}(?:-[0-9a-f-]*)?|[0-9a-f]{4,}")


def numbered_memories(context: CommandContext, memories: Sequence[Memory], marks: Sequence[Sequence[str]] = ()) -> str:
    """List memories by number, with their `marks`, short ids and texts. The numbers are valid until the next list."""
    context.memory_rows = tuple(memory.id for memory in memories)
    short = short_ids(context.memory_rows)
    table = [
        (f"{number:>2}", *(marks[number - 1] if marks else ()), short[memory.id], one_line(memory.text) + mark(memory))
        for number, memory in enumerate(memories, 1)
    ]
    return columns(table)


def excerpt_lines(excerpts: "Sequence[Excerpt]", now: datetime) -> list[str]:
    """List the excerpts with score, age, author and text, and a note if they may no longer be true."""
    if not excerpts:
        return []
    from memchat.recall.excerpt_block import caveat

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
    """Return the notes about a memory that follow its text."""
    shared = f" (of {one_line(memory.owner.name)}, shared by all its users)" if memory.scope is Scope.AGENT else ""
    return shared + (" (possibly outdated)" if memory.doubtful else "")


def numbers_in(argument: str, rows: Sequence[str], listing: str) -> list[int] | None:
    """Parse row numbers such as `2`, `1 3` or `2-4`; returns None for any other text.

    Raises UsageError for numbers that the last list does not have; `listing` is the command that shows one.
    """
    if not _NUMBERS.fullmatch(argument):
        return None
    ranges = [part.partition("-") for part in re.split(r"[,\s]+", argument)]
    numbers = list(dict.fromkeys(n for first, _, last in ranges for n in range(int(first), int(last or first) + 1)))
    if not rows:
        raise UsageError("These numbers refer to a list, and none was shown yet.", hint=f"{listing} shows one.")
    if missing := [number for number in numbers if not 1 <= number <= len(rows)]:
        has = f"only 1 to {len(rows)}" if len(rows) > 1 else "only 1"
        raise UsageError(f"The last list has no row {missing[0]}, {has}.", hint=f"{listing} shows it.")
    return numbers


def memories_named(context: CommandContext, argument: str) -> list[Memory] | None:
    """Find the memories that `argument` names by row numbers or by ids; returns None for any other text."""
    if (numbers := numbers_in(argument, context.memory_rows, "/memories")) is not None:
        rows = [context.app.store.memories.get(context.memory_rows[number - 1]) for number in numbers]
        if None in rows:
            gone = numbers[rows.index(None)]
            raise NotFound(f"The memory in row {gone} was forgotten already.", hint="/memories lists the others.")
        return [memory for memory in rows if memory is not None]
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


def numbered_sessions(context: CommandContext, sessions: Sequence[Session]) -> str:
    """List conversations by number, with short id, day of last use and title; * marks the current one."""
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
    """Find the conversation that `argument` names by number, id, name or words of its title. Raises NotFound."""
    conversations = context.app.store.conversations
    if (numbers := numbers_in(argument, context.session_rows, "/sessions")) is not None:
        session = conversations.session(context.session_rows[numbers[0] - 1])
        if session is None:
            raise NotFound(f"The conversation in row {numbers[0]} was deleted.", hint="/sessions lists the others.")
        return session
    try:
        return conversations.find_session(argument, context.user, shortest=MEANS_ID)
    except AmbiguousId:
        raise
    except NotFound:
        sessions = conversations.sessions(context.user)
        found = [session for session in sessions if argument.casefold() in session.title.casefold()]
        if len(found) == 1:
            return found[0]
        problem = f"{len(found)} conversations have" if found else "No conversation has"
        listing = f"/sessions {argument}" if found else "/sessions"
        raise NotFound(f"{problem} {argument!r} in the title.", hint=f"{listing} lists them.") from None
