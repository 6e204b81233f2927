"""Commands about how the chat is held: model, system prompt, thinking, status, help, leaving."""

from collections import Counter
from dataclasses import replace

from memchat.config import Thinking
from memchat.errors import UsageError
from memchat.llm.providers import OFFLINE
from memchat.repl.commands.registry import COMMANDS, CommandContext, CommandResult, Group, Takes, command
from memchat.repl.layout import columns, one_line

_KEYS = (
    ("Enter", "send; a pasted text waits for it as one message"),
    ("Alt-Enter, Ctrl-J", "new line"),
    ("Tab", "complete commands, ids by their words, titles, files, models"),
    ("Ctrl-C", "stop the answer, or clear the line; twice on an empty line, quit"),
    ("Up, Ctrl-R", "go through, or search, what you said before"),
    ("Ctrl-X Ctrl-E", "write in $EDITOR"),
    ("Ctrl-D", "quit"),
    ("//text", "send a line that begins like a command as a message"),
)
_REMEMBERING = (
    "Add --standing to /remember to apply it to every answer (“Answer in German”), --agent to share it with everyone "
    "who uses this agent."
)


@command(Group.CONTROL, "model [NAME]", "show which model answers, or switch to another", takes=Takes.MODEL, words=1)
def _model(context: CommandContext, argument: str) -> CommandResult:
    conversation = context.chat.conversation
    name = one_line(conversation.model.name)
    if not argument or argument == name:
        return CommandResult(f"{name}\n/model NAME switches; Tab lists the models within reach.")
    context.reopen(replace(context.chat.options, session=conversation.session, model=argument))
    if argument == OFFLINE:
        return CommandResult("Offline mode from here on: I can only remember and look things up.")
    return CommandResult(f"{one_line(argument)} answers from here on, in the same conversation.")


@command(Group.CONTROL, "system [TEXT]", "show the system prompt, or set it for this chat (none: the usual one)")
def _system(context: CommandContext, argument: str) -> CommandResult:
    options = context.chat.options
    if not argument:
        return CommandResult(options.system or context.app.settings.system or "The usual system prompt.")
    system = None if argument.lower() == "none" else argument
    context.reopen(replace(options, session=context.chat.conversation.session, system=system))
    return CommandResult("The usual system prompt from here on." if system is None else "Set, for this chat.")


@command(
    Group.CONTROL,
    "thinking [shown|folded|hidden]",
    "show what the model thought before its last answer, or choose how thinking is shown",
    choices=tuple(Thinking),
    words=1,
)
def _thinking(context: CommandContext, argument: str) -> CommandResult:
    if not argument:
        turn = context.chat.conversation.last_turn
        thought = turn.thinking.strip() if turn else ""
        return CommandResult(thought or "The last answer came without thinking, or the model keeps it to itself.")
    try:
        context.thinking = Thinking(argument.lower())
    except ValueError:
        raise UsageError("Use /thinking shown, /thinking folded or /thinking hidden.") from None
    return CommandResult(f"Thinking is {context.thinking} from now on. MEMCHAT_THINKING sets it for good.")


@command(Group.CONTROL, "status", "show user, model, number of memories and what waits to be learned", words=0)
def _status(context: CommandContext, argument: str) -> CommandResult:
    conversation = context.chat.conversation
    waiting = context.waiting()
    left = f"{waiting} message{'' if waiting == 1 else 's'}" if waiting else "nothing"
    rows = [
        ("user", one_line(context.user)),
        ("model", one_line(conversation.model.name)),
        ("memories", str(context.count())),
        ("learning", f"{context.memory_state}, {left} waiting"),
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
