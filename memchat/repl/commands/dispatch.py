"""From a line that was typed to the command it means."""

import re
import unicodedata

from memchat.config import closest_match
from memchat.errors import UsageError
from memchat.repl.commands import control, conversations, files, memories
from memchat.repl.commands.registry import COMMANDS, CommandContext, CommandResult, Invocation

__all__ = ["COMMANDS", "dispatch", "literal", "parse"]
_GROUPS = (memories, conversations, files, control)
"""Imported for the commands that they register."""
_SLASHES = "/／"
_FIRST_WORD = re.compile(r"\S+")


def parse(line: str) -> Invocation | None:
    """The command in `line`, None for a message.

    A line that begins like a command is one, whatever follows: a slip must never be sent. Paths are messages, and so is
    a pasted heading.
    """
    line = line.strip()
    if line.startswith("# ") and "\n" not in line:
        return Invocation("remember", line[2:].strip())
    if not line or line[0] not in _SLASHES:
        return None
    match = _FIRST_WORD.match(line, 1)
    name = unicodedata.normalize("NFKC", match[0] if match else "").lower()
    if not (name[:1].isalpha() or name == "?" or len(line) == 1) or "/" in name or "." in name.rstrip("."):
        return None
    return Invocation(name, line[1 + len(match[0] if match else "") :].strip())


def literal(line: str) -> str:
    """The message in `line`: a second slash in front keeps it from being a command, and is not part of it."""
    line = line.strip()
    return line[1:] if line[:2] == "//" and parse(line[1:]) is not None else line


def dispatch(context: CommandContext, call: Invocation) -> CommandResult:
    """Carry out a command. Raises MemchatError; UsageError with the nearest command for a name that does not exist."""
    known = COMMANDS.get("help" if call.name in {"", "?"} else call.name)
    if known is None:
        near = closest_match(call.name, list(COMMANDS))
        hint = f"Did you mean /{near}?" if near else "/help lists the commands."
        raise UsageError(
            f"There is no command /{call.name}. Nothing was sent.",
            hint=f"{hint} To send it as a message: {_sent(call)}",
        )
    if known.words is not None and len(call.argument.split()) > known.words:
        raise UsageError(f"Usage: {known.usage}", hint=f"To send the line as a message: {_sent(call)}")
    return known.run(context, call.argument)


def _sent(call: Invocation) -> str:
    words = call.argument.split()
    shown = " ".join(words[:3]) + (" …" if len(words) > 3 else "")
    return f"//{call.name} {shown}".rstrip()
