"""Commands about the program: help, status, leaving."""

from memchat.repl.commands.registry import COMMANDS, CommandContext, CommandResult, Group, command
from memchat.repl.layout import columns, one_line

_KEYS = (
    ("Enter", "send; a pasted text waits for it as one message"),
    ("Alt-Enter, Ctrl-J", "new line"),
    ("Ctrl-C", "stop the reply, or clear the line; twice on an empty line, quit"),
    ("Ctrl-R, Up", "search and go through what you said before"),
    ("Ctrl-D", "quit"),
    ("//text", "send a line that begins like a command as a message"),
)
_REMEMBERING = (
    "Add --standing to /remember to apply it to every answer (“Answer in German”), --agent to share it with everyone "
    "who uses this agent."
)


@command(Group.CONTROL, "status", "show user, model, number of memories and what waits to be learned", words=0)
def _status(context: CommandContext, argument: str) -> CommandResult:
    conversation = context.chat.conversation
    waiting = context.waiting()
    learning = "off" if not conversation.remembers else "private" if conversation.private else "on"
    left = f"{waiting} message{'' if waiting == 1 else 's'}" if waiting else "nothing"
    return CommandResult(
        f"  user      {one_line(context.user)}\n"
        f"  model     {one_line(conversation.model.name)}\n"
        f"  memories  {context.count()}\n"
        f"  learning  {learning}, {left} waiting"
    )


@command(Group.CONTROL, "help", "show this help", words=0)
def _help(context: CommandContext, argument: str) -> CommandResult:
    parts: list[str] = []
    for group in Group:
        rows = [(known.usage, known.help) for known in COMMANDS.values() if known.group is group]
        parts.append(f"{group}\n{columns(rows)}")
    return CommandResult("\n\n".join([*parts, f"Keys\n{columns(_KEYS)}", _REMEMBERING]))


@command(Group.CONTROL, "quit", "quit (same as Ctrl-D)", words=0)
def _quit(context: CommandContext, argument: str) -> CommandResult:
    return CommandResult(leave=True)
