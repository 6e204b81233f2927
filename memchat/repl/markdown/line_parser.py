"""Recognise the kind of a Markdown line from as few of its first characters as possible."""

import re
from dataclasses import dataclass
from enum import StrEnum

from memchat.repl.markdown.wrap import QUOTE_BAR

_SURE_AFTER = 200
"""Number of characters after which an undecided line counts as plain text."""

_MOST_MARKS = 20
"""Maximum number of quote and list marks at the start of a line, to limit the work."""

_LONGEST_DELIMITER = 1_000

_BULLET = re.compile(r"([-*+]|\d{1,9}[.)])([ \t]+)(?=\S)")
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_FENCE = re.compile(r"(`{3,}|~{3,})([^`]*)$")
_RULE = re.compile(r"(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_TABLE_DELIMITER = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_SETEXT = re.compile(r" {0,3}(?:(={2,})|-{2,})[ \t]*$")
_SENTENCE_GOES_ON = re.compile(r"[.,:;!?…][ \t]|[。、，．！？：；]")
_LONGEST_TITLE = 40
"""Characters of a paragraph's first line that are held back, since an underline may make it a heading."""

_UNSURE = re.compile(r"\s*$|[-+*_=][-+*_=\s]*$|\d{1,9}[.)]?\s*$|#{1,6}\s*$|`{1,2}$|~{1,2}$|(?:```|~~~|\|)")


class Kind(StrEnum):
    BLANK = "blank"
    TEXT = "text"
    ITEM = "item"
    HEADING = "heading"
    QUOTE = "quote"
    FENCE = "fence"
    RULE = "rule"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Line:
    """The parts of the start of a line.

    `lead` is its quote marks, indentation and list marks, and `text` what follows them. `level` is a heading's
    (1 to 6), `mark` a fence's (```` ``` ````), and `indent` the columns in front of the first mark.
    """

    kind: Kind
    lead: str
    text: str
    indent: int = 0
    level: int = 0
    mark: str = ""

    @property
    def margin(self) -> str:
        """The lead with everything but quote marks replaced by blanks."""
        return "".join(c if c == QUOTE_BAR else " " for c in self.lead)

    @property
    def quoted(self) -> bool:
        return self.lead.lstrip().startswith(QUOTE_BAR)

    @property
    def is_item(self) -> bool:
        return self.kind is Kind.ITEM or bool(self.lead.strip(f" {QUOTE_BAR}"))


def is_decided(start: str) -> bool:
    """Return whether `start`, the beginning of an incomplete line, determines the line's kind.

    Lines that open code or belong to a table are never decided before their end.
    """
    if "|" not in start and len(start) > _SURE_AFTER:
        return True
    rest, _ = _split_prefix(start)
    return not _UNSURE.match(rest)


def parse_line(line: str) -> Line:
    """Parse a line without its newline, or the decided start of one."""
    rest, lead = _split_prefix(line)
    indent = len(lead) - len(lead.lstrip())
    if not rest.strip():
        return Line(Kind.BLANK, lead, "", indent)
    if _RULE.match(rest.rstrip()):
        return Line(Kind.RULE, lead, rest, indent)
    if match := _FENCE.match(rest):
        return Line(Kind.FENCE, lead, match[2].strip(), indent, mark=match[1])
    if match := _HEADING.match(rest):
        return Line(Kind.HEADING, lead, rest[match.end() :], indent, level=len(match[1]))
    if rest.startswith("|"):
        return Line(Kind.TABLE, lead, rest, indent)
    if lead.strip(f" {QUOTE_BAR}"):
        return Line(Kind.ITEM, lead, rest, indent)
    return Line(Kind.QUOTE if QUOTE_BAR in lead else Kind.TEXT, lead, rest, indent)


def is_delimiter_row(line: str) -> bool:
    """Return whether `line` is the second line of a table."""
    return "-" in line and "|" in line and len(line) < _LONGEST_DELIMITER and bool(_TABLE_DELIMITER.match(line.strip()))


def may_be_title(line: Line) -> bool:
    """Return whether `line`, as far as it has arrived, is short and plain enough for a title with an underline.

    Once it returns False for the start of a line, it does so for any continuation.
    """
    short = line.indent < 4 and len(line.text) <= _LONGEST_TITLE
    return line.kind is Kind.TEXT and short and not _SENTENCE_GOES_ON.search(line.text)


def underline_level(line: str) -> int:
    """Return the heading level of an underline: 1 for `===`, 2 for `---`, 0 for any other line."""
    match = _SETEXT.match(line)
    return 0 if not match else 1 if match[1] else 2


def closes(line: str, mark: str) -> bool:
    """Return whether `line` closes the code block that a fence of `mark` opened.

    Indentation is ignored, because models often indent the closing fence in a list item differently.
    """
    line = line.strip()
    return len(line) >= len(mark) and line == mark[0] * len(line)


def _split_prefix(line: str) -> tuple[str, str]:
    """Split `line` into its rest and the lead before it, with tabs as blanks and quote marks as bars."""
    body = line.lstrip(" \t")
    lead = line[: len(line) - len(body)].expandtabs(4)
    for _ in range(_MOST_MARKS):
        if body.startswith(">"):
            body, lead = body[1:].removeprefix(" "), lead + f"{QUOTE_BAR} "
        elif (match := _BULLET.match(body)) and not _RULE.match(body.rstrip()):
            body, lead = body[match.end() :], lead + match[1] + " "
        else:
            break
    return body, lead
