"""The first lines of a chat."""

from memchat.llm.providers import OFFLINE
from memchat.repl.commands.registry import CommandContext
from memchat.repl.layout import one_line
from memchat.storage.short_ids import new_conversation

_NO_MODEL = (
    "This is the built-in offline model: no language model, it keeps what you tell it and answers from that alone.\n"
    "For a real conversation set a key such as OPENAI_API_KEY, or start Ollama; memchat models lists what there is."
)


def greeting(context: CommandContext) -> str:
    """Who talks to which model, how much is remembered, and what to expect where there is no model."""
    conversation = context.chat.conversation
    count = context.count()
    remembered = f"{count} {'memory' if count == 1 else 'memories'}" if conversation.remembers else "no memory"
    parts = [one_line(context.user), one_line(conversation.model.name), remembered, "/help for help"]
    lines = [" · ".join(parts)]
    session = conversation.session
    if session.messages:
        lines.append(f"Continuing {one_line(session.title)!r}, {session.messages} messages.")
    elif started := new_conversation(session):
        lines.append(one_line(started))
    if conversation.model.name == OFFLINE:
        lines.append(_NO_MODEL)
    return "\n".join(lines)
