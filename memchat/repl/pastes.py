"""Long pastes, which the prompt shows as a short mark and sends unchanged."""

import re

MOST_LINES = 10
MOST_CHARACTERS = 2_000
"""Size up to which a paste is shown in the prompt; a longer one would fill the screen."""
_MARK = re.compile(r"\[Pasted(?: #\d+)?: [\d,]+ (?:lines|characters)\]")


class Pastes:
    """The long pastes of one chat, by mark."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def fold(self, text: str) -> str:
        """Return what the prompt shows for a pasted text: a mark if it is long, else the text itself."""
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
        """Replace the marks in `text` by the pasted texts."""
        return _MARK.sub(lambda match: self._texts.get(match[0], match[0]), text)

    def mark_before(self, text: str) -> str | None:
        """Return the mark of a paste that `text` ends with, or None."""
        found = next((match[0] for match in _MARK.finditer(text) if match.end() == len(text)), None)
        return found if found in self._texts else None
