"""Parse the text of a paragraph as it streams in: styled spans are returned once no later character can change them."""

import re
from functools import cache
from typing import TYPE_CHECKING

from memchat.repl.markdown.wrap import BREAKABLE, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LONGEST_WAIT = 400
"""Maximum number of characters held back while an emphasis or a link is open."""

_SLICE = 2_000
"""Characters parsed at once, to limit the work on a paragraph that arrives in one piece."""

_MAY_CLOSE_LATER = re.compile(
    r"(?<![A-Za-z0-9*_])[*_](?=[^\s*_])|\*\*(?=[^\s*])|__(?=[^\s_])|~~(?=\S)|`|\[[^\]]*(?:\](?:\([^)]*)?)?$"
)
"""Start of markup in plain text that later text may complete."""

_STYLES = {"em_open": "italic", "strong_open": "bold", "s_open": "strike", "link_open": "underline"}
_CODE = "cyan"


class InlineParser:
    """Parses one paragraph, heading or list item in pieces.

    `feed` returns whole words outside of open markup. It holds back a limited amount, so that text is shown even if an
    asterisk is never closed; `close` returns the rest.
    """

    def __init__(self, style: str = "") -> None:
        self._held = ""
        self._style = style

    def feed(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for start in range(0, len(text), _SLICE):
            held = self._held = self._held + text[start : start + _SLICE]
            overdue = len(held) > _LONGEST_WAIT
            # The end of the last complete word; 0 if there is none.
            cut = max(map(held.rfind, " \n\t")) + 1
            if not held.isascii():
                cut = next((end for end in range(len(held), cut, -1) if BREAKABLE.match(held[end - 1])), cut)
            if not cut and not overdue:
                continue
            ready = held[: cut or len(held)]
            tokens = _parse(ready)
            if overdue or not any(t.type == "text" and _MAY_CLOSE_LATER.search(t.content) for t in tokens):
                self._held = held[len(ready) :]
                spans += _styled(tokens, self._style)
        return spans

    def close(self) -> list[Span]:
        held, self._held = self._held, ""
        return spans_of(held, self._style) if held else []


def spans_of(text: str, style: str = "") -> list[Span]:
    """Return the styled spans of a complete piece of inline Markdown."""
    return list(_styled(_parse(text), style))


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough")


def _parse(text: str) -> "Sequence[Token]":
    return _parser().parseInline(text)[0].children or ()


def _styled(tokens: "Sequence[Token]", base: str) -> "Iterator[Span]":
    styles = [base] if base else []
    link_text = ""
    href = ""
    for token in tokens:
        if token.type in _STYLES:
            styles.append(_STYLES[token.type])
            if token.type == "link_open":
                href, link_text = str(token.attrGet("href") or ""), ""
        elif token.type.endswith("_close"):
            styles.pop()
            if token.type == "link_close" and href.removeprefix("mailto:") != link_text:
                yield Span(f" ({href})", base)
        else:
            if token.type in {"softbreak", "hardbreak"}:
                text = "\n"
            elif token.type == "image":
                text = f"{token.content} ({token.attrGet('src')})"
            else:
                text = token.content
            link_text += text
            yield Span(text, " ".join([*styles, _CODE] if token.type == "code_inline" else styles))
