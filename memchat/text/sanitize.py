"""Make text safe to show on a terminal, and unable to close the fence around memories in a prompt."""

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum, auto

# For the terminal.


def strip_control_chars(text: str) -> str:
    """Remove everything from `text` that a terminal would obey or hide.

    Removed are control characters except newline and tab, whole escape sequences, bidirectional controls and invisible
    characters. The joiners that emoji, Indic and Persian words need stay. Lone surrogates become U+FFFD, line and
    paragraph separators a newline. Applying it twice changes nothing more.
    """
    return StreamFilter().feed(text) if _CONTROL.search(text) or _UNSEEN.search(text) else text


def one_line(text: str) -> str:
    """Return `text` as one printable line, with whitespace collapsed."""
    return " ".join(strip_control_chars(text).split())


class StreamFilter:
    """`strip_control_chars` for one text that arrives in pieces, cut at any place."""

    def __init__(self) -> None:
        self._state = _State.TEXT
        self._last = ""
        self._joiner = False

    def feed(self, piece: str) -> str:
        """Return the part of `piece` that may be shown now.

        Holds back at most one character, a joiner, for the next call; at the end of the text it is left out.
        """
        shown: list[str] = []
        text = self._without_controls(piece)
        at = 0
        for match in _UNSEEN.finditer(text):
            shown += self._plain(text[at : match.start()])
            shown += self._invisible(match[0])
            at = match.end()
        shown += self._plain(text[at:])
        return "".join(shown)

    def _without_controls(self, piece: str) -> str:
        kept: list[str] = []
        at = 0
        while at < len(piece):
            if self._state is _State.TEXT:
                control = _CONTROL.search(piece, at)
                end = control.start() if control else len(piece)
                kept.append(piece[at:end])
                at = end + 1
                self._state = _INTRODUCES.get(control[0], _State.TEXT) if control else _State.TEXT
                continue
            skipped, last, following = _SEQUENCES[self._state]
            if match := skipped.match(piece, at):
                at = match.end()
            if at < len(piece):
                char = piece[at]
                self._state = following.get(char, _State.TEXT) if self._state is _State.ESCAPE else _State.TEXT
                at += 1 if last.match(char) else 0
        return "".join(kept)

    def _plain(self, run: str) -> Iterator[str]:
        if not run:
            return
        if self._joiner and _is_emoji(run[0]):
            yield _ZWJ
        self._joiner = False
        self._last = run[-1]
        yield run

    def _invisible(self, char: str) -> Iterator[str]:
        if char == _ZWJ:
            # RFC 5892, A.2: a joiner belongs after a virama; Unicode TR 51: between two emoji, styled or not.
            if self._last and unicodedata.combining(self._last) == _VIRAMA:
                self._last = char
                yield char
            else:
                self._joiner = _is_emoji(self._last) or self._last == _EMOJI_STYLE
        elif _VARIANT.match(char):
            # One selector may follow a character; longer rows carry hidden text.
            follows = bool(self._last) and not self._last.isspace() and not _UNSEEN.match(self._last)
            is_ideograph = any(first <= self._last <= last for first, last in _IDEOGRAPHS)
            if follows and not self._joiner and (char <= _EMOJI_STYLE or is_ideograph):
                self._last = char
                yield char
        elif char in _REPLACED or "\ud800" <= char <= "\udfff":
            yield from self._plain(_REPLACED.get(char, "\ufffd"))


class _State(Enum):
    TEXT = auto()
    ESCAPE = auto()
    INTERMEDIATE = auto()
    CSI = auto()
    STRING = auto()


# ECMA-48. A string (OSC, DCS, SOS, PM, APC) that is never closed ends with its line. The one-character introducers of
# strings (U+0090 and so on) are removed alone: they abound in wrongly decoded text, which they would swallow.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INTRODUCES = {"\x1b": _State.ESCAPE, "\x9b": _State.CSI}
_AFTER_ESCAPE = (
    {"[": _State.CSI}
    | dict.fromkeys("P]X^_", _State.STRING)
    | dict.fromkeys(map(chr, range(0x20, 0x30)), _State.INTERMEDIATE)
)
_SEQUENCES: dict[_State, tuple[re.Pattern[str], re.Pattern[str], dict[str, _State]]] = {
    _State.ESCAPE: (re.compile(""), re.compile(r"[ -~]"), _AFTER_ESCAPE),
    _State.INTERMEDIATE: (re.compile(r"[ -/]*+"), re.compile(r"[0-~]"), {}),
    _State.CSI: (re.compile(r"[ -?]*+"), re.compile(r"[@-~]"), {}),
    _State.STRING: (re.compile(r"[^\x00-\x1f\x7f\x9c]*+"), re.compile(r"[\x07\x9c]"), {}),
}
"""For each state: what it skips, the character that ends it, and the next state."""

_ZWJ = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_VIRAMA = 9
"""The canonical combining class of the signs that join Indic consonants."""

_REPLACED = {"\u2028": "\n", "\u2029": "\n"}
_VARIANT = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_IDEOGRAPHS = (("\u3400", "\u9fff"), ("\uf900", "\ufaff"), ("\U00020000", "\U000323af"))
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200d-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)


def _is_emoji(char: str) -> bool:
    return bool(char) and (unicodedata.category(char) == "So" or "\U0001f000" <= char <= "\U0001faff" or char in "↔↕")


# For a prompt.

FENCE_OPEN = "<memories>"
FENCE_CLOSE = "</memories>"
EXCERPTS_OPEN = "<excerpts>"
EXCERPTS_CLOSE = "</excerpts>"


def escape_fence(text: str) -> str:
    """Put `text` on one line that cannot close the block of memories or of excerpts in a prompt.

    Brackets around a fence's name, in any case, width and spacing, become '‹' and '›'; three backticks and more become
    apostrophes. Other text stays unchanged.
    """
    line = one_line(text)
    chars = list(line)
    # Folded as a reader sees it, lower case and plain width; one character each, to keep the positions.
    plain = [unicodedata.normalize("NFKC", char).casefold() for char in chars]
    folded = "".join(fold if len(fold) == 1 else char for fold, char in zip(plain, chars, strict=True))
    for match in re.finditer(_FENCE, folded):
        chars[match.start()] = "‹"
        if match["close"]:
            chars[match.end() - 1] = "›"
    for match in _BACKTICKS.finditer(folded):
        chars[match.start() : match.end()] = "'" * len(match[0])
    return "".join(chars)


_BETWEEN_LETTERS = "[\u200c\u200d\ufe00-\ufe0f\u0300-\u036f ]*+"
_NAMES = "|".join(_BETWEEN_LETTERS.join(name) for name in ("memories", "excerpts"))
_FENCE = rf"<[ /\\]*+{_BETWEEN_LETTERS}/?(?:{_NAMES})(?:[^<>]{{0,200}}(?P<close>>))?"
"""A string, which `re` compiles and keeps when it is first used, long after the start."""
_BACKTICKS = re.compile(r"`{3,}+")
