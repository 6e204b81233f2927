"""Separate a model's reasoning from its answer, also in the pieces of a stream.

Providers mostly send the reasoning in a field of its own. Local servers often leave it in the text: between tags at its
beginning (`<think>` of DeepSeek and Qwen, `[THINK]` of Mistral), or in the channels of OpenAI's harmony format
(`<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`). Some servers remove the marks
of that format and leave `analysis…assistantfinal…`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
}
_CHANNEL, _MESSAGE = "<|channel|>", "<|message|>"
_ENDS = ("<|end|>", "<|return|>", "<|call|>")
_BARE, _BARE_FINAL = "analysis", "assistantfinal"
_OPENINGS = (*_TAGS, "<|start|>", _CHANNEL, _BARE)
_UNOPENED = re.compile(r"(?:^|\n)\s*</think>\s*")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the answer, or of the reasoning before it."""

    text: str
    thinking: bool = False


class ThinkingSplitter:
    """Split one reply that arrives in pieces, cut at any place.

    Holds text back only as long as it may be the beginning of a mark.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state: Callable[[bool], Iterable[Part]] = self._beginning
        # The marks that end the part being read, whether it is thinking, and what follows it.
        self._ends: tuple[str, ...] = ()
        self._thinking = False
        self._next = self._state

    def feed(self, piece: str) -> Iterator[Part]:
        """Yield the parts that are certain after `piece`."""
        self._held += piece
        while True:
            state = self._state
            yield from state(False)
            if self._state == state:
                return

    def close(self) -> Iterator[Part]:
        """Yield the parts held back; the reply is complete."""
        while self._held:
            state = self._state
            yield from state(True)
            if self._state == state:
                return

    def _beginning(self, final: bool) -> Iterable[Part]:
        """Look for a mark before the answer begins."""
        start = self._held.lstrip()
        # More text may complete a mark. The bare word is one only if a capital follows it at once.
        undecided = start == _BARE or any(mark != start and mark.startswith(start) for mark in _OPENINGS)
        if not start or (undecided and not final):
            return ()
        tag = next((tag for tag in _TAGS if start.startswith(tag)), None)
        if tag is not None:
            self._held, self._state = start.removeprefix(tag), self._within
            self._ends, self._thinking, self._next = (_TAGS[tag],), True, self._beginning
        elif start.startswith(("<|start|>", _CHANNEL)):
            self._held, self._state = start, self._header
        elif start.startswith(_BARE) and start[len(_BARE) :][:1].isupper():
            self._held, self._state = start, self._bare
        else:
            self._state = self._answer
        return ()

    def _header(self, final: bool) -> Iterable[Part]:
        """Read the header of a harmony message, whose channel tells reasoning from answer."""
        header, mark, body = self._held.partition(_MESSAGE)
        if mark:
            channel = header.partition(_CHANNEL)[2].strip()
            thinking = bool(channel) and not channel.startswith("final")
            self._held, self._state = body, self._within
            self._ends, self._thinking, self._next = _ENDS, thinking, self._header
        elif final:
            self._held = ""
        return ()

    def _within(self, final: bool) -> Iterator[Part]:
        """Read up to the first mark that ends this part."""
        held = self._held
        at, mark = min(((at, mark) for mark in self._ends if (at := held.find(mark)) >= 0), default=(-1, ""))
        if at >= 0:
            self._held, self._state = held[at + len(mark) :], self._next
        else:
            longest = 0 if final else max(map(len, self._ends)) - 1
            beginnings = range(min(longest, len(held)), 0, -1)
            keep = next((n for n in beginnings if any(mark.startswith(held[-n:]) for mark in self._ends)), 0)
            at = len(held) - keep
            self._held = held[at:]
        if at:
            yield Part(held[:at], thinking=self._thinking)

    def _bare(self, final: bool) -> Iterator[Part]:
        """Read harmony without marks: reasoning if the final channel follows, else an ordinary reply."""
        before, found, rest = self._held.partition(_BARE_FINAL)
        if found:
            yield Part(before.removeprefix(_BARE), thinking=True)
            self._held, self._state = rest, self._answer
        elif final:
            self._state = self._answer

    def _answer(self, final: bool) -> Iterator[Part]:
        text, self._held = self._held, ""
        if text:
            yield Part(text)


def split_unopened(reply: str) -> tuple[str, str]:
    """Split a whole reply of a `ThinkingSplitter` into its answer and thinking of which only the end was marked."""
    end = _UNOPENED.search(reply)
    return (reply[end.end() :], reply[: end.start()]) if end else (reply, "")
