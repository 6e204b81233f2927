"""What a model writes for itself on the way to an answer, told from the answer by the marks it puts around it.

Servers that know the model send it in a field of its own; others leave the marks of the chat template in the text:
`<think>…</think>` and its kin, or OpenAI's harmony channels.
"""

import re
from dataclasses import dataclass

_NAMES = "think|thinking|thought|thoughts|reasoning|seed:think"
_OPENING = re.compile(rf"<(?:{_NAMES})>|\[THINK\]", re.IGNORECASE)
_CLOSING = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]", re.IGNORECASE)
_CHANNEL = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>\s*(?P<name>\w+)[^<]*(?:<\|constrain\|>\w*)?<\|message\|>"
)
_END = re.compile(r"<\|(?:end|return|call)\|>(?:<\|start\|>assistant)?")
_MARK = re.compile("|".join(mark.pattern for mark in (_OPENING, _CLOSING, _CHANNEL, _END)), re.IGNORECASE)
_UNFINISHED = re.compile(
    r"(?:(?:<\|start\|>\w*)?<\|channel\|>[^<]{0,40}(?:<\|constrain\|>\w{0,20})?|<\|start\|>\w{0,12}"
    r"|<\|(?:end|return|call)\|>)?(?:<[/|]?[a-z:]{0,12}\|?|\[/?[A-Z]{0,5})?$",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of a reply, told apart. `unopened` says that all before it was thinking after all."""

    text: str = ""
    thinking: str = ""
    unopened: bool = False


class ThinkingSplitter:
    """Splits the content of one reply as it arrives. Marks count at the beginning of a line outside code only, so that
    a reply may speak of them.
    """

    def __init__(self) -> None:
        self._held = ""
        self._text = ""
        """The answer so far."""
        self._inside = False
        self._thought = self._harmony = False
        self._late = ""
        """A block that began behind some of the answer, which is part of it again where it never ends."""

    def feed(self, piece: str) -> Split:
        """What can be told of the reply so far; what may be the beginning of a mark waits for the next piece."""
        given = self._held + piece
        unfinished = _UNFINISHED.search(given)
        at = unfinished.start() if unfinished else len(given)
        self._held = given[at:]
        return self._split(given[:at])

    def finish(self) -> Split:
        """What is left at the end."""
        rest = self._split(self._held)
        self._held = ""
        late, self._late = self._late, ""
        return Split(rest.text + late, rest.thinking, rest.unopened)

    def _split(self, given: str) -> Split:
        text, thinking, unopened = "", "", False
        while given:
            mark = _MARK.search(given)
            before, found = (given[: mark.start()], mark.group()) if mark else (given, "")
            given = given[mark.end() :] if mark else ""
            text, thinking = self._take(before, text, thinking)
            if found and self._closes_unopened(found):
                text, thinking, unopened = "", thinking + text, True
                self._text = ""
            elif found and not self._turns_at(found):
                text, thinking = self._take(found, text, thinking)
        return Split(text, thinking, unopened)

    def _take(self, piece: str, text: str, thinking: str) -> tuple[str, str]:
        """Add `piece` to the side that it belongs to."""
        if self._inside:
            if self._text.strip():
                self._late += piece
            return text, thinking + piece
        if not self._text:
            piece = piece.lstrip()
        self._text += piece
        return text + piece, thinking

    def _closes_unopened(self, mark: str) -> bool:
        """Whether all so far was thinking: some chat templates put the opening mark into the prompt."""
        begins = not self._inside and not self._thought and self._begins_line() and not self._in_code()
        return begins and bool(self._text and _CLOSING.fullmatch(mark))

    def _turns_at(self, mark: str) -> bool:
        """Whether `mark` is one here; what follows it is then on the other side."""
        if channel := _CHANNEL.fullmatch(mark):
            if not self._harmony and self._text.strip():
                return False
            self._thought = self._harmony = True
            self._inside = channel["name"].lower() != "final"
            return True
        if _END.fullmatch(mark):
            return self._harmony
        if _CLOSING.fullmatch(mark):
            was, self._inside, self._late = self._inside, False, ""
            return was or not self._text
        if self._inside or not self._begins_line() or self._in_code():
            return False
        self._inside = self._thought = True
        self._late = mark if self._text.strip() else ""
        return True

    def _begins_line(self) -> bool:
        return not self._text.rpartition("\n")[2].strip()

    def _in_code(self) -> bool:
        """Whether a code block is open."""
        return len(_FENCE.findall(self._text)) % 2 == 1
