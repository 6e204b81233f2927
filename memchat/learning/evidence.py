"""The evidence gate: drop what a model wrote and the user did not say."""

from dataclasses import replace

from memchat.core.types import Memory
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.quote_matching import QuotedMessage
from memchat.learning.sentence_kinds import SentenceKinds
from memchat.learning.support import SupportCheck, reads_as_wish


class EvidenceGate:
    """Accept only what the user said in one exchange. `kinds` recognises wishes in languages without a word list."""

    def __init__(self, exchange: Exchange, kinds: SentenceKinds | None = None) -> None:
        self._message = QuotedMessage(exchange.user)
        self._support = SupportCheck(exchange)
        self._kinds = kinds

    def quote_of(self, fact: Fact) -> str | None:
        """Return the user's own words that support `fact`; None if it must not be kept."""
        quote = self._message.find(fact.quote)
        if quote is None:
            return None
        # Fewer words of a wish must be the user's; what a model only calls a wish is held to the share of other facts.
        fact = replace(fact, standing=fact.standing and reads_as_wish(fact, quote, self._kinds))
        return quote if self._support.bears(fact, quote) else None

    def mentions(self, reference: MemoryReference) -> bool:
        """Return whether the user said the quote of `reference`."""
        return self._message.find(reference.quote) is not None

    def confirms(self, reference: MemoryReference, memory: Memory | None) -> bool:
        """Return whether the user said `memory` again: in the quoted words, or in all of its own."""
        return self.mentions(reference) or (memory is not None and self._support.restates(memory.text))

    def lost(self, extraction: Extraction) -> list[Fact]:
        """Return the facts of a model's answer that are not accepted."""
        return [fact for fact in extraction.facts if self.quote_of(fact) is None]
