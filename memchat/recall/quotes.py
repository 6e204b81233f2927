"""Choose the sentences of a message to quote: those relevant to the request that say something new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from memchat.core.protocols import MessageCandidate
from memchat.core.types import Memory
from memchat.recall.excerpt_scoring import WHOLE_CHARACTERS, ExcerptRequest, nearness
from memchat.recall.periods import periods_in
from memchat.recall.staleness import stems
from memchat.text.embedding import segments
from memchat.text.normalize import content_words, sentences, without_speaker, words

QUOTED_CHARACTERS = 320
"""Length to which a message longer than WHOLE_CHARACTERS is cut, in characters: about eighty tokens."""
SAME_SHARE = 0.8
"""Share of an excerpt's words in a fact of the prompt from which the excerpt says nothing new."""
_SAYS_NOTHING = frozenset({"am", "too", "also", "really", "just", "there", "by", "way", "oh", "well", "yes", "no"})
"""Words of a statement that the fact learned from it leaves out."""


def sentences_to_quote(candidate: MessageCandidate, read: ExcerptRequest) -> list[str]:
    """Return the sentences of a message; of a long one, those nearest to the request in order, with `…` for gaps."""
    parts = sentences(candidate.text)
    if len(candidate.text) <= WHOLE_CHARACTERS or len(parts) < 2:
        return [_shortened(part) for part in parts]
    near = _sentence_scores(parts, candidate, read)
    chosen: set[int] = set()
    room = QUOTED_CHARACTERS
    for at in sorted(range(len(parts)), key=lambda at: (-near[at], at)):
        if len(parts[at]) <= room or not chosen:
            chosen.add(at)
            room -= len(parts[at])
    gaps = {at for at in chosen if at and at - 1 not in chosen}
    return [("… " if at in gaps else "") + _shortened(parts[at]) for at in sorted(chosen)]


def _sentence_scores(parts: Sequence[str], candidate: MessageCandidate, read: ExcerptRequest) -> list[float]:
    """Score each sentence: the cosine of its segment plus its share of the request's words."""
    terms = set(read.asked.counts)
    shares = [len(terms & set(words(part))) / max(len(terms), 1) for part in parts]
    if read.vectors is None or len(candidate.vectors) < 2:
        return shares
    grouped = segments(without_speaker(candidate.text), len(candidate.vectors) - 1)
    near = nearness(candidate, read)
    cosines = [cosine for group, cosine in zip(grouped, near, strict=False) for _ in sentences(group)]
    cosines += [0.0] * (len(parts) - len(cosines))
    return [cosine + share for cosine, share in zip(cosines, shares, strict=False)]


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
    """Whether a fact in the prompt, or an excerpt in `said`, already says `text` and knows the days that it names."""
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
