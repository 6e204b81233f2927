"""The marks that end sentences and questions, in any script."""

import re

QUESTION_MARKS = frozenset("?？﹖؟՞፧⁇⁈⁉‽\u037e")
"""The Greek one has a code point of its own, but is mostly typed as a semicolon."""
SENTENCE_ENDS = ".!?…؟۔।॥։።፧⁇⁈⁉‽\u037e"
"""Marks that end a sentence where a space follows."""
WIDE_SENTENCE_ENDS = "。！？｡"
"""Marks that end a sentence without a space behind them."""

_GREEK = re.compile("[\u0370-\u037d\u0386-\u03ff\u1f00-\u1fff]")
_CLOSING = " \t\r\n\"'”’»)」』）"


def has_question_mark(text: str) -> bool:
    """Return whether `text` has a question mark of any script; in Greek text a semicolon is one."""
    return not QUESTION_MARKS.isdisjoint(text) or (";" in text and _GREEK.search(text) is not None)


def ends_with_question_mark(sentence: str) -> bool:
    """Return whether `sentence` ends with a question mark, apart from quotes and brackets behind it.

    Armenian puts the mark into the word that asks, so it counts anywhere.
    """
    last = sentence.rstrip(_CLOSING)[-1:]
    return last in QUESTION_MARKS or "՞" in sentence or (last == ";" and _GREEK.search(sentence) is not None)
