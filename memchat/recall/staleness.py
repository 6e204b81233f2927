"""Recognise statements that no longer hold: their memory was superseded or edited, has ended, or was never true."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from memchat.core.protocols import StaleMemory
from memchat.text.normalize import ABOUT_THE_PERSON, content_words
from memchat.text.patterns import compiled

STEM = 5
"""Number of letters by which words are compared, without their endings: smokes, smoking."""
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|e)$|(?<=\d)(?:st|nd|rd|th)$")
_NOT_SAID = frozenset("user users nutzer nutzers usuario usuaria utilisateur utilisatrice utente".split())
"""Words of memories that people do not use of themselves."""
_OFTEN_LEFT_OUT = frozenset(
    "lives living works working called named wohnt lebt arbeitet heißt vive trabaja llama habite travaille".split()
)
"""Words of memories that people say otherwise or not at all: "I'm a nurse" for "User works as a nurse"."""
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
    """A memory that no longer holds: the stems that distinguish it from its successor, and the shared ones.

    `named` says that a name distinguishes it, `of_other` that it is not about the user.
    """

    memory: StaleMemory
    apart: frozenset[str]
    shared: frozenset[str]
    named: bool
    of_other: bool

    @classmethod
    def of(cls, memory: StaleMemory) -> "_Former":
        own = [word for word in content_words(memory.text) if word not in _NOT_SAID]
        newer = stems(content_words(memory.successor or ""))
        apart = stems(own) - newer
        apart = apart - stems(_OFTEN_LEFT_OUT) or apart
        named = any(word[:1].isupper() for word in memory.text.split()[1:] if stems(content_words(word)) & apart)
        of_other = not ABOUT_THE_PERSON.match(memory.text) or re.search(rf"\b{_OTHERS}", memory.text) is not None
        return cls(memory, apart, stems(own) & newer, named, of_other)


class StaleIndex:
    """Look sentences up among the memories that no longer hold."""

    def __init__(self, memories: Sequence[StaleMemory]) -> None:
        self._by_stem: dict[str, list[_Former]] = {}
        self._by_message: dict[str, list[StaleMemory]] = {}
        for memory in memories:
            former = _Former.of(memory)
            if not former.apart:
                continue  # The successor says all that it said.
            self._by_stem.setdefault(min(former.apart), []).append(former)
            if memory.message_id and memory.quote:
                self._by_message.setdefault(memory.message_id, []).append(memory)

    def of(self, sentence: str, message_id: str) -> Staleness | None:
        """Return why `sentence` of that message is stale; None if no memory says so."""
        for memory in self._by_message.get(message_id, ()):
            if memory.quote in sentence or sentence in memory.quote:
                return _staleness(memory)
        if not self._by_stem:
            return None
        said = stems(content_words(sentence))
        for stem in said:
            for former in self._by_stem.get(stem, ()):
                same = former.apart <= said and (former.named or not former.shared or former.shared & said)
                if same and (former.of_other or not compiled(_OTHER_SUBJECT).match(sentence)):
                    return _staleness(former.memory)
        return None


def stems(words: Iterable[str]) -> frozenset[str]:
    """Return the first letters of each word without its ending, by which words are compared."""
    return frozenset(_ENDING.sub("", word)[:STEM] for word in words)


def _staleness(memory: StaleMemory) -> Staleness:
    return Staleness(memory.successor, memory.ended, memory.mistaken)
