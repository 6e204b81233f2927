"""What a line of markdown is, told from as few of its first characters as possible."""

import re
from dataclasses import dataclass
from enum import StrEnum

from memchat.repl.markdown.wrap import QUOTE_BAR

_SURE_AFTER = 200
"""A line whose start still says nothing after so many characters is plain text."""

_MOST_MARKS = 20
"""Quote and list marks in front of one line that are told apart; a bound on the work, not on taste."""

_LONGEST_DELIMITER = 1_000

_BULLET = re.compile(r"([-*+]|\d{1,9}[.)])([ \t]+)(?=\S)")
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_FENCE = re.compile(r"(`{3,}|~{3,})([^`]*)$")
_RULE = re.compile(r"(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_TABLE_DELIMITER = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_SETEXT = re.compile(r" {0,3}(?:(={2,})|-{2,})[ \t]*$")
_SENTENCE_GOES_ON = re.compile(r"[.,:;!?…][ \t]|[。、，．！？：；]")
_LONGEST_TITLE = 40
"""Characters of a paragraph's first line that are held back because an underline may make them a heading."""

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
    """The start of a line taken apart: what is printed before its text, and where its wrapped lines begin.

    `lead` is the quote marks, indentation and list marks in front; `text` what follows them. `level` is a heading's
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
        """The lead as blanks, quote marks kept."""
        return "".join(c if c == QUOTE_BAR else " " for c in self.lead)

    @property
    def quoted(self) -> bool:
        return self.lead.lstrip().startswith(QUOTE_BAR)

    @property
    def is_item(self) -> bool:
        return self.kind is Kind.ITEM or bool(self.lead.strip(f" {QUOTE_BAR}"))


def is_decided(start: str) -> bool:
    """Whether `start`, the beginning of a line still arriving, already says what kind of line it is.

    Lines that open code or belong to a table never do: they are read whole.
    """
    if "|" not in start and len(start) > _SURE_AFTER:
        return True
    rest, _ = _split_prefix(start)
    return not _UNSURE.match(rest)


def parse_line(line: str) -> Line:
    """Take apart a line (without its newline) or the settled start of one."""
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
    """Whether `line` is the second line of a table."""
    return "-" in line and "|" in line and len(line) < _LONGEST_DELIMITER and bool(_TABLE_DELIMITER.match(line.strip()))


def may_be_title(line: Line) -> bool:
    """Whether the text of `line`, or what has come of it, is so short and plain that an underline may follow it.

    What once was too much for a title stays so, however the line goes on.
    """
    short = line.indent < 4 and len(line.text) <= _LONGEST_TITLE
    return line.kind is Kind.TEXT and short and not _SENTENCE_GOES_ON.search(line.text)


def underline_level(line: str) -> int:
    """The level of the heading that `line` makes of the text above it: 1 for `===`, 2 for `---`, 0 for none."""
    match = _SETEXT.match(line)
    return 0 if not match else 1 if match[1] else 2


def closes(line: str, mark: str) -> bool:
    """Whether `line` ends the code that a fence of `mark` opened.

    Its indentation is not looked at: models often indent the closing fence of a list item's code otherwise.
    """
    line = line.strip()
    return len(line) >= len(mark) and line == mark[0] * len(line)


def _split_prefix(line: str) -> tuple[str, str]:
    """The rest of `line` and the lead in front of it, tabs as blanks, quote marks as bars."""
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
