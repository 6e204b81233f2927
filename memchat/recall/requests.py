"""Parse requests of recall, for facts and for excerpts."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from memchat.text.normalize import sentences

MOST_QUESTIONS = 3
_QUESTION_MARKS = ("?", "？", "؟", "՞", ";")


def questions_in(request: str) -> list[str]:
    """Return the last MOST_QUESTIONS questions of a request of several sentences, which are searched for one by one.

    What stands beside a question draws its meaning elsewhere: behind one or two sentences about something else 5 to 10
    in a hundred of what matters get above the floor by it.
    """
    parts = sentences(request)
    return [part for part in parts if part.endswith(_QUESTION_MARKS)][-MOST_QUESTIONS:] if len(parts) > 1 else []


def rarest_terms(counts: Mapping[str, int], budget: int) -> list[str]:
    """The words to look up, rarest first, while what they stand in stays within `budget`."""
    chosen: list[str] = []
    spent = 0
    for word, count in sorted(counts.items(), key=lambda pair: pair[1]):
        spent += count
        if chosen and spent > budget:
            break
        if count:
            chosen.append(word)
    return chosen


@lru_cache(maxsize=4_096)
def in_words(day: date) -> str:
    """A day as people write it: 8 May 2023."""
    return f"{day.day} {day:%B %Y}"
