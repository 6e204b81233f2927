"""Commands about conversations."""

from memchat.config import Thinking
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


@command(
    Group.CONVERSATION,
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
