"""Commands about conversations."""

from memchat.errors import UsageError
from memchat.repl.commands.registry import CommandContext, CommandResult, Group, command
from memchat.repl.layout import one_line


@command(Group.CONVERSATION, "session", "show this conversation's title and id", words=0)
def _session(context: CommandContext, argument: str) -> CommandResult:
    session = context.session
    title = one_line(session.title) or "(no title yet)"
    started = session.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return CommandResult(f"{title}\n  started {started}\n  memchat chat --session {session.id}")


@command(Group.CONVERSATION, "model", "show which model answers", words=1)
def _model(context: CommandContext, argument: str) -> CommandResult:
    name = one_line(context.chat.conversation.model.name)
    if argument and argument != name:
        raise UsageError(
            f"The model can't be changed during a chat (it is {name}).",
            hint=f"/quit, then: memchat chat --continue --model {one_line(argument)}",
        )
    return CommandResult(name)
