"""What the tests of the offline model share: an exchange put to it as learning does, and its answer read back."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from memchat.core.types import Memory, Owner, Scope
from memchat.learning import extraction
from memchat.learning.extraction import Exchange, Extraction
from memchat.learning.extraction_parser import parse
from memchat.offline.model import OfflineModel

TODAY = date(2026, 3, 18)
"""A Wednesday."""


def memory(text: str, number: int = 1) -> Memory:
    noted = datetime(2026, 3, 1, tzinfo=UTC)
    return Memory(f"m{number}", Owner.user("alice"), text, Scope.USER, "other", noted, noted)


def learned(message: str, known: Sequence[str] = (), instructions: str | None = None) -> Extraction:
    """What the offline model makes of `message`; every fact's quote is checked to be the speaker's own words."""
    memories = [memory(text, number) for number, text in enumerate(known, 1)]
    request = extraction.request(Exchange(TODAY, message, known=memories, instructions=instructions))
    found = parse(OfflineModel().complete(request).text)
    assert not found.parse_errors
    assert all(fact.quote in message for fact in found.facts)
    return found


def texts(found: Extraction) -> list[str]:
    return [fact.text for fact in found.facts]
