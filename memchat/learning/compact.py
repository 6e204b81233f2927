"""Extraction for small models: they write plain sentences, and rules of ours find the quote and all the rest.

A model of one or two billion parameters copies a JSON form instead of filling it, and takes 40 s to write what nobody
asked for. A few sentences it writes well, in a tenth of the time.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.learning.clauses import is_question, is_wish, telling_clauses
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.learning.support import ABOUT_THE_PERSON, SupportCheck, mentions, units
from memchat.recall.default_cues import default_cues
from memchat.text.normalize import normalize, sentences

MAX_ANSWER_TOKENS = 200
MAX_MESSAGE = 3_000
"""In characters."""
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

_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.):])\s+")


def request(exchange: Exchange) -> ModelRequest:
    """The one call that learns from `exchange`: no schema, for lines are what a small model writes best."""
    system = INSTRUCTIONS
    if exchange.instructions:
        system += f"\nKeep to this above all: {exchange.instructions.strip()}"
    messages = [PromptMessage(Role.SYSTEM, system)]
    for said, noted in EXAMPLES:
        messages += [PromptMessage(Role.USER, said), PromptMessage(Role.ASSISTANT, noted)]
    messages.append(PromptMessage(Role.USER, exchange.user[:MAX_MESSAGE]))
    return ModelRequest(messages, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS)


def is_worth_asking(exchange: Exchange) -> bool:
    """Whether the message holds more than questions, tasks and thanks."""
    return any(units(clause) or is_wish(clause) for clause in telling_clauses(exchange.user))


def read(answer: str, exchange: Exchange) -> Extraction:
    """What of a model's lines is a lasting fact in the person's own words, with the words that bear it as the quote."""
    support = SupportCheck(exchange)
    said = list(telling_clauses(exchange.user))
    facts: dict[str, Fact] = {}
    for line in _lines(answer):
        quote = _bearing(line, said, exchange.user)
        if quote is not None and ABOUT_THE_PERSON.search(line) and support.bears_words(line, SHARE):
            facts.setdefault(normalize(line), _fact(line, quote))
    # A wish is kept in the person's own words where the model took it for a task.
    unnoted = set(filter(is_wish, said)) - {fact.quote for fact in facts.values()}
    wishes = [Fact(wish, wish, category="preference", standing=True) for wish in said if wish in unnoted]
    return Extraction((*facts.values(), *wishes))


def _lines(answer: str) -> Iterator[str]:
    for row in answer.splitlines():
        for sentence in sentences(_BULLET.sub("", row).strip(' *`"')):
            if normalize(sentence) not in {"", "none", "no facts", "nothing"} and not is_question(sentence):
                yield " ".join(sentence.split())


def _bearing(line: str, said: list[str], message: str) -> str | None:
    """The sentence of the message that holds most of what `line` says; None where all of them are beside the point."""
    wanted = units(line) or set(normalize(line).split())
    best, most = None, 0
    for clause in said:
        held = sum(map(mentions(clause), wanted))
        if held > most:
            best, most = clause, held
    return best if best is not None and 2 * most >= len(wanted) else None


def _fact(line: str, quote: str, category: str = "other") -> Fact:
    return Fact(line, quote, category=category, cues=default_cues(category, line), standing=is_wish(quote))
