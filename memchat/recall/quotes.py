"""Choose the sentences of a message to quote: those relevant to the request that say something new."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from memchat.core.protocols import MessageCandidate
from memchat.core.types import Memory
from memchat.recall.excerpt_scoring import WHOLE_CHARACTERS, ExcerptRequest, nearness
from memchat.recall.periods import periods_in
from memchat.recall.request_cues import place_asked
from memchat.recall.sentence_kinds import is_greeting
from memchat.recall.statement_units import stems
from memchat.text.embedding import segments
from memchat.text.normalize import content_words, sentences, speaker, without_speaker, words
from memchat.text.punctuation import ends_with_question_mark

QUOTED_CHARACTERS = 320
"""Length to which a message longer than WHOLE_CHARACTERS is cut, in characters: about eighty tokens."""
ANSWER_CHARACTERS = 40
"""Maximum length of an answer that is quoted with its question, in characters."""
SAME_SHARE = 0.8
"""Share of an excerpt's words in a fact of the prompt from which the excerpt says nothing new."""
_MARKER = re.compile(r"\W{0,3}\d{1,2}[.):]\W{0,3}")
"""The number of an item in a list. A sentence seems to end behind it."""
_BULLET = re.compile(r"[-*•–] ")
_SAYS_NOTHING = frozenset({"am", "too", "also", "really", "just", "there", "by", "way", "oh", "well", "yes", "no"})
"""Words of a statement that the fact learned from it leaves out."""


def sentences_to_quote(candidate: MessageCandidate, read: ExcerptRequest) -> list[str]:
    """Return what a message states; of a long one, the sentences nearest to the request in order, with `…` for gaps.

    Greetings are left out, and questions too, unless one is nearest to the request or there is nothing else.
    """
    parts, near = _scored_parts(candidate, read)
    said = [at for at, part in enumerate(parts) if not is_greeting(part)]
    nearest = max(said, key=lambda at: near[at], default=None)
    stated = [at for at in said if at == nearest or not ends_with_question_mark(parts[at])]
    told = stated if any(not ends_with_question_mark(parts[at]) for at in stated) else said
    chosen = set(told)
    if sum(len(parts[at]) for at in told) > WHOLE_CHARACTERS:
        chosen, room = set(), QUOTED_CHARACTERS
        for at in sorted(told, key=lambda at: (-near[at], at)):
            if len(parts[at]) <= room or not chosen:
                chosen.add(at)
                room -= len(parts[at])
    gaps = {at for before, at in pairwise(told) if before not in chosen}
    quoted = [("… " if at in gaps else "") + _shortened(parts[at]) for at in told if at in chosen]
    said_by = speaker(candidate.text)
    return [f"{said_by}: {quoted[0]}", *quoted[1:]] if said_by and quoted else quoted


def question_before(candidate: MessageCandidate, quoted: str) -> str | None:
    """Return the question that a short answer answers; None where `quoted` is long enough to speak for itself."""
    if len(without_speaker(quoted)) > ANSWER_CHARACTERS or not candidate.previous:
        return None
    asked = [part for part in sentences(without_speaker(candidate.previous)) if ends_with_question_mark(part)]
    return _shortened(asked[-1]) if asked and not ends_with_question_mark(quoted) else None


def _scored_parts(candidate: MessageCandidate, read: ExcerptRequest) -> tuple[list[str], list[float]]:
    """Return the sentences of a message and their scores; the number of a list item is joined to its sentence.

    If the request asks for an item by its position ("the third one"), that item scores highest.
    """
    whole = sentences(without_speaker(candidate.text))
    parts: list[str] = []
    scores: list[float] = []
    for part, score in zip(whole, _sentence_scores(whole, candidate, read), strict=True):
        if parts and _MARKER.fullmatch(parts[-1]):
            parts[-1], scores[-1] = f"{parts[-1]} {part}", max(scores[-1], score)
        else:
            parts.append(part)
            scores.append(score)
    place = place_asked(read.asked.text)
    items = [at for at, part in enumerate(parts) if _MARKER.match(part)] or [
        at for at, part in enumerate(parts) if _BULLET.match(part)
    ]
    if place is not None and max(place, 1) <= len(items):
        scores[items[place - 1 if place > 0 else -1]] += max(scores) + 1
    return parts, scores


def _sentence_scores(parts: Sequence[str], candidate: MessageCandidate, read: ExcerptRequest) -> list[float]:
    """Score each sentence: the cosine of its segment plus its share of the request's words."""
    terms = set(read.asked.counts)
    shares = [len(terms & set(words(part))) / max(len(terms), 1) for part in parts]
    if read.vectors is None or len(candidate.vectors) < 2:
        return shares
    grouped = segments(without_speaker(candidate.text), len(candidate.vectors) - 1)
    near = nearness(candidate, read)
    cosines: list[float] = []
    at = 0
    for group, cosine in zip(grouped, near, strict=False):
        length = -1
        while at < len(parts) and length < len(group):
            length += 1 + len(parts[at])
            cosines.append(cosine)
            at += 1
    cosines += [0.0] * (len(parts) - len(cosines))
    return [cosine + share for cosine, share in zip(cosines, shares, strict=True)]


def _shortened(part: str) -> str:
    """Cut a sentence that is longer than an excerpt may be."""
    return part if len(part) <= QUOTED_CHARACTERS else f"{part[:QUOTED_CHARACTERS].rsplit(' ', 1)[0]} …"


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact in the prompt: the stems of its words, and its day."""

    stems: frozenset[str]
    day: date | None

    @classmethod
    def of(cls, memory: Memory) -> "KnownFact":
        return cls(stems(words(memory.text)), memory.valid_from)


def says_nothing_new(text: str, said_on: date, known: Sequence[KnownFact], said: set[tuple[str, ...]]) -> bool:
    """Return whether a fact in the prompt or an excerpt in `said` already says `text`, with the days it names."""
    own = tuple(words(without_speaker(text)))
    if not own or own in said:
        return True
    said.add(own)
    meaningful = stems(word for word in content_words(without_speaker(text)) if word not in _SAYS_NOTHING)
    return any(
        len(meaningful & fact.stems) >= SAME_SHARE * len(meaningful)
        and all(fact.day is not None and one.period.holds(fact.day) for one in periods_in(text, said_on))
        for fact in known
    )
