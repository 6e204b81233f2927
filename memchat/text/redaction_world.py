"""Find secrets by their labels in other languages, if the value after the label looks like a secret.

Grammars differ in what stands between the two ("hasło do wifi to …", "الرقم السري للبطاقة …"), so a few words may. In
return nothing is taken for a secret that could be a word: a password mixes letters with digits or signs.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from memchat.text.redaction_labels import CLOSERS, PLACEHOLDER, is_mixed
from memchat.text.sections import read_sections

_LABELS = Path(__file__).with_name("redaction_labels.txt")
_SPAN = 60
_BETWEEN = 4
"""So many characters and words may stand between a label and its value."""
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af"
"""Letters after which a label may begin, for no spaces part the words."""
_PRODUCT = re.compile(r"[a-z]?[A-Z][A-Za-z]*[0-9]{1,3}")
"""iPhone15, WiFi6, Office365: in the middle of a sentence no password."""
_OPENERS = "\"'“„‚‘«»「『([{<"
_SENTENCE_END = re.compile(r"[.!?。！？؟।](?:\s|$)|\n")
_PART = re.compile(r"\S+")
_ASCII = re.compile(r"[!-~]+")
_DIGITS = {"pin": (4, 8), "card code": (3, 4), "login code": (4, 8)}
_LEAST_ASSIGNED, _LEAST_LOOSE = 4, 6
"""Minimum number of digits of a password, after a colon and elsewhere."""


def labelled_spans(kind: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield the positions of values after labels of `kind` in `text`."""
    for label in _labels(kind).finditer(text):
        at = label.end()
        stop = _SENTENCE_END.search(text, at, at + _SPAN)
        following = text[at : stop.start() + 1 if stop else at + _SPAN]
        parts = list(re.finditer(r"[^\s:=：]+", following))[: _BETWEEN + 1]
        for number, part in enumerate(parts):
            start = at + part.start()
            # The part may go on behind what was looked at.
            whole = _PART.match(text, start)
            value = whole[0] if whole else part[0]
            if "[redacted" in value:
                break
            start += len(value) - len(value.lstrip(_OPENERS))
            value = value.lstrip(_OPENERS).rstrip(CLOSERS)
            assigned = number == 0 and re.search(r"[:=：—–-]\s*$", following[: part.start()]) is not None
            if (length := _length_of_value(kind, value, assigned=assigned)) is not None:
                yield start, start + length
                break


def _length_of_value(kind: str, value: str, *, assigned: bool) -> int | None:
    """Return the length of the secret in `value`, or None. Letters of another script after it are a suffix."""
    run = _ASCII.match(value)
    plain = run[0].rstrip(CLOSERS) if run and not value[run.end() :].isdigit() else ""
    if kind in _DIGITS:
        least, most = _DIGITS[kind]
        digits = re.match(r"[0-9]+(?![0-9A-Za-z%]|[.,/:-][0-9])", value)
        return len(digits[0]) if digits and least <= len(digits[0]) <= most else None
    for secret in (plain, value):
        if not secret or PLACEHOLDER.fullmatch(secret):
            continue
        if secret.isdigit() and kind == "password":
            return len(secret) if len(secret) >= (_LEAST_ASSIGNED if assigned else _LEAST_LOOSE) else None
        if not assigned and _PRODUCT.fullmatch(secret):
            continue
        if is_mixed(secret, 8 if kind == "api key" else 5):
            return len(secret)
    return None


@cache
def _labels(kind: str) -> re.Pattern[str]:
    """Return the labels of `kind`, each with the ending that a language may give it."""
    labels = "|".join(read_sections(_LABELS)[kind])
    return re.compile(rf"(?i)(?<![^\W_{_UNSPACED}])(?:ال|ב|ה|ל|ب|ل|و)?(?:{labels})[^\W\d_]{{0,8}}")
