"""Score messages for a request: as verbatim turns are, and by the period and role that the request names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memchat.core.protocols import MessageCandidate
from memchat.core.types import Role
from memchat.recall.periods import Period, periods_in
from memchat.recall.sentence_kinds import only_asks
from memchat.recall.soft_words import RequestWords
from memchat.text.dates import format_date
from memchat.text.embedding import segments
from memchat.text.normalize import speaker, without_speaker

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

PERIOD_BONUS = 0.15
"""Added to messages that were said in the period that the request names, or name a time in it."""
ONLY_ASKS_PENALTY = 0.15
"""Taken from a message of nothing but questions and greetings, since it states nothing."""
ROLE_BONUS = 0.25
"""Added to the assistant's messages, and taken from the user's, when the request asks for the assistant's words."""
RECENCY_BONUS = 0.05
"""Gain of the newest message when the request names no subject."""
WHOLE_CHARACTERS = 280
"""A message up to this length, in characters, is quoted whole."""
NEIGHBOUR_CHARACTERS = 200
PASSAGE_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class ExcerptRequest:
    """A parsed request: its words, its vectors (None for words alone), its names, and the messages it means.

    `near` holds the cosines of its vectors with those of each candidate, by the candidate's number.
    """

    asked: RequestWords
    vectors: "Vectors | None"
    names: frozenset[str]
    subjects: frozenset[str]
    by_assistant: bool
    period: Period | None
    vague: bool
    near: "Mapping[int, Vectors]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredMessage:
    """A message with its score and the summands of the score by name."""

    candidate: MessageCandidate
    score: float
    parts: Mapping[str, float]

    def plus(self, name: str, value: float) -> "ScoredMessage":
        """Add a summand to the score."""
        return ScoredMessage(self.candidate, self.score + value, {**self.parts, name: value}) if value else self

    def in_context(self, before: float, after: float) -> "ScoredMessage":
        """Add what the soft words of the messages beside it tell, and subtract for a message that asks."""
        from memchat.recall import scoring

        text, answered = self.candidate.text, scoring.asks(self.candidate.previous)
        asking = ONLY_ASKS_PENALTY if only_asks(text) else scoring.QUESTION_PENALTY * scoring.asks(text)
        beside = scoring.WORD_WEIGHT * scoring.neighbours(before, after, answered)
        return self.plus("beside", beside).plus("asks", -asking)


def dated_text(candidate: MessageCandidate, read: ExcerptRequest) -> str:
    """Return the text that is compared with the request's words, preceded by the message's day.

    A long message is represented by its nearest segments, since the whole would share words with any request.
    """
    passage, several = candidate.text[: 4 * WHOLE_CHARACTERS], len(candidate.vectors) - 1
    if len(candidate.text) > WHOLE_CHARACTERS and read.vectors is not None and several > PASSAGE_SEGMENTS:
        parts = segments(without_speaker(candidate.text), several)
        near = nearness(candidate, read)
        best = sorted(range(min(len(parts), len(near))), key=lambda at: -near[at])[:PASSAGE_SEGMENTS]
        passage = " ".join(parts[at] for at in sorted(best))
    return f"{format_date(candidate.said_at.astimezone().date())} {passage}"


def texts_beside(candidate: MessageCandidate) -> tuple[str | None, str | None]:
    """Return the end of the message before `candidate` and the beginning of the one after it."""
    before, after = candidate.previous, candidate.following
    return before and before[-NEIGHBOUR_CHARACTERS:], after and after[:NEIGHBOUR_CHARACTERS]


def nearness(candidate: MessageCandidate, read: ExcerptRequest) -> list[float]:
    """Return each segment's highest cosine with any text of the request."""
    nearest: list[float] = read.near[candidate.number][:, 1:].max(axis=0).tolist()
    return nearest


def score_message(candidate: MessageCandidate, soft: float, read: ExcerptRequest, newest: int) -> ScoredMessage:
    """Score a message by what it says itself; `soft` is its score of soft words."""
    from memchat.recall import scoring

    parts = {"meaning": _meaning(candidate, read), "words": scoring.WORD_WEIGHT * soft}
    said_by = speaker(candidate.text) if read.names else None
    if said_by in read.subjects if said_by else scoring.named_in(candidate.text, read.names):
        parts["named"] = scoring.NAMED_WEIGHT
    if read.period:
        said_on = candidate.said_at.astimezone().date()
        named = (one.period for one in periods_in(candidate.text, said_on))
        if read.period.holds(said_on) or any(map(read.period.overlaps, named)):
            parts["when"] = PERIOD_BONUS
    if read.by_assistant:
        parts["who"] = ROLE_BONUS if candidate.role is Role.ASSISTANT else -ROLE_BONUS
    if read.vague and newest:
        parts["recent"] = RECENCY_BONUS * candidate.number / newest
    return ScoredMessage(candidate, sum(parts.values()), {name: part for name, part in parts.items() if part})


def _meaning(candidate: MessageCandidate, read: ExcerptRequest) -> float:
    """Return the mean of the window's cosine and the best segment's."""
    if candidate.number not in read.near:
        return 0.0
    near = read.near[candidate.number]
    own, others = near[:, 0], near[:, 1:]
    best = others.max(axis=1) if others.shape[1] else own
    return float(((own + best) / 2).max())
