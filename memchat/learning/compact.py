"""Extraction for small models: they write plain sentences, and rules of ours find the quote and all the rest.

A model of one or two billion parameters copies a JSON form instead of filling it, and takes 40 s to write what nobody
asked for. A few sentences it writes well, in a tenth of the time.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.learning.clauses import (
    is_foreign,
    is_passing,
    is_question,
    is_wish,
    speaks_of_oneself,
    split_clauses,
    telling_clauses,
)
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.learning.support import ABOUT_THE_PERSON, SupportCheck, mentions, reads_as_wish, units
from memchat.recall.default_cues import default_cues
from memchat.text.normalize import normalize, sentences

MAX_ANSWER_TOKENS = 200
SHORT_MESSAGE = 240
"""A message up to so many characters is shown as it is."""
LONGEST_PIECE = 320
MAX_PIECES = 4
SHARE = 0.75
"""How much of a small model's sentence must be the person's own words: it was asked for these."""

INSTRUCTIONS = Path(__file__).with_name("compact_prompt.txt").read_text(encoding="utf-8").strip()
EXAMPLES = (
    (
        "Hi! I'm a nurse and I have two cats, Pip and Bo. What could I cook tonight?",
        "User is a nurse.\nUser has two cats, Pip and Bo.",
    ),
    ("great, thanks! how far is the moon?", "none"),
    ("I just started at Bosch.", "User just started at Bosch."),
    ("Ticket #77 got closed. I'm on the bus.", "User's ticket #77 got closed."),
    ("write a poem about snow", "none"),
    ("always use metric units, ok?", "User wants metric units always."),
    ("Meine Schwester Eva ist jetzt Ärztin", "Die Schwester des Nutzers, Eva, ist jetzt Ärztin."),
)
"""What a model echoes of them is not borne by the message, and so never kept."""

_PRONOUN = re.compile(r"(?:she|he|they|i) (?P<verb>\w+(?:['’]t)?)", re.IGNORECASE)
_SINGULAR = {
    "are": "is",
    "am": "is",
    "have": "has",
    "were": "was",
    "do": "does",
    "don't": "doesn't",
    "haven't": "hasn't",
}
_SINGULAR |= {
    verb: f"{verb}s" for verb in "need prefer want like live work love hate use own play eat drink plan".split()
}
_OWNED = re.compile(r"(?:the )?user['’]s (?P<thing>\w+)", re.IGNORECASE)
_EPISODE = re.compile(
    r"(?:the )?user (?!moved|started|married|adopted|changed|switched|joined|retired|graduated|worked|lived"
    r"|studied|ordered|booked)"
    r"(?:\w+ed|got|stood|went|saw|took|did|felt|found|heard|lost|sat|ran|ate|drank|slept|woke|came|told|said"
    r"|thought|forgot)\b"
    r"(?!.*\d)",
    re.IGNORECASE,
)
"""What merely happened. A long story is full of it, and a small model notes all of it."""
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.):])\s+")


def requests(exchange: Exchange) -> Iterator[ModelRequest]:
    """The calls that learn from `exchange`, one for a few sentences that tell something; for most messages one or none.

    They ask for no schema: lines are what a small model writes best. Of a long message it would note nothing.
    """
    system = INSTRUCTIONS
    if exchange.instructions:
        system += f"\nKeep to this above all: {exchange.instructions.strip()}"
    shown = [PromptMessage(Role.SYSTEM, system)]
    for said, noted in EXAMPLES:
        shown += [PromptMessage(Role.USER, said), PromptMessage(Role.ASSISTANT, noted)]
    for piece in _pieces(exchange.user):
        messages = [*shown, PromptMessage(Role.USER, piece)]
        yield ModelRequest(messages, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS)


def _pieces(message: str) -> list[str]:
    """The message itself where it is short, else the telling sentences of it in groups."""
    if len(message) <= SHORT_MESSAGE:
        return [message] if is_worth_asking(message) else []
    groups: list[str] = []
    for clause in telling_clauses(message):
        if groups and len(groups[-1]) + len(clause) < LONGEST_PIECE:
            groups[-1] += f"\n{clause}"
        else:
            groups.append(clause[:LONGEST_PIECE])
    return groups[:MAX_PIECES]


def is_worth_asking(message: str) -> bool:
    """Whether `message` holds more than questions, tasks and thanks."""
    return any(units(clause) or is_wish(clause) for clause in telling_clauses(message))


def read(answer: str, exchange: Exchange) -> Extraction:
    """What of a model's lines is a lasting fact in the person's own words, with the words that bear it as the quote."""
    support = SupportCheck(exchange)
    said = list(telling_clauses(exchange.user))
    facts: dict[str, Fact] = {}
    for line in _lines(answer):
        quote = _bearing(line, said, exchange.user)
        if quote is None or is_passing(line) or not support.bears_words(line, SHARE):
            continue
        text = _about_the_person(line, quote)
        if text is not None and not (len(exchange.user) > SHORT_MESSAGE and _EPISODE.match(text)):
            facts.setdefault(normalize(text), _fact(text, quote))
    # A wish is kept in the person's own words where the model took it for a task.
    unnoted = set(filter(is_wish, said)) - {fact.quote for fact in facts.values() if fact.standing}
    wishes = [Fact(wish, wish, category="preference", standing=True) for wish in said if wish in unnoted]
    return Extraction((*facts.values(), *wishes))


def _lines(answer: str) -> Iterator[str]:
    for row in answer.splitlines():
        for sentence in sentences(_BULLET.sub("", row).strip(' *`"')):
            if normalize(sentence) not in {"", "none", "no facts", "nothing"} and not is_question(sentence):
                yield " ".join(sentence.split())


def _bearing(line: str, said: list[str], message: str) -> str | None:
    """The part of the message that bears what `line` says: its best sentence, or a run of sentences."""
    wanted = units(line) or set(normalize(line).split())
    held = [{unit for unit in wanted if says(unit)} for says in map(mentions, said)]
    best = max(range(len(said)), key=lambda at: len(held[at]), default=None)
    if best is None or not held[best]:
        return None
    if 2 * len(held[best]) >= len(wanted):
        return said[best]
    stating = [clause for clause, units_of in zip(said, held, strict=True) if units_of]
    start, end = message.find(stating[0]), message.find(stating[-1]) + len(stating[-1])
    together = set().union(*held)
    return message[start:end] if len(together) >= SHARE * len(wanted) and 0 <= start < end else None


def _about_the_person(line: str, quote: str) -> str | None:
    """`line` as a sentence about the person, in the language of `quote`; None where it is about nothing of theirs."""
    if is_foreign(quote) and not is_foreign(line):
        return _closest_part(line, quote)
    if ABOUT_THE_PERSON.search(line):
        return None if _claims_for_the_person(line, quote) else line
    if speaks_of_oneself(quote) and (pronoun := _PRONOUN.match(line)):
        return f"User {_SINGULAR.get(pronoun['verb'].lower(), pronoun['verb'])}{line[pronoun.end() :]}"
    return line if re.search(r"\d", line) else None


def _claims_for_the_person(line: str, quote: str) -> bool:
    """Whether `line` makes "the canteen" of `quote` a thing of the person's."""
    owned = _OWNED.match(line)
    return owned is not None and re.search(rf"(?i)\bthe {re.escape(owned['thing'])}\b", quote) is not None


def _closest_part(line: str, quote: str) -> str:
    """The clause of `quote` that `line` puts into another language."""
    parts = [part.strip() for part in split_clauses(quote) if part.strip()]
    return max(parts, key=lambda part: sum(map(mentions(part), units(line))), default=quote)


def _fact(line: str, quote: str, category: str = "other") -> Fact:
    return Fact(
        line,
        quote,
        category=category,
        cues=default_cues(category, line),
        standing=is_wish(quote) and reads_as_wish(Fact(line, line), line),
    )
