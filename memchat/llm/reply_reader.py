"""The pieces of a reply as providers send them, made into the text and the thinking of a reply."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from memchat.core.protocols import Cut, Delta, Usage
from memchat.llm.thinking import Split, ThinkingSplitter
from memchat.text.normalize import fix_surrogates

_CUTS = {
    "length": Cut.LENGTH,
    "max_tokens": Cut.LENGTH,
    "model_length": Cut.LENGTH,
    "model_context_window_exceeded": Cut.LENGTH,
    "content_filter": Cut.FILTER,
    "content_filtered": Cut.FILTER,
    "safety": Cut.FILTER,
    "refusal": Cut.FILTER,
    "recitation": Cut.FILTER,
    "guardrail_intervened": Cut.FILTER,
}
_THINKING_PARTS = {"thinking", "reasoning", "reasoning_content", "redacted_thinking"}


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk of a reply holds, in the provider's form: `content` may be text, a list of parts, or missing.

    `finish` is the provider's word for why the reply ends.
    """

    content: object = None
    thinking: object = None
    finish: str | None = None
    usage: Usage | None = None


def message_piece(message: Mapping[str, object], finish: object = None, usage: Usage | None = None) -> Piece:
    """The piece in a message, or the delta of one, of an OpenAI-compatible API. A refusal in words is the reply."""
    content = message.get("content") or message.get("refusal")
    thinking = message.get("reasoning_content") or message.get("reasoning") or message.get("thinking")
    return Piece(content, thinking, str(finish) if finish else None, usage)


class ReplyReader:
    """Reads one reply. `finished` says whether the provider ended it, `spoken` whether any of it was text."""

    def __init__(self) -> None:
        self.finished = False
        self.spoken = False
        self.cut: Cut | None = None
        self._splitter = ThinkingSplitter()
        self._halves = _Halves(), _Halves()

    def read(self, pieces: Iterable[Piece]) -> Generator[Delta, None, None]:
        """The deltas of the reply; the last one says why it was cut, if it was."""
        for piece in pieces:
            if piece.finish:
                self.finished = True
                self.cut = _CUTS.get(piece.finish.lower(), self.cut)
            text, thinking = content_text(piece.content)
            split = self._splitter.feed(self._halves[0].join(text))
            aside = self._halves[1].join(thinking + content_text(piece.thinking)[0])
            yield from self._delta(split, aside, piece.usage)
        left = self._splitter.feed(self._halves[0].rest())
        yield from self._delta(left, self._halves[1].rest())
        yield from self._delta(self._splitter.finish(), "", cut=self.cut)

    def _delta(
        self, split: Split, thinking: str, usage: Usage | None = None, cut: Cut | None = None
    ) -> Generator[Delta, None, None]:
        if split.unopened:
            self.spoken = False
        self.spoken = self.spoken or bool(split.text.strip())
        delta = Delta(split.text, usage, thinking + split.thinking, cut, split.unopened)
        if delta != Delta():
            yield delta


def content_text(content: object) -> tuple[str, str]:
    """The text and the thinking in a message's content, which is text, a list of parts, a part, or nothing."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, Mapping):
        return _part_text(content)
    if isinstance(content, Sequence):
        found = [content_text(part) for part in content]
        return "".join(text for text, _ in found), "".join(thinking for _, thinking in found)
    return "", ""


def _part_text(part: Mapping[str, object]) -> tuple[str, str]:
    kind = part.get("type")
    for name in ("text", "content", "value", "refusal", "thinking", "reasoning", "summary"):
        if isinstance(part.get(name), str | list | Mapping):
            text, thinking = content_text(part[name])
            return ("", text + thinking) if kind in _THINKING_PARTS else (text, thinking)
    return "", ""


class _Halves:
    """Joins the two halves of a character that was cut between pieces, as emoji are where JSON escapes them."""

    def __init__(self) -> None:
        self._held = ""

    def join(self, piece: str) -> str:
        if not piece:
            return ""
        text = self._held + piece
        self._held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return fix_surrogates(text.removesuffix(self._held) if self._held else text)

    def rest(self) -> str:
        held, self._held = self._held, ""
        return fix_surrogates(held)
