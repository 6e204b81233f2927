"""Fenced code, line by line as it arrives, in the terminal's own colours."""

import re
from functools import cache
from typing import TYPE_CHECKING

from memchat.repl.markdown.wrap import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pygments.lexer import Lexer

_CONTEXT_LINES = 40
_LONGEST_CONTEXT_LINES = 200
_LONGEST_LINE = 2_000
_LANGUAGE = re.compile(r"[\w+#.-]+")


class LineHighlighter:
    """Colours the lines of one block of code in the order they come.

    A line is coloured in the light of the lines before it, of which a bounded number is kept: a text in quotes that
    runs over several lines stays a text, and the work for each line stays the same however long the block becomes.
    """

    def __init__(self, info: str) -> None:
        language = _LANGUAGE.match(info.strip())
        self._lexer = _lexer_for(language.group().lower()) if language else None
        self._context: list[str] = []

    def colour(self, line: str) -> list[Span]:
        """The spans of `line`, which holds no newline."""
        if self._lexer is None or len(line) > _LONGEST_LINE:
            self._context.clear()
            return [Span(line)]
        before = "".join(self._context)
        tokens = list(self._lexer.get_tokens_unprocessed(before + line + "\n"))
        self._remember(line, in_text=_is_text(str(tokens[-1][1])) if tokens else False)
        return list(_spans_from(tokens, len(before)))

    def _remember(self, line: str, *, in_text: bool) -> None:
        self._context.append(line + "\n")
        kept = len(self._context)
        if kept >= _LONGEST_CONTEXT_LINES or (kept >= _CONTEXT_LINES and not in_text):
            self._context.clear()


@cache
def _lexer_for(language: str) -> "Lexer | None":
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


def _is_text(kind: str) -> bool:
    return kind.startswith(("Token.Literal.String", "Token.Comment"))


def _spans_from(tokens: "list[tuple[int, object, str]]", start: int) -> "Iterator[Span]":
    for at, kind, text in tokens:
        visible = text[max(start - at, 0) :].replace("\n", "")
        if visible:
            yield Span(visible, _style_of(kind))


@cache
def _style_of(kind: object) -> str:
    """A style in the palette of the person's own terminal; plain where the palette has nothing fitting."""
    name = str(kind).removeprefix("Token.")
    for prefix, style in _PALETTE:
        if name.startswith(prefix):
            return style
    return ""


_PALETTE = (
    ("Comment.Preproc", "magenta"),
    ("Comment", "italic green"),
    ("Keyword.Constant", "cyan"),
    ("Keyword", "blue"),
    ("Literal.String", "yellow"),
    ("Literal.Number", "cyan"),
    ("Name.Function", "bold"),
    ("Name.Class", "bold"),
    ("Name.Decorator", "magenta"),
    ("Name.Tag", "blue"),
    ("Name.Attribute", "cyan"),
    ("Name.Builtin", "cyan"),
    ("Operator.Word", "blue"),
    ("Generic.Inserted", "green"),
    ("Generic.Deleted", "red"),
    ("Generic.Heading", "bold"),
)
