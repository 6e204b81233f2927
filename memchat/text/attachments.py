"""Fence files and piped text sent with a message, so that learning does not take them for the user's own words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CLOSING = re.compile(r"<(?=\s*/\s*attachment)", re.IGNORECASE)
_ATTACHED = re.compile(r"\n\n<attachment(?: name=\"[^\"\n]*\")?>\n.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text and the name of its file, None for piped text."""

    text: str
    name: str | None = None


def with_attachments(message: str, attachments: Iterable[Attachment]) -> str:
    """Append `attachments` to `message`, each fenced so that its text cannot close the fence."""
    parts = [message]
    for attachment in attachments:
        name = f' name="{" ".join(attachment.name.split()).replace(chr(34), chr(39))}"' if attachment.name else ""
        parts.append(f"<attachment{name}>\n{_CLOSING.sub('‹', attachment.text)}\n</attachment>")
    return "\n\n".join(parts)


def without_attachments(message: str) -> str:
    """Return the typed part of a message."""
    return _ATTACHED.sub("", message)
