"""Check whether the user's words support what a model wrote: its words and names, and whether it reads as a wish."""

import re
import unicodedata
from collections.abc import Callable, Iterable

from memchat.core.types import Role
from memchat.learning.extraction import SCHEMA, Exchange, Fact
from memchat.learning.numbers import NumberCheck, has_number
from memchat.learning.numerals import with_plain_numbers
from memchat.learning.sentence_kinds import SentenceKinds
from memchat.text.normalize import ABOUT_THE_PERSON, STOP_WORDS, is_unspaced, normalize, words
from memchat.text.word_classes import FORM_WORDS, denies

MAX_LINE_OF_REPLY = 4
"""A text of at least this many words that is part of the assistant's reply is a copy of it."""
LONG_NUMBER = 5
"""Minimum length of a number that is neither a year nor a time, in digits."""

FACT_SHARE = 0.5
WISH_SHARE = 0.35
"""Minimum share of a sentence's words that the user said; "User wants to be answered" adds some that no user says."""

_SAYS_NOTHING = STOP_WORDS | {"am", "im", "m", "ich", "bin"}
_GERMAN = re.compile(
    r"\b(?:der|die|des|dem) nutzer|\bnutzer|\b(?:und|ist|nicht|einen?|wohnt|seit|für)\b", re.IGNORECASE
)
_SCHEMA_WORDS = frozenset({"quote", "text", "fact", "none", "null", "string", "facts", *SCHEMA["required"]})
_LASTING = re.compile(
    r"\b(?:please|always|never|from now on|going forward|whenever|in future|don['’]?t|do not|no more|stop|call me"
    r"|avoid|should|must|wants?|wish\w*|would (?:like|rather)|prefers?|asks?|asked|likes? (?:to be|it when|answers"
    r"|replies)|addressed|called|goes by|pronouns?|bitte|immer|nie|niemals|ab jetzt|künftig|möchte|soll\w*|will"
    r"|wünsch\w*|bevorzug\w*|duz\w*|siez\w*|genannt|keine|por favor|siempre|nunca|a partir de ahora|quier\w*"
    r"|prefier\w*|dese\w*|pid\w*|tut[eé]\w*|s['’]il (?:te|vous)|toujours|jamais|désormais|veut|veux|souhait\w*"
    r"|préf[eè]r\w*|demand\w*|tuto\w*|appel\w*|per favore|sempre|mai|d['’]ora in poi|vuole|voglio|vorr\w*"
    r"|prefer\w*|chied\w*|chiam\w*|a partir de agora|quer\w*|pe[dç]\w*|chamad\w*|alsjeblieft|altijd|nooit|wil"
    r"|wens\w*|chc\w*|prosz\w*|prosi\w*|zawsze|nigdy|prefer\w*|istiyor\w*|lütfen|asla|vill|önskar|ønsker|alltid"
    r"|aldrig|haluaa|aina|kér\w*|mindig|vrea|dorește|ingin|selalu|jangan|muốn|luôn|đừng)\b|хоч|хот|просит|прошу"
    r"|предпоч|всегда|никогда|пожалуйста|обращай|завжди|будь ласка|θέλ|προτιμ|πάντα|يريد|أريد|يفضل|دائم|רוצ|תמיד"
    r"|मुझे|हमेशा|चाह|เสมอ|ต้องการ|กรุณา|ください|下さい|ほしい|欲しい|希望|好[みむ]|いつも|必ず|今後|しないで|話して|呼んで|使って|答えて|して。?$|敬語|タメ口|请|請"
    r"|总是|一直|以后|不要|希望|想要|要求|用.{0,6}回答|叫我|해 ?줘|해주세요|항상|원하|선호|말아",
    re.IGNORECASE,
)
"""Words of a lasting wish, by the user ("always", "please") or about them ("User wants")."""
_NEVER_A_WISH = frozenset({"place", "health", "relationship", "event", "plan", "project", "work"})


class SupportCheck:
    """Check facts against one exchange. Prepared once, it is asked for every fact."""

    def __init__(self, exchange: Exchange) -> None:
        self._said = exchange.user
        theirs = (text for role, text in exchange.earlier if role is Role.USER)
        replies = (exchange.assistant, *(text for role, text in exchange.earlier if role is not Role.USER))
        self._message = _vocabulary((exchange.user,))
        self._own = _vocabulary((exchange.user, *theirs, *(memory.text for memory in exchange.known)))
        self._replies = _vocabulary(replies)
        self._replied = f" {normalize(exchange.assistant)} "
        self._numbers = NumberCheck(exchange)
        self._counts = has_number(exchange.user)

    def bears(self, fact: Fact, quote: str) -> bool:
        """Return whether `fact` may be kept: its `quote` is informative, and the user's words support its text."""
        said, plain = words(quote), normalize(fact.text)
        informative = any(word not in _SAYS_NOTHING for word in said) or said in ([], words(self._said))
        copies_the_reply = (
            len(words(plain)) >= MAX_LINE_OF_REPLY
            and f" {plain} " in self._replied
            and plain not in normalize(self._said)
        )
        return (
            informative
            and not copies_the_reply
            and plain not in _SCHEMA_WORDS
            and self._numbers.supports(fact)
            and self.bears_words(fact.text, WISH_SHARE if fact.standing else FACT_SHARE)
        )

    def bears_words(self, text: str, share: float = FACT_SHARE, *, nouns_too: bool = False) -> bool:
        """Return whether the user said at least `share` of the words of `text`, and no name in it is invented.

        A name may come from the assistant if the rest is the user's: "the second one" was "the Ritz".

        In German a name is written like any noun; with `nouns_too` no noun may be invented either.
        """
        said = units(text)
        own = {unit for unit in said if _is_in(unit, self._own)}
        # The check of numbers has passed: a long number was said in other groups; a short one may be computed.
        own |= {unit for unit in said if unit.isdecimal() and len(unit) >= LONG_NUMBER}
        said -= {unit for unit in said - own if unit.isdecimal()}
        if not said:
            # Without long words, its short names must have been said ("Al"), or its numbers are enough.
            short = {word for name in _capitalized(text) for word in words(_folded(name))}
            if short:
                return all(_is_in(word, self._own) for word in short)
            return any(word.isdecimal() for word in words(text)) and self._counts
        if not own or len(own) < share * len(said):
            return False
        unsaid = said - own
        strange = {unit for unit in unsaid if not _is_in(unit, self._replies)}
        if len(unsaid - strange) > len(own):
            return False
        if _GERMAN.search(text) and not nouns_too:
            return True
        return strange.isdisjoint(unit for word in _capitalized(text) for unit in units(word))

    def restates(self, text: str) -> bool:
        """Return whether the message itself says all that `text` does."""
        said = units(text)
        same = denies(text) == denies(self._said)
        return same and bool(said) and all(_is_in(unit, self._message) for unit in said)


def reads_as_wish(fact: Fact, quote: str, kinds: SentenceKinds | None = None) -> bool:
    """Return whether a fact is worded as a wish, so that it may be a standing wish about answers.

    `kinds` recognises wishes in languages whose words for "always" and "please" are not listed here.
    """
    if fact.category in _NEVER_A_WISH:
        return False
    return _LASTING.search(f"{quote}\n{fact.text}") is not None or (kinds is not None and kinds.is_wish(quote))


def mentions(text: str) -> Callable[[str], bool]:
    """Return a test whether `text` contains a unit, inflected or not."""
    vocabulary = _vocabulary((text,))
    return lambda unit: _is_in(unit, vocabulary)


def units(text: str) -> set[str]:
    """Return the units of `text` that the user must have said: words except form words; characters without spaces."""
    plain = _folded(ABOUT_THE_PERSON.sub(" ", text))
    found: set[str] = set()
    for word in words(plain):
        if is_unspaced(word[0]):
            # Hiragana and vowel signs inflect; Han, Katakana, Hangul and consonants carry the meaning.
            found.update(char for char in word if char.isalnum() and not "\u3040" <= char <= "\u309f")
        elif word not in _FOLDED_FORM_WORDS and (len(word) > 2 or word.isdecimal() or not word.isascii()):
            found.add(word)
    return found


def _vocabulary(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return the words by their first character, and the single characters of unspaced scripts."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for word in words(_folded(text)):
            for part in word if is_unspaced(word[0]) else (word,):
                found.setdefault(part[0], set()).add(part)
    return found


def _is_in(unit: str, vocabulary: dict[str, set[str]]) -> bool:
    if unit in vocabulary.get(unit[0], ()):
        return True
    if len(unit) < 3 or unit.isdecimal():
        return False
    if unit.startswith("ge") and len(unit) > 5 and _is_in(unit[2:], vocabulary):
        return True  # A participle, in German and Dutch.
    if unit.isascii() or len(unit) > 6:
        return any(_is_inflected(unit, other) for other in vocabulary.get(unit[0], ()))

    def shares_stem(other: str) -> bool:
        """Return whether the words differ at their beginning, as Arabic and Hebrew inflect."""
        return len(other) >= 3 and (unit[1:] in other or other[1:] in unit) and abs(len(unit) - len(other)) <= 2

    return any(_is_inflected(unit, other) or shares_stem(other) for same in vocabulary.values() for other in same)


def _is_inflected(word: str, other: str) -> bool:
    """Return whether two words begin alike and differ in an ending."""
    shorter, longer = sorted((word, other), key=len)
    same = next((at for at, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return same >= 3 and same >= 0.55 * len(longer) and len(shorter) - same <= 2


def _capitalized(text: str) -> list[str]:
    """Return the words of `text` with a capital, except a first one before "of the user": "Имя пользователя"."""
    plain = re.sub(r"^\W*\w+(?= (?:\w{1,3} )?user\b)", "", ABOUT_THE_PERSON.sub("user", text))
    return [word for word in re.findall(r"(?<!\w)[^\W\d_]\w*", plain) if word[0].isupper()]


def _folded(text: str) -> str:
    """Return `text` in lower case without accents, so that both spellings of a name are equal."""
    apart = unicodedata.normalize("NFKD", with_plain_numbers(text).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in apart if not "\u0300" <= c <= "\u036f"))


_FOLDED_FORM_WORDS = frozenset(_folded(" ".join(FORM_WORDS)).split()) | STOP_WORDS
