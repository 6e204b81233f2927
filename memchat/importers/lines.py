"""Plain text and Markdown: one fact per line or bullet; headings, rules, tables, code and check boxes are ignored."""

import re
from collections.abc import Sequence

from memchat.importers.facts import add_fact
from memchat.importers.found import Found, Reading, SourceText, parse_json

NAME = "plain text"

_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_BOX = re.compile(r"^\[[ xX]\]\s+")
_QUOTE = re.compile(r"^\s*>\s?")
_FURNITURE = re.compile(r"^\s*(?:#{1,6}(?:\s|$)|[-*_=]{3,}\s*$|\|.*\|\s*$|<!--.*-->\s*$|!\[[^]]*\]\([^)]*\)\s*$)")
_BOLD_LABEL = re.compile(r"^\*\*[^*]+\*\*:?$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")


def recognises(source: SourceText) -> bool:
    return bool(source.text.strip())


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    prefix = f"{source.name}, line" if source.name else "Line"
    add_lines(found, source.lines, prefix, reading, numbered=True)
    return found


def add_lines(found: Found, lines: Sequence[str], place: str, reading: Reading, *, numbered: bool = False) -> None:
    """Add the facts in `lines` to `found`."""
    code = front = False
    for number, line in enumerate(lines, 1):
        if number == 1 and line.strip() == "---" and numbered:
            front = True
        elif front:
            front = line.strip() != "---"
        elif _FENCE.match(line):
            code = not code
        elif not code and line.lstrip().startswith('{"') and parse_json(line) is None:
            found.skip(f"{place} {number}" if numbered else place, "is not valid JSON")
        elif not code and (text := fact_in(line)):
            add_fact(found, {"text": text}, f"{place} {number}" if numbered else place, reading)


def fact_in(line: str) -> str:
    """Return the text of a line without list marks; empty for a heading, a rule or a table."""
    if _FURNITURE.match(line):
        return ""
    text = _BOX.sub("", _BULLET.sub("", _QUOTE.sub("", line))).strip()
    return "" if _BOLD_LABEL.match(text) or _FURNITURE.match(text) else text
