"""Turn the pieces of a reply, as providers send them, into its text and its thinking."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from memchat.core.protocols import Cut, Delta, Usage
from memchat.text.normalize import fix_surrogates
from memchat.text.thinking import Part, ThinkingSplitter

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
    """A chunk of a reply in the provider's form: `content` may be text, a list of parts, or missing.

    `finish` is the provider's word for why the reply ends.
    """

    content: object = None
    thinking: object = None
    finish: str | None = None
    usage: Usage | None = None


def message_piece(message: Mapping[str, object], finish: object = None, usage: Usage | None = None) -> Piece:
    """Return the piece in a message, or in its delta, of an OpenAI-compatible API. A refusal in words is the reply."""
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
        self._text, self._thinking = _Halves(), _Halves()
        self._thought = False

    def read(self, pieces: Iterable[Piece]) -> Generator[Delta, None, None]:
        """Yield the deltas of the reply; the last one says whether and why the reply was cut off."""
        for piece in pieces:
            if piece.finish:
                self.finished = True
                self.cut = _CUTS.get(piece.finish.lower(), self.cut)
            text, thinking = content_text(piece.content)
            thinking += content_text(piece.thinking)[0]
            if thinking := self._thinking.join(thinking):
                yield Delta(thinking=thinking)
            yield from map(self._delta, self._splitter.feed(self._text.join(text)))
            if piece.usage:
                yield Delta(usage=piece.usage)
        yield from map(self._delta, self._splitter.feed(self._text.rest()))
        yield from map(self._delta, self._splitter.close())
        if self.cut:
            yield Delta(cut=self.cut)

    def _delta(self, part: Part) -> Delta:
        if part.thinking:
            self._thought = True
            return Delta(thinking=part.text)
        # Line breaks between the thinking and the answer belong to neither.
        text = part.text if self.spoken or not self._thought else part.text.lstrip()
        self.spoken = self.spoken or bool(text.strip())
        return Delta(text)


def content_text(content: object) -> tuple[str, str]:
    """Return the text and the thinking in a message's content, which is text, a list of parts, a part, or nothing."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, Mapping):
        kind = content.get("type")
        for name in ("text", "content", "value", "refusal", "thinking", "reasoning", "summary"):
            if isinstance(content.get(name), str | list | Mapping):
                text, thinking = content_text(content[name])
                return ("", text + thinking) if kind in _THINKING_PARTS else (text, thinking)
        return "", ""
    if isinstance(content, Sequence):
        found = [content_text(part) for part in content]
        return "".join(text for text, _ in found), "".join(thinking for _, thinking in found)
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
