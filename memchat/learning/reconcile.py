"""Turn an extraction into decisions about memories: add, replace, confirm, end, mark as outdated, forget."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from memchat.core.types import (
    Add,
    Confirm,
    Decision,
    Draft,
    End,
    Evidence,
    Forget,
    MarkOutdated,
    Memory,
    Metadata,
    Owner,
    Scope,
    Source,
)
from memchat.learning.evidence import EvidenceGate
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.quote_matching import QuotedMessage
from memchat.learning.sentence_kinds import SentenceKind, SentenceKinds
from memchat.learning.support import mentions, reads_as_wish, units
from memchat.text.normalize import ABOUT_THE_PERSON, sentences

_ERASE = (
    r"forg[eo]t|delet|remov|eras|drop that|scrub|wipe|vergiss|vergess|lösch|streich|olvid|borr[ae]|elimin|oubli|efface"
    r"|supprim|dimentic|cancell|esque[cç]|apag"
)
_ASKS_TO_FORGET = re.compile(rf"{_ERASE}|忘れ|削除|消し|消去|忘记|忘掉|删除", re.IGNORECASE)
_ASKS_NO_FORGETTING = re.compile(
    # "don't ever forget", "I always forget", "vergiss nicht", "no te olvides", "n'oublie pas", "忘れないで", "别忘了"
    rf"(?:n['’]t|\b(?:dont|not|never|without|i|nicht)) (?:\w+ )?(?:{_ERASE})\w*|\bvergiss (?:\w+ ){{0,3}}nicht"
    r"|\b(?:no|non|não) (?:\w+ )?(?:olvid|borr|elimin|dimentic|cancell|esque|apag)\w*|\bn['’](?:oubli|effac)\w*"
    r"|(?:忘れ|削除し|消さ)な|忘れず|(?:别|不要|不)(?:忘|删除)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LearningSource:
    """The owner and the source of an exchange's facts."""

    owner: Owner
    session_id: str
    message_id: str
    model: str
    agent: str | None = None
    metadata: Metadata = field(default_factory=dict)
    learns_agent: bool = False
    scope: Scope | None = None
    """The scope of every fact, if the model does not choose it."""
    expires_at: datetime | None = None
    kinds: SentenceKinds | None = None
    """Classifies sentences in languages without a list of words."""


def decide(extraction: Extraction, exchange: Exchange, learning: LearningSource) -> list[Decision]:
    """Decide what `extraction` changes. Drops what the user did not say, and ignores unknown numbers.

    New facts may replace an agent's memories; its users can neither end nor forget them.
    """
    known = dict(enumerate(exchange.known, 1))
    own = {number: memory for number, memory in known.items() if memory.owner == learning.owner}
    gate = EvidenceGate(exchange, learning.kinds)
    forgotten, over = _asked_to_forget(extraction, exchange, own, learning.kinds)
    decisions: list[Decision] = []
    for fact in extraction.facts:
        if (quote := gate.quote_of(fact)) is not None:
            replaced = [known[n] for n in fact.replaces if n in known and known[n].id not in forgotten]
            decisions.append(_add(fact, quote, replaced, exchange, learning))
    touched = {m for d in decisions if isinstance(d, Add) for m in d.replaces}
    decisions += [Forget(memory_id, "asked to forget") for memory_id in forgotten]
    ended = [m for m in (*over, *extraction.ended) if gate.mentions(m)]
    confirmed = [m for m in extraction.confirmed if gate.confirms(m, own.get(m.number))]
    # A memory becomes outdated only when something else has changed.
    outdated = extraction.outdated if decisions or ended else ()
    rest = replace(extraction, ended=tuple(ended), confirmed=tuple(confirmed), outdated=outdated)
    return decisions + _other_decisions(rest, exchange, own, touched.union(forgotten))


def _add(fact: Fact, quote: str, replaced: Sequence[Memory], exchange: Exchange, learning: LearningSource) -> Add:
    reaches = {memory.scope for memory in replaced} - {Scope.AGENT}
    for_agent = fact.scope is Scope.AGENT
    if learning.scope is not None or learning.owner.kind is not Scope.USER:
        scope = learning.scope or learning.owner.kind
    elif for_agent and (not (learning.learns_agent and learning.agent) or ABOUT_THE_PERSON.match(fact.text)):
        # Agent memory needs the agent's consent, and is never about the user.
        scope = Scope.USER
    elif not reaches or fact.scope in reaches:
        scope = fact.scope
    else:
        # A fact has the scope of the memories it replaces.
        scope = Scope.USER if Scope.USER in reaches else Scope.SESSION
    owner = Owner.agent(learning.agent) if scope is Scope.AGENT and learning.agent else learning.owner
    draft = Draft(
        fact.text,
        owner,
        scope=scope,
        category=next((name for name in exchange.categories if name.lower() == fact.category.lower()), "other"),
        session_id=learning.session_id if scope is Scope.SESSION else None,
        agent=learning.agent,
        metadata=learning.metadata,
        valid_from=fact.valid_from,
        valid_to=fact.valid_to,
        expires_at=learning.expires_at,
        cues=fact.cues,
        standing=fact.standing and reads_as_wish(fact, quote, learning.kinds),
        source=Source.SAID,
        evidence=Evidence(learning.message_id, learning.session_id, quote, learning.model),
    )
    same_reach = tuple(memory.id for memory in replaced if memory.owner == owner and memory.scope is scope)
    return Add(draft, same_reach, mistaken=fact.mistaken, reason="said in conversation")


def _asked_to_forget(
    extraction: Extraction, exchange: Exchange, known: Mapping[int, Memory], kinds: SentenceKinds | None
) -> tuple[list[str], list[MemoryReference]]:
    """Return the ids that the user asked to forget, and the references that only say that something is over.

    "Don't forget that I…" is neither.
    """
    message = QuotedMessage(exchange.user)
    quoted = [(m, message.find(m.quote)) for m in extraction.forget if m.number in known]
    mentioned = [(mention, quote) for mention, quote in quoted if quote is not None]
    if _ASKS_TO_FORGET.search(_ASKS_NO_FORGETTING.sub("", exchange.user)):
        return list(dict.fromkeys(known[mention.number].id for mention, _ in mentioned)), []
    if _ASKS_NO_FORGETTING.search(exchange.user):
        return [], []
    if kinds is None:
        return [], [mention for mention, _ in mentioned]
    # In languages whose words are not listed above, by the meaning of the sentence.
    said = [next((one for one in sentences(exchange.user) if quote in one), quote) for _, quote in mentioned]
    meant = [(mention, kinds.of_a_mention(one)) for (mention, _), one in zip(mentioned, said, strict=True)]
    asked = [known[mention.number].id for mention, kind in meant if kind is SentenceKind.FORGET]
    return list(dict.fromkeys(asked)), [mention for mention, kind in meant if kind is SentenceKind.OVER]


def references_to_forget(exchange: Exchange) -> tuple[MemoryReference, ...]:
    """Return the known memories of which a sentence that asks to forget contains at least half the words."""
    found = []
    for sentence in sentences(exchange.user):
        if not _ASKS_TO_FORGET.search(_ASKS_NO_FORGETTING.sub("", sentence)):
            continue
        says = mentions(sentence)
        for number, memory in enumerate(exchange.known, 1):
            wanted = units(memory.text)
            if wanted and 2 * sum(map(says, wanted)) >= len(wanted):
                found.append(MemoryReference(number, sentence))
    return tuple(found)


def _other_decisions(
    extraction: Extraction, exchange: Exchange, known: Mapping[int, Memory], settled: Collection[str]
) -> list[Decision]:
    """Decide about the known memories that are neither replaced nor forgotten, once for each."""
    decisions: list[Decision] = []
    touched = set(settled)

    def fates_of(numbers: Sequence[int]) -> list[Memory]:
        memories = [known[n] for n in dict.fromkeys(numbers) if n in known and known[n].id not in touched]
        touched.update(memory.id for memory in memories)
        return memories

    for mention in extraction.ended:
        for memory in fates_of([mention.number]):
            decisions.append(End(memory.id, mention.valid_to or exchange.today, "said to be over"))
    said_again = fates_of([mention.number for mention in extraction.confirmed])
    decisions += [Confirm(memory.id, "said again") for memory in said_again]
    outdated = fates_of(extraction.outdated)
    decisions += [MarkOutdated(memory.id) for memory in outdated]
    return decisions
