"""Tell the statements of a message from its greetings and its questions."""

import re

from memchat.recall.request_cues import is_small_talk
from memchat.text.normalize import sentences, without_speaker, words
from memchat.text.punctuation import ends_with_question_mark

_ASSENT = frozenset(
    "yes yeah yep no nope sure right ok okay ja nein doch sí si oui non sì sim não nee tak nie да нет 好的".split()
)
"""Words that answer an offer, and before which a name is an answer ("Yes, Stockholm."), not the person spoken to."""
_ADDRESSED = re.compile(r",? [A-ZÀ-Þ][\w'’-]+(?=[!.,]|$)")


def is_greeting(sentence: str) -> bool:
    """Return whether `sentence` is small talk, with or without the name of the addressee ("Thanks, Anna!")."""
    if is_small_talk(sentence):
        return True
    rest = _ADDRESSED.sub("", sentence, count=1)
    found = words(rest)
    return rest != sentence and bool(found) and not _ASSENT.intersection(found) and is_small_talk(rest)


def asks_nothing(text: str) -> bool:
    """Return whether `text` is only a greeting, thanks or a goodbye, and not an answer to an offer ("Yes please")."""
    return is_small_talk(text) and not _ASSENT.intersection(words(text))


def only_asks(text: str) -> bool:
    """Return whether a message states nothing: apart from greetings it consists of questions."""
    parts = sentences(without_speaker(text))
    # Mostly the first sentence is a statement, which decides it.
    if not all(ends_with_question_mark(part) or is_greeting(part) for part in parts):
        return False
    return not all(map(is_greeting, parts))
