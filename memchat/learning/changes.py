"""Decide by rules what a fact of a small model or one added by hand changes: by meaning, numbers, words of change."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from memchat.core.protocols import Embedder
from memchat.core.types import Memory, Scope
from memchat.learning.change_words import CASE_NUMBER, CHANGES, OTHER_PERSON, SINGLE
from memchat.learning.clauses import split_clauses, telling_clauses
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.support import mentions, units
from memchat.recall.default_cues import default_cues
from memchat.text.dates import resolve_dates
from memchat.text.normalize import sentences, words
from memchat.text.word_classes import ENDS, denies

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
"""Sentences about a person that are unrelated to any fact; their cosine is the zero of the scale."""
NEAR = 0.24
"""Minimum nearness, from 0 (unrelated) to 1 (the same), of facts about one thing that share a word."""
THE_SAME = 0.9
"""Minimum nearness of sentences that say the same in other words ("as a kid", "as a child")."""
NEAR_OF_OTHER_WORDS = 0.36
"""Minimum nearness of facts about one thing that share no word."""

_SLIP = re.compile(
    r"^\W*(?:(?:ah?|oh|ach|ay|well|so|and|but|hmm?)\W+)?"
    r"(?:no|nope|sorry|oops|wait|actually|correction|my mistake|i meant|nee?|nein|doch|perd[oó]n\w*"
    r"|pardon|non|não|scusa|desculp\w*|entschuldig\w*|i said"
    r"|na verdade|en realidad|en fait|in realtà|stimmt nicht)\b(?![^.!?]*\?)"
    r"|\b(?:i (?:misread|mistyped|misremembered|mixed|meant)|got (?:it|that|the \w+) wrong|my (?:mistake|bad)"
    r"|(?:vertan|verlesen|vertippt|geirrt)|me (?:equivoqué|confundí)|trompé|errei|enganei|sbagliato)\b",
    re.IGNORECASE,
)
_LONGEST_SLIP = 90
"""Maximum length of a message that corrects something, in characters."""
_MOST_NEW_WORDS = 2
"""A correction that does not name the wrong number says little else: "oh no, 30 people fell ill" is none."""
_DENIED = re.compile(
    r"\b(?:not|nicht|kein\w*|no|non|pas|não)\b "
    r"(?:(?:the|on|in|at|am|im|zum|zur|der|die|das|dem|den|el|la|los|las|al|en|le|les|au|aux|du|des|il|gli|alle?"
    r"|os?|as?|aos?|às?|em|n[oa]s?)\b )*"
    r"(?P<wrong>\w{3,})",
    re.IGNORECASE,
)
_ARTICLE_LETTERS = 3
_BESIDE_A_CORRECTION = frozenset("sondern sino mais quatsch mist mince oops vaya said meant".split())
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[\w,] )[A-ZÀ-Þ][\w-]+")
_ALWAYS_SAID = frozenset("work job live home time day week month year now today".split())
"""Words too common to tell what is over."""
_WISHING = frozenset("always never please answer answers reply replies keep make give use write btw".split())
_HANGS_ON_PLACE = (
    "User's landlord, neighbours, rent and balcony",
    "User's way to work, the commute by train or bicycle",
    "the gym, shop, café, doctor or school near User's home",
)
_HANGS_ON_WORK = (
    "User's boss, manager and colleagues at work",
    "User's way to work, the commute by train or bicycle",
    "User's desk, office and parking at work",
)
HANGS_ON = 0.4
"""Minimum nearness of a memory that depends on a changed home or job."""


@dataclass(frozen=True, slots=True)
class _Nearness:
    """Cosines of facts and known memories, scaled so that unrelated ones are at 0 and equal ones at 1."""

    embedder: Embedder
    known: Sequence[str]

    def of(self, texts: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        """Return the nearness of each text to each of `others`."""
        if not others:
            return [[] for _ in texts]
        rows = self.embedder.embed([*texts, *others, *_UNRELATED])
        near = rows[: len(texts)] @ rows[len(texts) :].T
        base = near[:, len(others) :].mean(axis=1, keepdims=True)
        scaled: list[list[float]] = ((near[:, : len(others)] - base) / (1 - base).clip(1e-6)).tolist()
        return scaled


def with_changes(found: Extraction, exchange: Exchange, embedder: Embedder) -> Extraction:
    """Add categories and cues to `found`, and what happens to the known memories: by rules and by meaning."""
    known = exchange.known
    nearness = _Nearness(embedder, [memory.text for memory in known])
    corrected = _corrections(found, exchange)
    # What else a model makes of a correction ("User misread the letter") is of no use.
    others = [
        fact for fact in found.facts if not any(fact.quote in one.quote or one.quote in fact.quote for one in corrected)
    ]
    found = replace(found, facts=(*others, *corrected))
    found = replace(found, facts=_without_repeats(found.facts, nearness))
    facts: list[Fact] = []
    confirmed = list(found.confirmed)
    near = nearness.of([fact.text for fact in found.facts], nearness.known) if found.facts else []
    settled = {n for fact in found.facts for n in fact.replaces} | {one.number for one in (*found.ended, *found.forget)}
    for fact, to_known in zip(found.facts, near, strict=True):
        same = next((n for n, memory in enumerate(known, 1) if _is_said_again(memory, fact)), None)
        if same is not None and not fact.replaces:
            confirmed.append(MemoryReference(same, fact.quote))
            continue
        replaces = fact.replaces or tuple(n for n in _replaced(fact, known, to_known) if n not in settled)
        settled.update(replaces)
        facts.append(replace(fact, replaces=replaces))
    facts = _categorized(facts, exchange, nearness)
    ended = [*found.ended, *_ended(exchange, facts, settled)]
    facts = _ending(facts, ended)
    ended = [one for one in ended if not any(one.number in fact.replaces for fact in facts)]
    outdated = _outdated(facts, exchange, nearness, settled | {one.number for one in (*ended, *confirmed)})
    return replace(
        found,
        facts=tuple(facts),
        confirmed=tuple(confirmed),
        ended=tuple(ended),
        outdated=tuple(dict.fromkeys((*found.outdated, *outdated))),
    )


def _without_repeats(facts: Sequence[Fact], nearness: _Nearness) -> tuple[Fact, ...]:
    """Drop facts that say in other words what an earlier one says."""
    texts = [fact.text for fact in facts]
    if len(texts) < 2:
        return tuple(facts)
    near = nearness.of(texts, texts)
    return tuple(
        fact
        for at, fact in enumerate(facts)
        if not any(
            near[at][before] >= THE_SAME
            and denies(fact.text) == denies(texts[before])
            and not _NUMBER.search(fact.text)
            for before in range(at)
        )
    )


def _corrections(found: Extraction, exchange: Exchange) -> list[Fact]:
    """Return the latest memory with the number or the word that the user corrects, corrected.

    As in "no wait, it's from 2016", "I said the 19th, it's the 26th" and "sorry, Tuesday, not Monday".
    """
    message = exchange.user
    if not _SLIP.search(message) or len(message) > _LONGEST_SLIP or found.ended:
        return []
    restated = [fact for fact in found.facts if fact.text not in message]
    for number, memory in sorted(enumerate(exchange.known, 1), key=lambda one: one[1].created_at, reverse=True):
        changed = None if memory.scope is Scope.AGENT else _changed_word(message, memory.text)
        if changed is not None and not any(changed[1] in fact.text for fact in restated):
            text = re.sub(rf"(?<!\w){re.escape(changed[0])}", changed[1], memory.text, flags=re.IGNORECASE)
            quote = next(part for part in sentences(message) if changed[1] in part)
            return [Fact(text, quote, memory.category, valid_from=memory.valid_from, replaces=(number,), mistaken=True)]
    return []


def _digits(number: str) -> int:
    return sum(map(str.isdigit, number))


def _changed_word(message: str, known: str) -> tuple[str, str] | None:
    """Return the word or number of `known` that `message` puts right, and the right one."""
    said, numbers = dict.fromkeys(_NUMBER.findall(message)), _NUMBER.findall(known)
    right = [one for one in said if one not in numbers]
    if len(right) == 1:
        wrong = [one for one in said if one in numbers]
        beside = next((part for part in split_clauses(message) if right[0] in part), message)
        if not wrong and (len(_new_words(message, known)) <= _MOST_NEW_WORDS or not _new_words(beside, known)):
            wrong = _of_one_kind(numbers, known, right[0], message)
        return (wrong[0], right[0]) if len(wrong) == 1 else None
    denied = _DENIED.search(message)
    if right or denied is None or not re.search(rf"(?i)(?<!\w){re.escape(denied['wrong'])}(?!\w)", known):
        return None
    rest = _SLIP.sub(" ", message[: denied.start()] + " " + message[denied.end() :])
    others = [word for word in words(rest) if len(word) > _ARTICLE_LETTERS and word not in _BESIDE_A_CORRECTION]
    kept = re.search(rf"(?i)\b{re.escape(others[0])}\b", message) if len(others) == 1 else None
    return (denied["wrong"], kept[0]) if kept else None


def _of_one_kind(numbers: Sequence[str], known: str, right: str, message: str) -> list[str]:
    """Return those of `numbers` that count the same in `known` as `right` in `message`, else those as long as it."""
    counted = re.search(rf"{re.escape(right)} (\w{{3,}})", message)
    same = [one for one in numbers if counted and re.search(rf"(?<!\d){re.escape(one)} {counted[1]}\b", known)]
    return same or [one for one in numbers if _digits(one) == _digits(right)]


def _new_words(said: str, known: str) -> list[str]:
    return [unit for unit in units(_SLIP.sub(" ", said)) if not unit.isdecimal() and not mentions(known)(unit)]


def _categorized(facts: Sequence[Fact], exchange: Exchange, nearness: _Nearness) -> list[Fact]:
    """Give each of `facts` without a category the nearest one, and its cues."""
    open_ones = [fact.text for fact in facts if fact.category == "other" and not fact.standing]
    near = iter(nearness.of(open_ones, list(CATEGORY_SENTENCES.values())) if open_ones else [])
    names = list(CATEGORY_SENTENCES)
    done = []
    for fact in facts:
        category = fact.category
        if fact.standing:
            category = "preference"
        elif category == "other":
            row = next(near)
            category = names[row.index(max(row))]
        category = category if category in exchange.categories else "other"
        done.append(replace(fact, category=category, cues=default_cues(category, fact.text)))
    return done


def _ended(exchange: Exchange, facts: Sequence[Fact], settled: Collection[int]) -> list[MemoryReference]:
    """Return the known memories that a sentence says are over: those that share most of its words."""
    found = []
    for clause in telling_clauses(exchange.user):
        if not ENDS.search(clause) or any(fact.replaces and fact.quote == clause for fact in facts):
            continue
        says = mentions(clause)
        shared = {
            number: sum(map(says, units(memory.text) - _ALWAYS_SAID))
            for number, memory in enumerate(exchange.known, 1)
            if number not in settled and memory.scope is not Scope.AGENT and not ENDS.search(memory.text)
        }
        most = max(shared.values(), default=0)
        if most:
            day = resolve_dates(clause, exchange.today).day
            ended_on = day if day is not None and day <= exchange.today else None
            found.append(MemoryReference(max(shared, key=shared.__getitem__), clause, ended_on))
    return found


def _ending(facts: Sequence[Fact], ended: Sequence[MemoryReference]) -> list[Fact]:
    """Let a fact about an ending replace the memory that is over."""
    by_quote = {one.quote: one.number for one in ended}
    return [
        replace(fact, replaces=(by_quote[fact.quote],))
        if not fact.replaces and fact.quote in by_quote and ENDS.search(fact.text)
        else fact
        for fact in facts
    ]


def _outdated(
    facts: Sequence[Fact], exchange: Exchange, nearness: _Nearness, settled: Collection[int]
) -> Sequence[int]:
    """Return the known memories that depend on a changed one: by a name they share with it, or by meaning."""
    gone = [(exchange.known[n - 1], fact) for fact in facts if not fact.mistaken for n in fact.replaces]
    left = {n: memory for n, memory in enumerate(exchange.known, 1) if n not in settled}
    if not gone or not left:
        return []
    found = []
    for former, fact in gone:
        names = {name for name in _NAME.findall(former.text) if name.lower() not in fact.text.lower()}
        found += [n for n, memory in left.items() if names & set(_NAME.findall(memory.text))]
        for form, prototypes in ((SINGLE[0], _HANGS_ON_PLACE), (SINGLE[1], _HANGS_ON_WORK)):
            if form.search(former.text) and form.search(fact.text):
                near = nearness.of([memory.text for memory in left.values()], prototypes)
                found += [n for n, row in zip(left, near, strict=True) if max(row) >= HANGS_ON]
    return list(dict.fromkeys(found))


def _is_said_again(memory: Memory, fact: Fact) -> bool:
    """Return whether `fact` adds nothing to `memory`; of a wish, whether it names the same thing and no change."""
    known, said = units(memory.text), units(fact.text)
    agrees = denies(memory.text) == denies(fact.text)
    if agrees and said and all(map(mentions(memory.text), said)) and len(known) <= len(said) + 1:
        return True
    if (
        not (memory.standing and fact.standing)
        or CHANGES.search(fact.quote)
        or denies(memory.text) != denies(fact.text)
    ):
        return False
    about = {unit for unit in units(fact.text) if unit not in _WISHING}
    return any(map(mentions(memory.text), about))


def _replaced(fact: Fact, known: Sequence[Memory], nearness: Sequence[float]) -> tuple[int, ...]:
    """Return the number of the nearest known memory that `fact` replaces, if any, in a tuple."""
    said = units(fact.text)
    changes = CHANGES.search(f"{fact.quote} {fact.text}") or ENDS.search(fact.quote)
    for near, number in sorted(((near, number) for number, near in enumerate(nearness, 1)), reverse=True):
        memory = known[number - 1]
        if memory.scope is Scope.AGENT or fact.standing != memory.standing:
            continue
        if _person(fact.text) != _person(memory.text):
            continue
        old, new = _case_numbers(memory.text), _case_numbers(fact.text)
        new |= {case for case in old if re.search(rf"(?<!\d){case}(?!\d)", fact.text)}
        shared = set(filter(mentions(memory.text), said))
        is_single = not fact.standing and any(form.search(memory.text) and form.search(fact.text) for form in SINGLE)
        if old and new:
            replaces = bool(old & new) and near >= NEAR
        elif is_single or (said and shared == said and denies(fact.text) != denies(memory.text)):
            replaces = True
        else:
            replaces = bool(changes) and near >= (NEAR if shared or fact.standing else NEAR_OF_OTHER_WORDS)
        if replaces:
            return (number,)
    return ()


def _person(text: str) -> str:
    """Return which of the user's people a sentence is about ("sister"); empty if it is about the user."""
    found = OTHER_PERSON.match(text)
    return found["who"].lower() if found else ""


def _case_numbers(text: str) -> set[str]:
    return {number for pair in CASE_NUMBER.findall(text) for number in pair if number}
