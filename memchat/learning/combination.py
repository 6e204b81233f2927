"""Combine the facts that rules read in a message with those of a small model, without duplicates."""

from dataclasses import replace

from memchat.learning.extraction import Extraction, Fact
from memchat.learning.support import denies, mentions, units

MOST = 0.75
"""Share of a fact's words in another from which it says nothing of its own."""

_ONLY_CHANGE = frozenset("moved move moving started became changed switched got just recently finally".split())
"""What a model says of a change, where the rules say what holds: "User lives in Graz" answers more than "moved"."""


def combined(ruled: Extraction, noted: Extraction) -> Extraction:
    """Return the facts of both; of two that say the same, the fuller one with the attributes from the rules."""
    left = list(noted.facts)
    facts: list[Fact] = []
    for fact in ruled.facts:
        fuller = next((one for one in left if _adds_to(one, fact)), None)
        left = [one for one in left if not _says_no_more(one, fact)]
        if fuller is None or fuller not in left:
            facts.append(fact)
        else:
            left.remove(fuller)
            quote = fuller.quote if len(fuller.quote) > len(fact.quote) else fact.quote
            since = fact.valid_from or fuller.valid_from
            facts.append(replace(fact, text=fuller.text, quote=quote, valid_from=since))
    spoken_of = {one.quote for one in (*ruled.confirmed, *ruled.ended)}
    return replace(ruled, facts=(*facts, *(fact for fact in left if fact.quote not in spoken_of)))


def _says_no_more(noted: Fact, ruled: Fact) -> bool:
    """Return whether `ruled` contains nearly all words of `noted`, or both are wishes from the same words."""
    if noted.standing and ruled.standing and _overlap(noted, ruled):
        return True
    return _overlap(noted, ruled) and denies(noted.text) == denies(ruled.text) and _share(noted, ruled) >= MOST


def _adds_to(noted: Fact, ruled: Fact) -> bool:
    """Return whether `noted` contains most words of `ruled`, and more."""
    return (
        _overlap(noted, ruled)
        and not noted.standing
        and not ruled.standing
        and denies(noted.text) == denies(ruled.text)
        and _share(ruled, noted) >= MOST
        and _share(noted, ruled) < MOST
    )


def _share(fact: Fact, other: Fact) -> float:
    """Return the share of the words of `fact` that `other` contains."""
    said = units(fact.text) - _ONLY_CHANGE
    return sum(map(mentions(other.text), said)) / len(said) if said else 1.0


def _overlap(noted: Fact, ruled: Fact) -> bool:
    return noted.quote in ruled.quote or ruled.quote in noted.quote
