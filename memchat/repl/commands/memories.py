"""Commands about memories: list, forget, edit, remember, explain, turn off."""

import re
import shutil
from collections.abc import Sequence
from contextlib import suppress

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Memory, Owner, Scope
from memchat.errors import NotFound, UsageError
from memchat.repl.commands.registry import CommandContext, CommandResult, Group, Takes, command
from memchat.repl.commands.rows import excerpt_lines, memories_named, numbered_memories
from memchat.repl.layout import age
from memchat.repl.notifications import remember_lines
from memchat.storage.short_ids import short_ids
from memchat.text.plurals import pluralize
from memchat.text.sanitize import one_line

_FLAGS = re.compile(r"(?:--(?:agent|standing)(?:\s+|$))+")
_WIDE = 72
"""Columns from which on a list has room for categories."""


@command(Group.MEMORY, "memories [WORDS]", "list what I remember about you; with WORDS, everything that matches")
def _memories(context: CommandContext, argument: str) -> CommandResult:
    found = _matching(context, argument) if argument else context.memories()
    if not found:
        return CommandResult("No memories match that." if argument else "Nothing is remembered yet.")
    what = pluralize(len(found), "memory", "memories")
    if argument:
        what = f"{what} match{'es' if len(found) == 1 else ''}"
    rows = _listing(context, found)
    return CommandResult(f"{rows}\n{what}. /forget N and /edit N take these numbers.", paged=True)


@command(
    Group.MEMORY,
    "forget N|ID|WORDS",
    "permanently delete memories; with WORDS, all that match (asks first)",
    takes=Takes.MEMORY,
)
def _forget(context: CommandContext, argument: str) -> CommandResult:
    if not argument:
        raise UsageError("Forget what?", hint="Usage: /forget 2, /forget 1 3 or /forget WORDS. /memories lists them.")
    if (named := memories_named(context, argument)) is not None:
        _refuse_shared(named)
        return CommandResult(_erase(context, named))
    agent = context.chat.conversation.agent
    if agent is not None and " " not in argument:
        with suppress(NotFound):
            _refuse_shared([context.app.store.memories.find(argument.lower(), [Owner.agent(agent)])])
    found = _matching(context, argument)
    if not found:
        return CommandResult("No memory of yours matches that. /memories lists them.")
    what = "this memory" if len(found) == 1 else f"these {len(found)} memories"
    rows = _listing(context, found)
    question = f"Permanently forget {what}?"
    return CommandResult(rows, question, lambda: _erase(context, found), "Nothing was forgotten.")


@command(
    Group.MEMORY,
    "edit N|ID [TEXT]",
    "change a memory to TEXT; without TEXT, edit it in the prompt",
    takes=Takes.MEMORY,
)
def _edit(context: CommandContext, argument: str) -> CommandResult:
    first, _, text = argument.partition(" ")
    named = memories_named(context, first)
    if named is None or len(named) != 1:
        raise UsageError("Edit which memory?", hint="Usage: /edit 2 or /edit ID. /memories lists them.")
    _refuse_shared(named)
    (memory,) = named
    if not text.strip():
        return CommandResult(draft=f"/edit {first} {memory.text}")
    changed = context.app.memory_service.edit(memory, text)
    return CommandResult("Nothing was changed." if changed == memory else f"Now: {one_line(changed.text)}")


@command(Group.MEMORY, "remember TEXT", "save TEXT as a memory, word for word (short: a line that begins with '# ')")
def _remember(context: CommandContext, argument: str) -> CommandResult:
    match = _FLAGS.match(argument)
    flags = match[0] if match else ""
    text = argument[len(flags) :]
    if not text:
        raise UsageError("Remember what?", hint="Example: /remember I am allergic to peanuts.")
    agent = context.chat.conversation.agent
    if "--agent" in flags and agent is None:
        raise UsageError("This chat has no agent.", hint="Start one with an agent: memchat chat --agent NAME")
    agent = agent if "--agent" in flags else None
    owner = Owner.agent(agent) if agent else Owner.user(context.user)
    model = context.app.settings.extraction_model or context.chat.extraction
    result = context.app.rememberer_with(model).remember(text, owner, True if "--standing" in flags else None)
    if result.pending:
        context.chat.learning_worker.notify()
    lines = remember_lines(result, short_ids(context.app.store.memories.ids([result.memory.owner])))
    if result.similar:
        lines.append("/forget ID deletes one." if agent is None else f"memchat forget ID --agent {agent} deletes one.")
    return CommandResult("\n".join(lines))


@command(
    Group.MEMORY,
    "why",
    "show the memories the last answer used, with score and age, and how many did not fit",
    words=0,
)
def _why(context: CommandContext, argument: str) -> CommandResult:
    used, now = context.last_used(), context.app.clock()
    marks = [
        (f"{score:.2f}" if score is not None else "always" if memory.standing else "–", age(memory.created_at, now))
        for memory, score in used
    ]
    lines = [numbered_memories(context, [memory for memory, _ in used], marks)] if used else []
    if any(memory.scope is not Scope.AGENT for memory, _ in used):
        lines.append("/forget N deletes one of yours.")
    lines += excerpt_lines(context.last_excerpts(), now)
    if not used:
        lines.insert(0, "The last answer used no memories.")
    left_out = context.left_out()
    counts = ((left_out.memories, "memory", "memories"), (left_out.excerpts, "excerpt", "excerpts"))
    if parts := [pluralize(count, f"more {one}", f"more {many}") for count, one, many in counts if count]:
        limits = "MEMCHAT_TOP_K and MEMCHAT_MEMORY_TOKENS set the limits."
        lines.append(f"{' and '.join(parts)} matched but did not fit. {limits}")
    if left_out.wishes:
        instructions = pluralize(left_out.wishes, "standing instruction", "standing instructions")
        lines.append(f"{instructions} did not fit. Use /forget on those that no longer matter.")
    return CommandResult("\n".join(lines))


@command(
    Group.MEMORY, "private [on|off]", "stop (or resume) learning from this conversation", choices=("on", "off"), words=1
)
def _private(context: CommandContext, argument: str) -> CommandResult:
    conversation = context.chat.conversation
    if argument.lower() not in {"", "on", "off"}:
        raise UsageError("Use /private on or /private off.")
    if argument:
        conversation.set_private(argument.lower() == "on")
    if conversation.private:
        return CommandResult("Private mode is on: nothing from now on will be remembered. /private off turns it off.")
    return CommandResult("Private mode is off: new messages are remembered.")


@command(
    Group.MEMORY,
    "memory [on|off]",
    "use and build memory in this chat, or do neither",
    choices=("on", "off"),
    words=1,
)
def _memory(context: CommandContext, argument: str) -> CommandResult:
    if argument.lower() not in {"", "on", "off"}:
        raise UsageError("Use /memory on or /memory off.")
    conversation = context.chat.conversation
    if argument:
        conversation.use_memory(argument.lower() == "on")
    if not conversation.remembers:
        return CommandResult("Memory is off: nothing is recalled or learned. /memory on turns it on.")
    return CommandResult(
        "Memory is on." + (" Private mode is on, too: nothing is learned." if conversation.private else "")
    )


def _matching(context: CommandContext, words: str) -> list[Memory]:
    """Return the user's memories that contain `words`, or else those that a search finds, best first."""
    found = [memory for memory in context.memories() if words.casefold() in memory.text.casefold()]
    return found or context.app.matching(words, MemoryFilter((Owner.user(context.user),), all_sessions=True))


def _listing(context: CommandContext, memories: Sequence[Memory]) -> str:
    """List memories by number, with their ages and, on a wide screen, their categories."""
    now, wide = context.app.clock(), shutil.get_terminal_size().columns >= _WIDE
    marks = [(age(memory.created_at, now), *([memory.category] if wide else [])) for memory in memories]
    return numbered_memories(context, memories, marks)


def _refuse_shared(memories: Sequence[Memory]) -> None:
    """Raise UsageError for a memory of the chat's agent, because the agent's other users share it."""
    for memory in memories:
        if memory.scope is Scope.AGENT:
            name = one_line(memory.owner.name)
            raise UsageError(
                f"That is a memory of {name}, shared by all its users.",
                hint=f"To delete it, run outside the chat: memchat forget {memory.id} --agent {name}",
            )


def _erase(context: CommandContext, memories: Sequence[Memory]) -> str:
    report = context.app.memory_service.forget([memory.id for memory in memories])
    context.chat.conversation.drop_summary()
    lines = [f"Forgotten: {one_line(memory.text)}" for memory in memories]
    if report.left:
        lines.append("Traces are still in the data folder. Run memchat doctor to see where.")
    return "\n".join(lines)
