"""The last exchange of a conversation, which is shown when the conversation is resumed."""

import shutil

from memchat.core.types import MessageStatus, Role, Session
from memchat.repl.commands.registry import CommandContext
from memchat.terminal import cells
from memchat.text.attachments import without_attachments
from memchat.text.plurals import pluralize
from memchat.text.sanitize import one_line

_LINES = 3
"""Screen lines for each of the last two messages."""
_NO_REPLY = {MessageStatus.STOPPED: "(stopped before an answer came)", MessageStatus.FAILED: "(no answer came)"}


def last_words(context: CommandContext, session: Session) -> str:
    """Return the title and the last exchange, shortened; a question without an answer is marked."""
    title = one_line(session.title) or "(no title)"
    count = pluralize(session.messages, "message", "messages")
    last = context.app.store.conversations.messages(session.id, limit=2)
    if last and last[-1].role is Role.USER:
        last = last[-1:]
    lines = [f"Continuing {title!r}, {count}."]
    for message in last:
        speaker = "you" if message.role is Role.USER else one_line(message.model or "assistant")
        room = _LINES * (max(shutil.get_terminal_size().columns, 20) - 3) - cells(speaker)
        shown, used = "", 0
        for char in one_line(without_attachments(message.text)):
            used += cells(char)
            if used > room:
                shown = f"{shown.rsplit(' ', 1)[0] or shown}…"
                break
            shown += char
        note = _NO_REPLY.get(message.status, "") if message.role is Role.USER else ""
        lines.append(f"  {speaker}: {shown} {note}".rstrip())
    return "\n".join(lines)
