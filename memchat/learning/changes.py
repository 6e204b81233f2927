"""What a new fact does to the known ones, by rules: meaning, shared numbers and words of change."""

import re
from collections.abc import Sequence
from dataclasses import replace

from memchat.core.protocols import Embedder
from memchat.core.types import Memory, Scope
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.support import denies, mentions, units
from memchat.recall.default_cues import default_cues

CATEGORY_SENTENCES = {
    "identity": "User's name, age, birthday, nationality and the languages they speak",
    "preference": "what User likes, hates, enjoys or prefers, and how to answer them",
    "work": "User's job, profession, employer, colleagues, boss and workplace",
    "project": "a project User builds, writes or codes, and the tools and languages used for it",
    "relationship": "User's family, partner, children, friends, cats and dogs",
    "health": "User's health, allergy, illness, medicine, diet, vegetarian food and sport",
    "place": "where User lives, moved to, their home, flat, city or country",
    "event": "an accident, party or visit that happened to User",
    "plan": "User's plan, appointment, trip, exam or deadline on a coming day",
    "support": "User's order, ticket, delivery, refund or broken product",
    "other": "what User owns: car, bike, phone, money, budget, habits",
}
_UNRELATED = ("User once saw a comet.", "User's neighbour paints fences.", "User's umbrella is blue.")
"""How near two sentences about a person are that have nothing to do with each other, in the embedder's own measure."""
NEAR = 0.2
"""The share of the way from unrelated to the same from which on two facts are about the same thing, if they share a
word."""
NEAR_OF_OTHER_WORDS = 0.3
"""The same where they share none."""

_CHANGES = re.compile(
    r"\b(?:now|just|anymore|any more|no longer|moved|mov(?:ed|ing)|switch\w*|chang\w*|start\w*|stopp\w*|quit"
    r"|instead|again|sold"
    r"|arrived|came|delivered|fixed|solved|resolved|closed|cancell?ed|left|got|became|turned|actually"
    r"|meanwhile|finally|from now on"
    r"|not .* but|used to|jetzt|nun|inzwischen|umgezogen|gewechselt|nicht mehr|statt\w*|angekommen|endlich"
    r"|doch|ahora|ya no"
    r"|mud[eéo]\w*|cambi\w*|llegó|desormais|maintenant|déménagé|plus|changé|arrivé|adesso|ora|più|agora|mudei"
    r"|não mais)\b"
    r"|もう|今は|引っ越し|変わ|変え|やめ|届い|现在|搬|换|不再|到了",
    re.IGNORECASE,
)
_SINGLE = tuple(
    re.compile(rf"\b(?:{forms})\b", re.IGNORECASE)
    for forms in (
        r"lives?|living|moved (?:to|into)|mov(?:es|ing) to|home is|wohn\w*|lebt|umgezogen|gezogen|zieht|vive|mudó"
        r"|habite"
        r"|déménagé|abita|mora",
        r"works? (?:as|at|for|in)|job|employer|started (?:at|as)|is an? \w+ at|arbeitet|trabaja|travaille|lavora"
        r"|trabalha",
        r"name is|named|is called|goes by|heißt|se llama|s['’]appelle|si chiama",
        r"budget",
        r"rent|miete|alquiler|loyer|affitto|aluguel",
        r"favou?rite \w+",
    )
)
"""What a person mostly has one of: a new one takes the place of the old."""
_AMOUNTS = _SINGLE[3:5]
_WISHING = frozenset("always never please answer answers reply replies keep make give use write btw".split())
_LONG_NUMBER = re.compile(r"\d{3,}")


def with_changes(found: Extraction, exchange: Exchange, embedder: Embedder) -> Extraction:
    """`found` with categories and cues, what its facts replace or confirm, and what the person asks to forget."""
    texts = [fact.text for fact in found.facts]
    if not texts:
        return found
    known = [memory.text for memory in exchange.known]
    rows = embedder.embed([*texts, *known, *_UNRELATED, *CATEGORY_SENTENCES.values()])
    near = rows[: len(texts)] @ rows.T
    count = len(texts) + len(known)
    facts, confirmed = [], []
    for at, fact in enumerate(found.facts):
        base = float(near[at, count : count + len(_UNRELATED)].mean())
        nearness = [(float(cosine) - base) / max(1.0 - base, 1e-6) for cosine in near[at, len(texts) : count]]
        same = next((n for n, memory in enumerate(exchange.known, 1) if _is_said_again(memory, fact)), None)
        if same is not None:
            confirmed.append(MemoryReference(same, fact.quote))
            continue
        names = list(CATEGORY_SENTENCES)
        category = names[int(near[at, count + len(_UNRELATED) :].argmax())]
        category = "preference" if fact.standing else category
        if category not in exchange.categories:
            category = "other"
        replaces = _replaced(fact, exchange.known, nearness)
        facts.append(replace(fact, category=category, cues=default_cues(category, fact.text), replaces=replaces))
    return replace(found, facts=tuple(facts), confirmed=tuple(confirmed))


def _is_said_again(memory: Memory, fact: Fact) -> bool:
    """Whether `fact` adds nothing to `memory`; of a wish, whether it names the same thing and no change."""
    if _says_the_same(memory.text, fact.text):
        return True
    if (
        not (memory.standing and fact.standing)
        or _CHANGES.search(fact.quote)
        or denies(memory.text) != denies(fact.text)
    ):
        return False
    about = {unit for unit in units(fact.text) if unit not in _WISHING}
    return any(map(mentions(memory.text), about))


def _says_the_same(known: str, new: str) -> bool:
    first, second = units(known), units(new)
    if denies(known) != denies(new):
        return False
    return bool(second) and all(map(mentions(known), second)) and len(first) <= len(second) + 1


def _replaced(fact: Fact, known: Sequence[Memory], nearness: Sequence[float]) -> tuple[int, ...]:
    """The number of the one known memory whose place `fact` takes, if any."""
    may = [(near, number) for number, near in enumerate(nearness, 1) if known[number - 1].scope is not Scope.AGENT]
    for near, number in sorted(may, reverse=True):
        if _takes_the_place(fact, known[number - 1], near):
            return (number,)
    return ()


def _takes_the_place(fact: Fact, memory: Memory, near: float) -> bool:
    old, new = set(_LONG_NUMBER.findall(memory.text)), set(_LONG_NUMBER.findall(fact.text))
    if fact.standing != memory.standing:
        return False
    if old and new and not any(form.search(memory.text) and form.search(fact.text) for form in _AMOUNTS):
        return bool(old & new) and near >= NEAR
    if not fact.standing and any(form.search(memory.text) and form.search(fact.text) for form in _SINGLE):
        return True
    changes = _CHANGES.search(f"{fact.quote} {fact.text}") is not None
    shared = any(map(mentions(memory.text), units(fact.text)))
    return changes and near >= (NEAR if shared or fact.standing else NEAR_OF_OTHER_WORDS)
