"""Commands about files and text: attach files, copy answers, write in an editor."""

import re
from contextlib import suppress

from memchat.errors import ConfigError, MemchatError, UsageError
from memchat.paths import expand_path
from memchat.repl.commands.registry import CommandContext, CommandResult, Group, Takes, command
from memchat.text.attachments import Attachment, with_attachments
from memchat.text.decoding import decode_text

LARGEST_BYTES = 2_000_000
"""Maximum size of an attached file; no context window holds more."""
_AT_FILE = re.compile(r"(?<!\S)@(?:\"(?P<quoted>[^\"\n]+)\"|(?P<plain>[^\s\"]+))")
_CODE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<code>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)


@command(Group.TEXT, "attach FILE", "attach FILE to your next message (short: write @FILE in it)", takes=Takes.FILE)
def _attach(context: CommandContext, argument: str) -> CommandResult:
    if not argument:
        raise UsageError(
            "Attach which file?", hint='Type /attach notes.txt, or write @notes.txt or @"my notes.txt" in a message.'
        )
    if argument == "none":
        context.attachments.clear()
        return CommandResult("Nothing is attached.")
    attachment = read_attachment(argument.strip("\"'"))
    context.attachments.append(attachment)
    return CommandResult(f"{describe(context, attachment)} It is sent with your next message; /attach none removes it.")


@command(
    Group.TEXT,
    "copy [code]",
    "copy the last answer, or only its code, to the clipboard",
    choices=("code",),
    words=1,
)
def _copy(context: CommandContext, argument: str) -> CommandResult:
    reply = context.app.store.conversations.last_reply(context.chat.conversation.session)
    if reply is None:
        raise UsageError("There is no answer to copy yet.")
    if argument.lower() not in {"", "code"}:
        raise UsageError("Use /copy or /copy code.")
    text = reply.text.strip()
    if argument:
        text = "\n".join(match["code"] for match in _CODE.finditer(reply.text)).rstrip("\n")
        if not text:
            raise UsageError("The last answer has no code.", hint="/copy copies all of it.")
    return CommandResult(copy=text)


@command(Group.TEXT, "editor [TEXT]", "write your message in $EDITOR (in the prompt: Ctrl-X Ctrl-E)")
def _editor(context: CommandContext, argument: str) -> CommandResult:
    return CommandResult(draft=argument, edit=True)


def read_attachment(name: str) -> Attachment:
    """Read a text file. Raises MemchatError if it is too large, not text, or cannot be read."""
    path = expand_path(name, "the file's name")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UsageError(f"{name} is too large to send: more than {LARGEST_BYTES:,} bytes.")
        text = decode_text(path.read_bytes(), name)
    except OSError as error:
        raise MemchatError(f"{name} cannot be read: {error.strerror}.") from error
    return Attachment(text.strip("\n"), path.name)


def describe(context: CommandContext, attachment: Attachment) -> str:
    """Describe an attachment by its name and its size in bytes and tokens."""
    size = len(attachment.text.encode())
    tokens = context.chat.conversation.model.count_tokens(attachment.text)
    return f"Attached {attachment.name}: {size:,} bytes, about {tokens:,} tokens."


def composed(context: CommandContext, message: str, *, names_files: bool = True) -> tuple[str, list[str]]:
    """Return `message` with its attachments, and a line about each file that it names.

    With `names_files`, `@name` in the message attaches that file. An @ before anything else stays: it may be a handle.
    """
    named: dict[str, Attachment] = {}
    for match in _AT_FILE.finditer(message) if names_files else ():
        name = match["quoted"] or match["plain"].rstrip(".,;:!?)")
        with suppress(ConfigError):
            if expand_path(name).is_file():
                named[name] = read_attachment(name)
    attachments = [*context.attachments, *named.values()]
    context.attachments.clear()
    return (
        with_attachments(message, attachments) if attachments else message,
        [describe(context, one) for one in named.values()],
    )
