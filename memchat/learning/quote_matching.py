"""Find the user's own words that a model quotes, despite typography, markup and omissions."""

import re
import unicodedata

from memchat.text.normalize import is_unspaced

_STYLES = "\ufe0e\ufe0f"
_EMPHASIS = "*_`~"
_TAG = re.compile(
    r"</?(?:a|b|br|code|del|em|font|h[1-6]|i|ins|kbd|li|mark|p|q|s|small|span|strong|sub|sup|u)(?:\s[^<>]*)?/?>", re.I
)
_ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:…|\.{3,})\s*\]|…|\.{3,})\s*")
_DOTS = re.compile(r"…|\.{2,}")
_LONGEST_GAP = 300
"""Maximum length that an ellipsis in a quote may replace, in characters."""
_PARTICLES = re.compile("(?:ו|ש|כש|וש)?[הבכלמש]|ו|[وف]?[بلكس]|[وف]|[وفبك]?ال|لل")
"""And, the, in, like, to, from, that; and, so, in, to, like, the."""
_LONGEST_PARTICLE = 3
_SAME = {
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛‹›`´ʼ′", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
}
_EDGES = " \"'.,;:!?。、"


def find_quote(quote: str, said: str) -> str | None:
    """Return the part of `said` that `quote` copies, apart from whitespace, case, markup and typography; else None.

    The part begins and ends at word boundaries, in scripts that have them, and is more than punctuation. An ellipsis
    in the quote may stand for words between.
    """
    return QuotedMessage(said).find(quote)


class QuotedMessage:
    """A message, prepared once for every quote that is looked up in it."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._plain, self._places = _plain(said)

    def find(self, quote: str) -> str | None:
        """Return what `find_quote` returns."""
        span = self._span(_plain(quote)[0].strip(_EDGES)) or self._find_abridged(quote)
        if span is None:
            return None
        start, after = span
        end = self._places[after] if after < len(self._places) else len(self._said)
        found = self._said[self._places[start] : end].rstrip()
        marks = found[len(found.rstrip(_EMPHASIS)) :]
        # Marks that close what was opened before the quote are no part of it; those of a pair within it are.
        return found if found.count(marks) > 1 else found.removesuffix(marks).rstrip()

    def _find_abridged(self, quote: str) -> tuple[int, int] | None:
        parts = [_plain(part)[0].strip(_EDGES) for part in _ELLIPSIS.split(quote)]
        parts = [part for part in parts if part]
        if len(parts) < 2:
            return None
        first = span = self._span(parts[0])
        for part in parts[1:]:
            if (
                span is None
                or (following := self._span(part, span[1])) is None
                or following[0] - span[1] > _LONGEST_GAP
            ):
                return None
            span = following
        return (first[0], span[1]) if first and span else None

    def _span(self, wanted: str, begin: int = 0) -> tuple[int, int] | None:
        if not any(unicodedata.category(character)[0] in "LNS" for character in wanted):
            return None
        at = self._plain.find(wanted, begin)
        while at >= 0 and not (self._parts(at) and self._parts(at + len(wanted))):
            at = self._plain.find(wanted, at + 1)
        return None if at < 0 else (at, at + len(wanted))

    def _parts(self, at: int) -> bool:
        """Return whether a cut before the plain character `at` is allowed: not within a word of separated words."""
        places = self._places
        if at == 0 or at == len(places):
            return True
        before, after = self._said[places[at - 1]], self._said[places[at]]
        if places[at - 1] == places[at] or unicodedata.combining(after):
            return False
        if not (before.isalnum() and after.isalnum()) or is_unspaced(before) or is_unspaced(after):
            return True
        # Hebrew and Arabic write small words joined to the next one.
        start = place = places[at]
        while start and self._said[start - 1].isalnum() and place - start <= _LONGEST_PARTICLE:
            start -= 1
        return _PARTICLES.fullmatch(self._said, start, place) is not None


def _plain(text: str) -> tuple[str, list[int]]:
    """Return `text` in the form that is compared, and the index in `text` of each of its characters.

    Tags and marks of emphasis are left out; a run of dots becomes a space.
    """
    plain: list[str] = []
    places: list[int] = []
    tags = {place for tag in _TAG.finditer(text) for place in range(*tag.span())}
    dots = {place for run in _DOTS.finditer(text) for place in range(*run.span())}
    for place, written in enumerate(text):
        if place not in dots and (place in tags or written in _EMPHASIS):
            continue
        character = " " if place in dots else written
        if character.isspace():
            if plain and plain[-1] != " ":
                plain.append(" ")
                places.append(place)
            continue
        if unicodedata.category(character) == "Cf" or character in _STYLES:
            continue
        # Taken apart, composed and combining spellings of a letter are the same.
        apart = unicodedata.normalize("NFKD", _SAME.get(character, character)).casefold()
        for folded in unicodedata.normalize("NFKD", apart):
            plain.append(_SAME.get(folded, folded))
            places.append(place)
    return "".join(plain), places
