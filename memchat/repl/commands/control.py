"""Commands that control the chat: model, system prompt, thinking, status, help, quit."""

from collections import Counter
from dataclasses import replace

from memchat.config import Thinking
from memchat.core.types import OFFLINE
from memchat.errors import UsageError
from memchat.repl.commands.registry import COMMANDS, CommandContext, CommandResult, Group, Takes, command
from memchat.repl.layout import columns
from memchat.text.sanitize import one_line

_KEYS = (
    ("Enter", "send; pasted text is not sent until you press Enter"),
    ("Alt-Enter, Ctrl-J", "new line"),
    ("Tab", "complete commands, ids by their words, titles, files, models"),
    ("Ctrl-C", "stop the answer, or clear the line; twice on an empty line, quit"),
    ("Up, Ctrl-R", "go through, or search, your earlier messages"),
    ("Ctrl-X Ctrl-E", "write in $EDITOR"),
    ("Ctrl-D", "quit"),
    ("//text", "send a line that begins like a command as a message"),
)
_REMEMBERING = (
    "With /remember, add --standing to apply TEXT to every answer (“Answer in German”), or --agent to share it with "
    "everyone who uses this agent."
)


@command(Group.CONTROL, "model [NAME]", "show the model, or switch to another", takes=Takes.MODEL, words=1)
def _model(context: CommandContext, argument: str) -> CommandResult:
    conversation = context.chat.conversation
    name = one_line(conversation.model.name)
    if not argument or argument == name:
        return CommandResult(f"{name}\n/model NAME switches; Tab lists the available models.")
    context.reopen(replace(context.chat.options, session=conversation.session, model=argument))
    if argument == OFFLINE:
        return CommandResult("Offline mode is on: I can only remember and look things up.")
    return CommandResult(f"Switched to {one_line(argument)}. The conversation stays the same.")


@command(Group.CONTROL, "system [TEXT]", "show the system prompt, or set it for this chat (none: the default)")
def _system(context: CommandContext, argument: str) -> CommandResult:
    options = context.chat.options
    if not argument:
        return CommandResult(options.system or context.app.settings.system or "The default system prompt.")
    system = None if argument.lower() == "none" else argument
    context.reopen(replace(options, session=context.chat.conversation.session, system=system))
    return CommandResult("This chat uses the default system prompt." if system is None else "Set for this chat.")


@command(
    Group.CONTROL,
    "thinking [shown|folded|hidden]",
    "show the thinking before the last answer, or choose how thinking is shown",
    choices=tuple(Thinking),
    words=1,
)
def _thinking(context: CommandContext, argument: str) -> CommandResult:
    if not argument:
        turn = context.chat.conversation.last_turn
        thinking = turn.thinking.strip() if turn else ""
        return CommandResult(thinking or "The model showed no thinking before its last answer.")
    try:
        context.thinking = Thinking(argument.lower())
    except ValueError:
        raise UsageError("Use /thinking shown, /thinking folded or /thinking hidden.") from None
    return CommandResult(f"Thinking is now {context.thinking} in this chat. MEMCHAT_THINKING sets the default.")


@command(Group.CONTROL, "status", "show the user, model, number of memories and pending messages", words=0)
def _status(context: CommandContext, argument: str) -> CommandResult:
    conversation = context.chat.conversation
    pending = context.waiting() or "nothing"
    rows = [
        ("user", one_line(context.user)),
        ("model", one_line(conversation.model.name)),
        ("memories", str(context.count())),
        ("learning", f"{context.memory_state}, {pending} pending"),
    ]
    return CommandResult(columns(rows))


@command(
    Group.CONTROL,
    "stats",
    "show what this conversation took in tokens and cost, and memories by category",
    words=0,
)
def _stats(context: CommandContext, argument: str) -> CommandResult:
    spent = context.spent
    rows = [
        ("answers", str(spent.turns)),
        ("tokens", f"{spent.prompt_tokens:,} in prompts, {spent.completion_tokens:,} in answers"),
        ("cost", spent.cost),
        ("window", context.window_use() or "unknown"),
        ("memories", str(context.count())),
    ]
    by_category = Counter[str]()
    for category, _, count in context.tally():
        by_category[category] += count
    rows += [(f"  {category}", str(count)) for category, count in by_category.most_common()]
    return CommandResult(columns(rows))


@command(Group.CONTROL, "help", "show this help", words=0)
def _help(context: CommandContext, argument: str) -> CommandResult:
    parts: list[str] = []
    for group in Group:
        rows = [(known.usage, known.help) for known in COMMANDS.values() if known.group is group]
        parts.append(f"{group}\n{columns(rows)}")
    return CommandResult("\n\n".join([*parts, f"Keys\n{columns(_KEYS)}", _REMEMBERING]))


@command(Group.CONTROL, "quit", "quit (same as Ctrl-D, exit or quit)", words=0)
def _quit(context: CommandContext, argument: str) -> CommandResult:
    return CommandResult(leave=True)
