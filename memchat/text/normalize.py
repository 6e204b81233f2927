"""Normalise text for comparison: its normal form, its words for lexical search, and its sentences."""

import re
import unicodedata
from functools import cache
from typing import Any

from memchat.text.punctuation import SENTENCE_ENDS, WIDE_SENTENCE_ENDS

_UNSPACED = (
    ("\u0e00", "\u0fff"),  # Thai, Lao, Tibetan
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3040", "\u30ff"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uac00", "\ud7af"),
    ("\U00020000", "\U000323af"),
)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u200c\u200d"
"""Vowel signs and accents within a word, which Python's `\\w` leaves out."""
_EMOJI = "[\u2190-\u2bff\U0001f000-\U0001faff]"
_POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
"""Vowel points of Hebrew and Arabic, which most people leave out, and the bar that lengthens Arabic words."""
_PLAIN_LETTERS = str.maketrans({"ı": "i", "đ": "d", "ð": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that people type plain and that Unicode does not take apart."""
_ACCENTS = 200
"""The canonical combining classes from here on are of marks above and below letters, not of vowels."""
_CONTRACTED = re.compile(r"(?:n['’]t|['’](?:s|d|m|ll|re|ve))\b", re.IGNORECASE)
_ASCII_WORD = re.compile("[a-z0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPEAKER = re.compile(r"^(?P<name>[A-Z][\w'-]{0,30}): ")
_ORDINAL = (
    r"(?:januar|jänner|februar|märz|marts|mars|april|mai|maj|juni|juli|august|september|oktober|november|de[sz]ember"
    r"|december|stock|etage|klasse|geburtstag|semester|jahrhundert|kapitel|mal)\b"
)
"""What follows the point of an ordinal number: "am 3. Juli"."""
_SENTENCE_END = re.compile(rf"\s(?<=[{SENTENCE_ENDS}]\s)(?!(?<=\d\.\s)\s*(?i:{_ORDINAL}))\s*|\n+")
"""It begins with the space, which takes half the time of looking for the mark before it."""

ABOUT_THE_PERSON = re.compile(
    r"(?:the )?user(?:['’]s)?\b|(?:der|die|des|dem) nutzer\w*|nutzer\w*|(?:el|la|del|al) usuari[oa]|usuari[oa]"
    r"|(?:de )?l['’]utilisat\w+|l['’]utente|(?:o|a|do|da) usuári[oa]|de gebruiker"
    r"|пользовател\w*|користувач\w*|kullanıcı\w*|użytkowni\w*|uživatel\w*|användaren|brugeren|brukeren|käyttäjä\w*"
    r"|felhasználó\w*|utilizator\w*|người dùng|pengguna|χρήστ\w*|المستخدم|המשתמש\w*|उपयोगकर्ता|ผู้ใช้"
    r"|ユーザー?|用户|使用者|사용자",
    re.IGNORECASE,
)
"""How a fact names the person it is about."""
ARTICLE_LETTERS = 3
"""The most letters of an article or a preposition."""

STOP_WORDS = frozenset(
    """
    a an and are as at be been but by can could did do does for from had has have he her his how i if in is it its me my
    of on or our she so that the their them they this to was we were what when where which who whom whose why will with
    would you your
    """.split()
)
"""Few on purpose: on LoCoMo a list of 177 finds a point less than this one of 61."""


def fix_surrogates(text: str) -> str:
    """Make `text` encodable: a lone surrogate, from a broken pipe or paste, becomes U+FFFD, a pair one character."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def fix_surrogates_within(value: Any) -> Any:
    """Apply `fix_surrogates` to every string of a parsed JSON value, keys included."""
    if isinstance(value, str):
        return fix_surrogates(value)
    if isinstance(value, list):
        return [fix_surrogates_within(item) for item in value]
    if isinstance(value, dict):
        return {fix_surrogates(key): fix_surrogates_within(item) for key, item in value.items()}
    return value


def normalize(text: str) -> str:
    """Return `text` without case, punctuation and extra space, so that repeated sentences become equal.

    `#` and `+` stay, since C, C# and C++ are three things.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = (c if c in "#+" or not unicodedata.category(c).startswith(("P", "C", "Z")) else " " for c in folded)
    return " ".join("".join(kept).split())


@cache
def _word() -> re.Pattern[str]:
    """Compile the pattern when it is first used, since that takes longer than most commands."""
    unspaced = "".join(f"{first}-{last}" for first, last in _UNSPACED)
    letter = rf"[^\W_{unspaced}]"
    return re.compile(rf"[{unspaced}]+|{letter}+(?:[{_MARKS}]+{letter}*)*|{_EMOJI}")


def words(text: str) -> list[str]:
    """Return the lower-case words of `text` in order; scripts without spaces as overlapping pairs of characters.

    An emoji is a word. The points of Hebrew and Arabic and the width of letters are ignored.
    """
    if text.isascii():
        # Recall takes the words of hundreds of texts.
        return _ASCII_WORD.findall(text.lower())
    found: list[str] = []
    for match in _word().findall(without_points(unicodedata.normalize("NFKC", text)).casefold()):
        if len(match) > 1 and is_unspaced(match[0]):
            found.extend(match[i : i + 2] for i in range(len(match) - 1))
        else:
            found.append(match)
    return found


def without_points(text: str) -> str:
    """Return `text` without the vowel points of Hebrew and Arabic."""
    return _POINTS.sub("", text)


def without_accents(text: str) -> str:
    """Return `text` without accents. Marks that are the vowels of their script stay."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text.translate(_PLAIN_LETTERS))
    return unicodedata.normalize("NFC", "".join(c for c in apart if unicodedata.combining(c) < _ACCENTS))


def content_words(text: str) -> list[str]:
    """Return the distinct words of `text` in order, without stop words; all of them if only stop words are left."""
    every = dict.fromkeys(words(_CONTRACTED.sub("", text)))
    return [word for word in every if word not in STOP_WORDS] or list(every)


def is_unspaced(character: str) -> bool:
    """Return whether `character` belongs to a script without spaces between words."""
    return character >= _UNSPACED[0][0] and any(first <= character <= last for first, last in _UNSPACED)


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of `text`, stripped, without empty ones."""
    if not text.isascii():
        for mark in WIDE_SENTENCE_ENDS:
            text = text.replace(mark, f"{mark}\n")
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def speaker(text: str) -> str | None:
    """Return the name in a message written as "Name: words"."""
    match = _SPEAKER.match(text)
    return match["name"] if match else None


def without_speaker(text: str) -> str:
    return text[match.end() :] if (match := _SPEAKER.match(text)) else text


def sentences_restating(fact: str, text: str) -> list[str]:
    """Return the sentences and lines of `text` that contain every word of `fact`, inflected or not.

    Ignores the word for the person and, if that word is not English, words as short as an article.
    """
    person = ABOUT_THE_PERSON.search(fact)
    rest = ABOUT_THE_PERSON.sub(" ", fact)
    wanted = [word for word in content_words(rest) if word not in {"user", "users"}]
    if person is not None and "user" not in person[0].casefold():
        wanted = [word for word in wanted if len(word) > ARTICLE_LETTERS or is_unspaced(word[0])] or wanted
    if not wanted:
        return []

    def is_form_of(word: str, other: str) -> bool:
        """Return whether the words differ in their last letters at most."""
        shorter = min(len(word), len(other))
        common = next((at for at in range(shorter) if word[at] != other[at]), shorter)
        return word == other or common >= max(3, shorter - 2)

    return [
        sentence
        for sentence in sentences(text)
        if all(any(is_form_of(word, other) for other in words(sentence)) for word in wanted)
    ]
