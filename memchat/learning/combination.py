"""Combine the facts that rules read in a message with those of a small model, without duplicates."""

from dataclasses import replace

from memchat.learning.extraction import Extraction, Fact
from memchat.learning.support import mentions, units
from memchat.text.word_classes import denies

MOST = 0.75
"""Share of a fact's words in another from which it says nothing of its own."""

_ONLY_CHANGE = frozenset("moved move moving started became changed switched got just recently finally".split())
"""What a model says of a change, where the rules say what holds: "User lives in Graz" answers more than "moved"."""


def combined(ruled: Extraction, noted: Extraction) -> Extraction:
    """Return the facts of both; of two that say the same, the fuller one with the attributes from the rules."""
    left = list(noted.facts)
    facts: list[Fact] = []
    for fact in ruled.facts:
        beside = [one for one in left if one.quote in fact.quote or fact.quote in one.quote]
        agreeing = [one for one in beside if denies(one.text) == denies(fact.text)]
        repeats = [one for one in beside if one.standing and fact.standing]
        repeats += [one for one in agreeing if _share(one, fact) >= MOST]
        left = [one for one in left if one not in repeats]
        more = (one for one in agreeing if one not in repeats and not one.standing and not fact.standing)
        fuller = next((one for one in more if _share(fact, one) >= MOST), None)
        if fuller is None:
            facts.append(fact)
        else:
            left.remove(fuller)
            quote = fuller.quote if len(fuller.quote) > len(fact.quote) else fact.quote
            since = fact.valid_from or fuller.valid_from
            facts.append(replace(fact, text=fuller.text, quote=quote, valid_from=since))
    spoken_of = {one.quote for one in (*ruled.confirmed, *ruled.ended)}
    return replace(ruled, facts=(*facts, *(fact for fact in left if fact.quote not in spoken_of)))


def _share(fact: Fact, other: Fact) -> float:
    """Return the share of the words of `fact` that `other` contains."""
    said = units(fact.text) - _ONLY_CHANGE
    return sum(map(mentions(other.text), said)) / len(said) if said else 1.0
