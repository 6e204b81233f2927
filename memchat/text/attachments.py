"""Files and piped text that go along with a message, fenced: learning takes none of it for the person's own words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CLOSING = re.compile(r"<(?=\s*/\s*attachment)", re.IGNORECASE)
_ATTACHED = re.compile(r"\n\n<attachment(?: name=\"[^\"\n]*\")?>\n.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text and the name of the file it comes from, None for what was piped in."""

    text: str
    name: str | None = None


def with_attachments(message: str, attachments: Iterable[Attachment]) -> str:
    """`message` with `attachments` below it, none of which can end before its end."""
    return "\n\n".join([message, *map(_fenced, attachments)])


def without_attachments(message: str) -> str:
    """What was typed of a message."""
    return _ATTACHED.sub("", message)


def _fenced(attachment: Attachment) -> str:
    name = f' name="{" ".join(attachment.name.split()).replace(chr(34), chr(39))}"' if attachment.name else ""
    return f"<attachment{name}>\n{_CLOSING.sub('‹', attachment.text)}\n</attachment>"
