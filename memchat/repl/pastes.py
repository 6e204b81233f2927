"""Long pastes, shown as one short mark in the prompt and sent exactly as they were pasted."""

import re

MOST_LINES = 10
MOST_CHARACTERS = 2_000
"""A longer paste would fill the screen."""
_MARK = re.compile(r"\[Pasted(?: #\d+)?: [\d,]+ (?:lines|characters)\]")


class Pastes:
    """The pastes of one chat, by the mark that stands for each."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def fold(self, text: str) -> str:
        """What to show in the prompt for a pasted text: a mark for a long one, else the text."""
        lines = text.removesuffix("\n").count("\n") + 1
        if lines <= MOST_LINES and len(text) <= MOST_CHARACTERS:
            return text
        size = f"{lines:,} lines" if lines > MOST_LINES else f"{len(text):,} characters"
        mark = f"[Pasted: {size}]"
        if self._texts.get(mark, text) != text:
            mark = f"[Pasted #{len(self._texts) + 1}: {size}]"
        self._texts[mark] = text
        return mark

    def unfold(self, text: str) -> str:
        """`text` with what was pasted in the place of its marks."""
        return _MARK.sub(lambda match: self._texts.get(match[0], match[0]), text)

    def mark_before(self, text: str) -> str | None:
        """The mark that `text` ends with, if it stands for a paste."""
        found = next((match[0] for match in _MARK.finditer(text) if match.end() == len(text)), None)
        return found if found in self._texts else None
