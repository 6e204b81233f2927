"""Load the offline model's rules from `patterns.txt`: which sentences to keep, and what they are about.

Facts are matched as third-person sentences ('User lives in Berlin'), so that the same rules read new statements and
known memories.
"""

import re
from functools import cache
from pathlib import Path

from memchat.offline.grammar import ADVERBS

_IDLE = re.compile(
    rf"^(User(?: is| has| was| does|))(?: (?:{ADVERBS})(?<! never)(?<! hardly)(?<! rarely)(?<! ever))+(?= )"
)
_LIST = re.compile(r"\{([a-z]+)\}")


def category_of(sentence: str) -> str | None:
    """Return the category of a fact; None for a sentence that is not worth keeping."""
    plain = _plain(sentence)
    return next((category for category, shape in _section("shapes") if shape.fullmatch(plain)), None)


def about(sentence: str) -> dict[str, str]:
    """Return the values that `sentence` gives to things of which there is one at a time: {'home': 'berlin'}."""
    found: dict[str, str] = {}
    for name, pattern in _section("about"):
        if match := pattern.match(_plain(sentence)):
            groups = match.groupdict()
            named = re.sub(r"[^\w ]", "", name.format(what=(groups.get("what") or "").lower()))
            value = groups.get("v") or groups.get("w") or ""
            found.setdefault(named, re.split(r" since |, | with | for | \(", value)[0].lower())
    return found


@cache
def word_list(words: str) -> re.Pattern[str]:
    """Return a pattern for any word of the list `words`."""
    return _compile(rf"{{{words}}}\b")


@cache
def pattern(name: str) -> re.Pattern[str]:
    """Return the pattern `name` of the section `marks`."""
    return _compile(dict(_sections()["marks"])[name])


def add_subject(words: str) -> str:
    """Add the subject that was left out ('Sold the car.', 'Rent went up.')."""
    for subject, pattern in _section("elided"):
        if pattern.match(words):
            return f"{subject} {words[0].lower()}{words[1:]}"
    return words


def rephrase(words: str) -> str:
    """Rewrite `words` in the plain form that the grammar expects: subject first, dates last."""
    for plain, pattern in _section("rephrased"):
        words = pattern.sub(plain, words)
    return words


def _plain(sentence: str) -> str:
    sentence = re.sub(r"\b[Tt]he user\b", "User", sentence.strip().rstrip("."))
    return _IDLE.sub(r"\1", sentence)


@cache
def _section(name: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row, _compile(pattern)) for row, pattern in _sections()[name])


def _compile(pattern: str) -> re.Pattern[str]:
    lists = dict(_sections()["words"])
    while _LIST.search(pattern):
        pattern = _LIST.sub(lambda name: f"(?i:{lists[name[1]]})", pattern)
    return re.compile(pattern)


@cache
def _sections() -> dict[str, list[tuple[str, str]]]:
    """Return the rows of each section: name and pattern; in `rephrased` the replacement and the pattern."""
    sections: dict[str, list[tuple[str, str]]] = {}
    rows: list[tuple[str, str]] = []
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"\[(\w+)\]", line):
            rows = sections.setdefault(heading[1], [])
        elif " => " in line:
            pattern, _, plain = line.partition(" => ")
            rows.append((plain, pattern))
        elif line and not line.startswith("#"):
            name, _, pattern = line.partition(": ")
            rows.append((name, pattern))
    return sections
