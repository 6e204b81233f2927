"""Highlight fenced code line by line as it arrives, in the terminal's own colours."""

import re
from functools import cache
from typing import TYPE_CHECKING

from memchat.repl.markdown.wrap import Span

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_CONTEXT_LINES = 40
_LONGEST_CONTEXT_LINES = 200
_LONGEST_LINE = 2_000
_LANGUAGE = re.compile(r"[\w+#.-]+")


class LineHighlighter:
    """Highlights the lines of a code block in order.

    A limited number of earlier lines is kept as context, so that a string over several lines is recognised and the work
    per line stays constant.
    """

    def __init__(self, info: str) -> None:
        language = _LANGUAGE.match(info.strip())
        self._lexer = _lexer_for(language.group().lower()) if language else None
        self._context: list[str] = []

    def colour(self, line: str) -> list[Span]:
        """Return the spans of `line`, which contains no newline."""
        if self._lexer is None or len(line) > _LONGEST_LINE:
            self._context.clear()
            return [Span(line)]
        before = "".join(self._context)
        tokens = list(self._lexer.get_tokens_unprocessed(before + line + "\n"))
        in_text = bool(tokens) and str(tokens[-1][1]).startswith(("Token.Literal.String", "Token.Comment"))
        self._context.append(line + "\n")
        kept = len(self._context)
        if kept >= _LONGEST_CONTEXT_LINES or (kept >= _CONTEXT_LINES and not in_text):
            self._context.clear()
        visible = ((text[max(len(before) - at, 0) :].replace("\n", ""), kind) for at, kind, text in tokens)
        return [Span(text, _style_of(kind)) for text, kind in visible if text]


@cache
def _lexer_for(language: str) -> "Lexer | None":
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


@cache
def _style_of(kind: object) -> str:
    """Return the style of a token in the terminal's palette; empty if there is none."""
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
