"""The title of a conversation: its first words, cut where they may be cut in their script."""

import unicodedata

COLUMNS = 60
"""A title takes at most so many columns in a terminal; an East Asian character takes two."""
_LOOK_BACK = 30
"""So many characters before the limit a space or a mark is looked for to cut at."""
_STOPS = "。、，！？；：」』）・।॥၊။។"
_JOINER = "\u200d"
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


def title_of(text: str) -> str:
    """Return the beginning of `text` on one line, cut between words, or at punctuation in scripts without spaces.

    A character is never cut from its vowel signs, accents or joined emoji.
    """
    line = " ".join(text.split())
    columns = start = 0
    for end, character in enumerate(line):
        if not _continues(line, end):
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
            start = end
        # Marks piled on one letter are no writing.
        if columns > COLUMNS or end - start > COLUMNS:
            break
    else:
        return line
    for at in range(end, max(end - _LOOK_BACK, 0), -1):
        if line[at].isspace() or (line[at - 1] in _STOPS and not _continues(line, at)):
            return line[:at].rstrip()
    return line[:end].rstrip()


def _continues(line: str, at: int) -> bool:
    """Return whether the character at `at` belongs to the one before it."""
    character = line[at]
    return at > 0 and (
        unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf"}
        or character in _SKIN_TONES
        or line[at - 1] == _JOINER
        # A virama joins the consonants beside it, in the scripts of India.
        or unicodedata.combining(line[at - 1]) == 9
    )
