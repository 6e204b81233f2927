"""Recognise statements that no longer hold: their memory was superseded or edited, has ended, or was never true."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from memchat.core.protocols import StaleMemory
from memchat.text.normalize import content_words

STEM = 5
"""Number of letters by which words are compared: lives, living."""
_NOT_SAID = frozenset({"user", "users"})
"""Words of memories that people do not use of themselves."""


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why a statement is stale: `now` holds instead, or it `ended` on a day. A `mistaken` one never held."""

    now: str | None = None
    ended: date | None = None
    mistaken: bool = False


@dataclass(frozen=True, slots=True)
class _Former:
    """A memory that no longer holds: the stems that distinguish it from its successor, and the shared ones."""

    memory: StaleMemory
    apart: frozenset[str]
    shared: frozenset[str]
    named: bool


class StaleIndex:
    """Look sentences up among the memories that no longer hold."""

    def __init__(self, memories: Sequence[StaleMemory]) -> None:
        self._by_stem: dict[str, list[_Former]] = {}
        self._by_message: dict[str, list[StaleMemory]] = {}
        for memory in memories:
            former = _former(memory)
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
                if former.apart <= said and (former.named or not former.shared or former.shared & said):
                    return _staleness(former.memory)
        return None


def _former(memory: StaleMemory) -> _Former:
    own = [word for word in content_words(memory.text) if word not in _NOT_SAID]
    newer = stems(content_words(memory.successor or ""))
    apart = stems(own) - newer
    named = any(
        word[:1].isupper() or word[:1].isdigit()
        for word in memory.text.split()[1:]
        if stems(content_words(word)) & apart
    )
    return _Former(memory, apart, stems(own) - apart, named)


def stems(words: Iterable[str]) -> frozenset[str]:
    """Return the first letters of each word, by which words are compared."""
    return frozenset(word[:STEM] for word in words)


def _staleness(memory: StaleMemory) -> Staleness:
    return Staleness(memory.successor, memory.ended, memory.mistaken)
