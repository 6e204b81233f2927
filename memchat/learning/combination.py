"""What the rules read in a message together with what a small model noted of it, nothing twice."""

from dataclasses import replace

from memchat.learning.extraction import Extraction, Fact
from memchat.learning.support import denies, mentions, units

MOST = 0.75
"""From this share of its words on a fact says nothing that another does not."""


def combined(ruled: Extraction, noted: Extraction) -> Extraction:
    """The facts of both: of two that say the same the fuller one, with what the rules know of it."""
    left = list(noted.facts)
    facts: list[Fact] = []
    for fact in ruled.facts:
        fuller = next((one for one in left if _adds_to(one, fact)), None)
        left = [one for one in left if not _says_no_more(one, fact)]
        if fuller is None or fuller not in left:
            facts.append(fact)
        else:
            left.remove(fuller)
            facts.append(_with_rules(fuller, fact))
    spoken_of = {one.quote for one in (*ruled.confirmed, *ruled.ended)}
    return replace(ruled, facts=(*facts, *(fact for fact in left if fact.quote not in spoken_of)))


def _says_no_more(noted: Fact, ruled: Fact) -> bool:
    """Whether nearly all that `noted` says is in `ruled`, or both put the same words as a wish."""
    if noted.standing and ruled.standing and _overlap(noted, ruled):
        return True
    return _overlap(noted, ruled) and denies(noted.text) == denies(ruled.text) and _share(noted, ruled) >= MOST


def _adds_to(noted: Fact, ruled: Fact) -> bool:
    """Whether `noted` says most of what `ruled` does, and more."""
    return (
        _overlap(noted, ruled)
        and not noted.standing
        and not ruled.standing
        and denies(noted.text) == denies(ruled.text)
        and _share(ruled, noted) >= MOST
        and _share(noted, ruled) < MOST
    )


def _share(fact: Fact, other: Fact) -> float:
    """How much of what `fact` says `other` says as well."""
    said = units(fact.text)
    return sum(map(mentions(other.text), said)) / len(said) if said else 1.0


def _overlap(noted: Fact, ruled: Fact) -> bool:
    return noted.quote in ruled.quote or ruled.quote in noted.quote


def _with_rules(noted: Fact, ruled: Fact) -> Fact:
    return replace(
        ruled,
        text=noted.text,
        quote=noted.quote if len(noted.quote) > len(ruled.quote) else ruled.quote,
        valid_from=ruled.valid_from or noted.valid_from,
    )
