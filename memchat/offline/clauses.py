"""Split a message into the clauses in which people speak of themselves; leave out what is not a statement of theirs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memchat.offline.grammar import expand_contractions
from memchat.offline.patterns import pattern, word_list
from memchat.text.normalize import sentences

_BULLET = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+")
_SYMBOLS = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f]+|(?<= )[:;][-']?[()DP]+$")
_QUOTED = re.compile(r"[\"“”«»„].{12,}[\"“”«»]")
_SHORTENED = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|e\.g|i\.e|approx)\.$")


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause: `quote` is part of the message, `words` the same spelled out without fillers, in its `sentence`."""

    quote: str
    words: str
    sentence: str


def literal_sentences(message: str) -> Iterator[str]:
    """Yield the sentences of `message` that are meant literally; none after a pretence or a text to work on."""
    parts, begun = sentences(message), ""
    for at, part in enumerate(parts, 1):
        begun = f"{begun} {part}".strip()
        if _SHORTENED.search(begun) and at < len(parts):
            continue  # 'Dr.' ends no sentence.
        sentence, begun = _BULLET.sub("", begun), ""
        if pattern("infects").search(sentence) or pattern("task").search(sentence):
            return
        if not pattern("not_meant").search(sentence):
            yield sentence


def clauses(sentence: str) -> Iterator[Clause]:
    """Yield the clauses of `sentence` that may state something, in order; none if it is quoted or conditional.

    Of a question, yield only the clauses before it.
    """
    if pattern("only_if").search(sentence) or _QUOTED.search(sentence):
        return
    quotes = [part for part in pattern("break").split(sentence) if part and part.strip()]
    if quotes and sentence.endswith("?"):
        last = pattern("filler").sub("", quotes[-1].strip())
        if not pattern("asks").match(last):
            return
        quotes = quotes if re.match(r"(?i)(?:can|could|would|will) you\b", last) else quotes[:-1]
    for quote in quotes:
        # 'I love tea, hate olives' is split, but not 'I want to live and work there'.
        pieces = pattern("unsaid_i").split(quote)
        shared = re.match(r"(?:I|we)\b", _clean(pieces[0])) and not pattern("open_ended").search(pieces[0])
        first, *more = pieces if len(pieces) > 1 and shared else [quote]
        for said, spoken in ((first, first), *((fragment, f"I {fragment}") for fragment in more)):
            words = _clean(spoken)
            if words and not any(pattern(doubt).search(words) for doubt in ("unsure", "passing", "second_hand")):
                yield Clause(said.strip(), words, sentence)


def _clean(quote: str) -> str:
    words = _without_fillers(" ".join(expand_contractions(_SYMBOLS.sub(" ", quote)).split()))
    is_wish = word_list("lasting").match(words) or pattern("whenever").match(words)
    if not is_wish and (tail := pattern("tail").search(words)):
        # A loose end behind a comma goes, unless it adds to the statement; the items of a list stay.
        words = words[: tail.start()]
    return _without_fillers(words)


def _without_fillers(words: str) -> str:
    while (shorter := pattern("filler").sub("", words, count=1)) != words and shorter:
        words = shorter
    while (shorter := pattern("trailing").sub("", words)) != words:
        words = shorter
    return words
