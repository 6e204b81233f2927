"""Parse requests of recall, for facts and for excerpts."""

from collections.abc import Mapping

from memchat.text.normalize import sentences
from memchat.text.patterns import compiled
from memchat.text.punctuation import ends_with_question_mark

MOST_QUESTIONS = 3


def questions_in(request: str) -> list[str]:
    """Return the last MOST_QUESTIONS questions of a request of several sentences, which are searched for one by one.

    What stands beside a question draws its meaning elsewhere: behind one or two sentences about something else 5 to 10
    in a hundred of what matters get above the floor by it.
    """
    parts = sentences(request)
    return [part for part in parts if ends_with_question_mark(part)][-MOST_QUESTIONS:] if len(parts) > 1 else []


LONGEST_WITH_CLAUSE = 300
"""Maximum length of a request in which a clause about the user is looked for, in characters; longer ones are pasted."""
_CLAUSES = (
    r"(?:where|what|who|whom|which \w+) (?:i|i['’]m|my|we|our)|when (?:my|our)",
    r"(?:wo|wohin|was|wer|wem|wen|wie) (?:ich|mein\w*|wir|unser\w*)|wann (?:mein\w*|unser\w*)",
    r"(?:où|qui|(?<!est-)ce que) (?:je|j['’]|nous|mon|ma|mes|notre|nos)|où j['’]",
    r"(?:waar|wat|wie|hoe) (?:ik|mijn|we|wij|ons|onze)",
)


_CLAUSE = rf"\w\W+(?P<clause>\b(?:{'|'.join(_CLAUSES)})\b[^,.;:?!\n]+)"


def clause_about_user(request: str) -> str | None:
    """Return what a request asks or presumes of the user in its midst: "where I live" of "the weather where I live"."""
    if len(request) > LONGEST_WITH_CLAUSE:
        return None
    found = compiled(_CLAUSE).search(request)
    return found["clause"].strip() if found else None


def rarest_terms(counts: Mapping[str, int], budget: int) -> list[str]:
    """Return the words to look up, rarest first, as long as their counts together stay within `budget`."""
    chosen: list[str] = []
    spent = 0
    for word, count in sorted(counts.items(), key=lambda pair: pair[1]):
        spent += count
        if chosen and spent > budget:
            break
        if count:
            chosen.append(word)
    return chosen
