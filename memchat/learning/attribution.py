"""Tell whether a line of a small model says of the user what the message says of somebody or something else."""

import re
from collections.abc import Callable
from itertools import takewhile

from memchat.learning.clauses import speaks_of_oneself, split_clauses
from memchat.learning.support import mentions, units
from memchat.text.normalize import words

_OWNED = re.compile(r"(?:the )?user['’]s (?P<thing>\w+)", re.IGNORECASE)
_OTHER_SUBJECT = re.compile(
    r"^\W*(?:(?:and|but|so|well|then|say)\W+)*(?:he|she|they|some(?:one|body)|every(?:one|body)|no(?:body| one)|people"
    r"|an? (?:man|woman|guy|girl|boy|couple|person|friend|colleague|customer|client))\b",
    re.IGNORECASE,
)
_OTHER_CLAUSE = re.compile(r"^\W*(?:(?:and|but|so|because)\W+)?(?:he|she|they|it|which|who|that)\b", re.IGNORECASE)
_THERE = re.compile(
    r"\b(?:go|goes|going|went|been|mov(?:e|es|ed|ing)|stay\w*|liv(?:e|es|ed|ing)|work\w*|flew|travel\w*|return\w*|born)"
    r" (?:back )?there\b"
)
_NAME = re.compile(r"(?<=[\w,] )[A-ZÀ-Þ]\w")


def is_misattributed(line: str, quote: str) -> bool:
    """Return whether `line` gives the user what `quote` says of others, of Priya, or of "the canteen"."""
    owner, owned = re.match(r"(\w+)['’]s\b", line), _OWNED.match(line)
    # What Priya did was not done by Priya's colleague.
    owner_acts = owner and re.search(rf"\b{re.escape(owner[1])}(?!['’]s)\b", quote)
    if owner_acts and not re.search(r"\b(?:his|her|their)\b", quote, re.IGNORECASE):
        return True
    if owned and re.search(rf"(?i)\bthe {re.escape(owned['thing'])}\b", quote):
        return True
    return _gives_to_the_person(line, quote)


def points_to_a_place(line: str) -> bool:
    """Return whether `line` says "there" and names no place."""
    return _THERE.search(line) is not None and _NAME.search(line) is None


def owns_unsaid(line: str, quote: str, known: Callable[[str], bool]) -> bool:
    """Return whether `line` gives the user a thing or a relative that neither `quote` nor what is `known` mentions."""
    said = mentions(quote)
    return any(not said(one) and not known(one) for thing in _OWNED.finditer(line) for one in units(thing["thing"]))


def _gives_to_the_person(line: str, quote: str) -> bool:
    """Return whether the subject of `line` is the user, and that of its words in `quote` is "he" or "which"."""
    subject = re.match(r"(?:the )?user (?!['’])", line, re.IGNORECASE)
    if subject is None:
        return False
    if not speaks_of_oneself(quote) and _OTHER_SUBJECT.match(quote):
        return True
    telling = units(line)
    said = next((word for word in words(line[subject.end() :]) if word in telling), None)
    if said is None:
        return False
    bearing = [clause for clause in split_clauses(quote) if mentions(clause)(said)]

    def is_of_another(clause: str) -> bool:
        before = " ".join(takewhile(lambda word: not mentions(word)(said), clause.split()))
        return _OTHER_CLAUSE.match(clause) is not None and not speaks_of_oneself(before)

    return bool(bearing) and all(map(is_of_another, bearing))
