"""Recognise statements that no longer hold: their memory was superseded or edited, has ended, or was never true.

A statement is recognised by the words that distinguish its memory from what replaced it. A message that answers such a
statement needs fewer of them than one elsewhere. What was said after the end is not meant: said again, the fact would
have been learned again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from memchat.core.protocols import MessageCandidate, StaleMemory
from memchat.recall.statement_units import is_short, units
from memchat.text.normalize import ABOUT_THE_PERSON, sentences
from memchat.text.patterns import compiled
from memchat.text.word_classes import ENDS, FORM_WORDS, denies

MAY_BE_MISSING = 3
"""One in this many of the words that distinguish a fact, but no name, may be missing from a sentence that states it."""
ANSWERED_CHARACTERS = 4_000
"""Maximum length of the beginning of a message that is searched for the statements that the next one answers."""
CACHED_MEMORIES = 5_000
"""Maximum number of memories whose distinguishing words are cached."""
_FORM_WORDS_ELSEWHERE = frozenset(
    """
    een het van met voor niet heeft hebben naar dat dit ook aan bij nog woont werkt har ett och som för med inte till
    från den det ikke bor jobbar arbejder jobber jest mają nie dla się już jako jego jej mieszka pracuje bir için ile
    çok yaşıyor çalışıyor есть был была для как уже его живет живёт работает від має живе працює egy este are
    """.split()
)
"""Words like FORM_WORDS of languages that it lacks."""
_OTHERS = (
    r"(?:sister|brother|mother|father|mum|mom|dad|parent|wife|husband|partner|girlfriend|boyfriend|friend|colleague|boss|"
    r"neighbou?r|aunt|uncle|cousin|son|daughter|kid|child|niece|nephew|grand(?:ma|pa|mother|father)|flatmate|roommate|"
    r"schwester|bruder|mutter|vater|eltern|frau|mann|freund|kolleg|chef|nachbar|tante|onkel|cousin|sohn|tochter|kinder|"
    r"herman[oa]|madre|padre|mujer|marido|novi[oa]|amig[oa]|jef[ea]|vecin[oa]|tí[oa]|prim[oa]|hij[oa]|"
    r"sœur|soeur|frère|mère|père|femme|mari|ami|collègue|fils|fille)"
)


_OTHER_SUBJECT = (
    r"(?:\w+, )?(?:he|she|they|er|él|ella|elle|"
    r"(?:my|our|your|his|her|their|mein|unser|dein|mi|nuestr|tu|mon|ma|mes|ton|ta)\w* (?:\w+ ){0,2}?"
    rf"{_OTHERS}\w*)\b"
    r"(?!.*\b(?:I|we|ich|wir|yo|nosotros|je|nous)\b)"
)
"""A sentence that tells of somebody else: "My older sister lives in Berlin", not "My sister and I live …"."""


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why a statement is stale: `now` holds instead, or it `ended` on a day. A `mistaken` one never held."""

    now: str | None = None
    ended: date | None = None
    mistaken: bool = False


@dataclass(frozen=True, slots=True)
class _Former:
    """The words of a memory that no longer holds: the units that set it `apart` from its successor, and the shared.

    `named` says that a name sets it apart, `common` that only such words do as every statement may have. `names` are
    the units of names; `of_other` says that it is not about the user.
    """

    memory: StaleMemory
    apart: frozenset[str]
    shared: tuple[str, ...]
    names: frozenset[str]
    named: bool
    common: bool
    of_other: bool

    def is_in(self, said: Collection[str], sentence: str) -> bool:
        """Return whether a sentence with the units `said` states it by itself."""
        missing = self.apart.difference(said)
        if len(missing) > len(self.apart) // MAY_BE_MISSING or not self.names.isdisjoint(missing):
            return False
        if not self._may_be_about_same_person(sentence):
            return False
        found = [unit for unit in self.shared if unit in said]
        if self.common:
            return len(found) == len(self.shared)
        if not self.shared or len(self.apart) > 1 or (self.named and not self.of_other):
            return True
        # "900" in "User's rent is 900 euros" and "Berlin" in "Ana lives in Berlin" need the rent and Ana.
        return self.shared[0] in said or not self.names.isdisjoint(found)

    def is_taken_up(self, said: Collection[str], sentence: str) -> bool:
        """Return whether a sentence that answers it, with the units `said`, repeats some of what sets it apart."""
        found = self.apart.intersection(said)
        return len(self.apart) <= 3 * len(found) and not self.common and self._may_be_about_same_person(sentence)

    def _may_be_about_same_person(self, sentence: str) -> bool:
        return self.of_other or not compiled(_OTHER_SUBJECT).match(sentence)


class StaleIndex:
    """Look sentences up among the memories that no longer hold."""

    def __init__(self, memories: Sequence[StaleMemory] = ()) -> None:
        self.memories = memories
        every = [(memory, _formers_of(memory)) for memory in dict.fromkeys(memories)]
        self._by_unit: dict[str, list[_Former]] = {}
        self._by_message: dict[str, list[StaleMemory]] = {}
        counts = Counter(unit for _, formers in every for one in formers for unit in one.apart)
        self._telling = counts.keys()
        for memory, formers in every:
            for former in formers:
                # A sentence that states it has one of these.
                few = len(former.apart) // MAY_BE_MISSING + 1
                for unit in sorted(former.apart, key=lambda unit: (counts[unit], unit))[:few]:
                    self._by_unit.setdefault(unit, []).append(former)
            if formers and memory.message_id and memory.quote:
                self._by_message.setdefault(memory.message_id, []).append(memory)

    def of_each(self, parts: Sequence[str], candidate: MessageCandidate) -> list[Staleness | None]:
        """Return why each sentence in `parts` of a message, or of the one before it, is stale; None if it is not."""
        if not self._by_unit:
            return [None] * len(parts)
        said = [units(part, characters=True) for part in parts]
        before = ""
        if candidate.previous and any(not self._telling.isdisjoint(one) for one in said):
            before = candidate.previous[:ANSWERED_CHARACTERS]
        answered = [
            one for told in sentences(before) for one in self._stated(told, units(told, characters=True), candidate)
        ]
        return [self._of(part, found, candidate, answered) for part, found in zip(parts, said, strict=True)]

    def _of(
        self, part: str, said: Collection[str], candidate: MessageCandidate, answered: Sequence[_Former]
    ) -> Staleness | None:
        for memory in self._by_message.get(candidate.id, ()):
            if (memory.quote in part or part in memory.quote) and memory.is_of(candidate.said_at, candidate.number):
                return _staleness(memory)
        stated = next(self._stated(part, said, candidate), None)
        former = stated or next((one for one in answered if one.is_taken_up(said, part)), None)
        return _staleness(former.memory) if former else None

    def _stated(self, sentence: str, said: Collection[str], candidate: MessageCandidate) -> Iterator[_Former]:
        """The memories that a sentence with the units `said` states, of those that `candidate` may mean at its time."""
        for unit in said:
            for former in self._by_unit.get(unit, ()):
                if former.memory.is_of(candidate.said_at, candidate.number) and former.is_in(said, sentence):
                    yield former


@lru_cache(maxsize=CACHED_MEMORIES)
def _formers_of(memory: StaleMemory) -> tuple[_Former, ...]:
    """Read what sets a memory apart off its text, and off its quote if that says it in other words.

    Cached, since every search looks the same memories up and splitting them into words takes long.
    """
    own = units(ABOUT_THE_PERSON.sub(" ", memory.text))
    quoted = units(memory.quote, characters=True)
    told = [unit for unit in own if unit in quoted]
    telling = [unit for unit in own if unit not in _COMMON]
    in_own_words = 2 * len(quoted.keys() & telling) >= len(telling)
    # The words that the person does not use are mostly those for the person.
    as_text = _former(memory, memory.text, told if in_own_words else list(own))
    if as_text is None:
        return ()
    as_quote = None if in_own_words else _former(memory, memory.quote, list(units(memory.quote)))
    return (as_text, as_quote) if as_quote else (as_text,)


def _former(memory: StaleMemory, text: str, own: Sequence[str]) -> _Former | None:
    """Compare the units `own` of `text` with what holds instead; None if that says all of them."""
    newer = memory.successor or ""
    if denies(text) != denies(newer) or (ENDS.search(newer) and not ENDS.search(text)):
        newer = ""  # "User stopped smoking" has all words of "User smokes" and says none of it.
    told = units(newer, characters=True)
    apart = _words_of(unit for unit in own if unit not in told)
    telling = [unit for unit in apart if unit not in _COMMON]
    if not apart:
        return None
    chosen = frozenset(_unmixed(telling or apart, told))
    names = units(" ".join(word for word in text.split()[1:] if word[:1].isupper()))
    return _Former(
        memory,
        chosen,
        tuple(unit for unit in own if unit in told and unit not in chosen),
        frozenset(names),
        # In scripts without capital letters any word may be a name.
        named=any(unit in names or unit.upper() == unit.lower() for unit in chosen if not unit.isdecimal()),
        common=not telling,
        of_other=not ABOUT_THE_PERSON.match(memory.text) or bool(compiled(rf"\b{_OTHERS}").search(memory.text)),
    )


def _words_of(found: Iterable[str]) -> list[str]:
    """Leave out particles and articles, unless there is nothing else."""
    every = list(found)
    return [unit for unit in every if not is_short(unit)] or every


def _unmixed(pairs: Sequence[str], told: Iterable[str]) -> list[str]:
    """Leave out pairs of Chinese characters of which one is told too: they stand astride the end of a word."""
    characters = {unit for unit in told if len(unit) == 1}
    return [pair for pair in pairs if characters.isdisjoint(pair)] or list(pairs)


def _staleness(memory: StaleMemory) -> Staleness:
    return Staleness(memory.successor, memory.ended, memory.mistaken)


_COMMON = frozenset(units(" ".join(FORM_WORDS | _FORM_WORDS_ELSEWHERE)))
"""Units that nearly every statement may have; what differs in nothing else is told by all of its words."""
