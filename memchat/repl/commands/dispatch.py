"""Parse a typed line as a slash command, and run it."""

import re
import unicodedata

from memchat.config import closest_match
from memchat.errors import UsageError
from memchat.repl.commands import control, conversations, files, memories
from memchat.repl.commands.registry import COMMANDS, CommandContext, CommandResult, Invocation

__all__ = ["COMMANDS", "dispatch", "literal", "parse"]
_GROUPS = (memories, conversations, files, control)
"""Modules that register their commands when they are imported."""
_SLASHES = "/／"
_FIRST_WORD = re.compile(r"\S+")


def parse(line: str) -> Invocation | None:
    """Parse `line` as a command, or return None if it is a message.

    Every line that begins like a command is one, because a typo must never be sent. Paths and pasted headings are
    messages.
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
    """Return the message in `line`, without the slash that escapes a line like a command (`//text`)."""
    line = line.strip()
    return line[1:] if line[:2] == "//" and parse(line[1:]) is not None else line


def dispatch(context: CommandContext, call: Invocation) -> CommandResult:
    """Run a command. Raises MemchatError, and UsageError with the nearest name for an unknown command."""
    known = COMMANDS.get("help" if call.name in {"", "?"} else call.name)
    if known is None:
        near = closest_match(call.name, list(COMMANDS))
        hint = f"Did you mean /{near}?" if near else "/help lists the commands."
        raise UsageError(
            f"There is no command /{call.name}. Nothing was sent.",
            hint=f"{hint} To send it as a message: {_escaped(call)}",
        )
    if known.words is not None and len(call.argument.split()) > known.words:
        raise UsageError(f"Usage: {known.usage}", hint=f"To send the line as a message: {_escaped(call)}")
    return known.run(context, call.argument)


def _escaped(call: Invocation) -> str:
    words = call.argument.split()
    shown = " ".join(words[:3]) + (" …" if len(words) > 3 else "")
    return f"//{call.name} {shown}".rstrip()
