"""Find excerpts: passages of earlier conversations that complement the facts learned from them.

A message is ranked like a verbatim turn (see `memchat.recall.scoring`): by its window and its best segment, by its
words and those of its neighbours. An excerpt shows the sentences nearest to the request.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from memchat.core.protocols import Clock, MessageCandidate, MessageFilter, MessageStore, RequestEmbedder, Vocabulary
from memchat.core.types import FORGOTTEN, Memory, Owner, Role, Scope, Session
from memchat.errors import ModelError
from memchat.recall.excerpt_scoring import (
    ExcerptRequest,
    ScoredMessage,
    dated_text,
    score_message,
    texts_beside,
)
from memchat.recall.periods import Period, period_of, with_days
from memchat.recall.quotes import KnownFact, question_before, says_nothing_new, sentences_to_quote
from memchat.recall.request_cues import asks_about_assistant, asks_for_several, is_small_talk
from memchat.recall.requests import questions_in, rarest_terms
from memchat.recall.soft_words import RequestWords, soft_words
from memchat.recall.staleness import StaleIndex, Staleness
from memchat.text.embedding import load_numpy
from memchat.text.normalize import content_words, words

MOST_EXCERPTS = 12
ORDINARY_TOKENS = 312
"""Maximum tokens of the excerpts for a request about one thing; a request for several may use the whole limit.

On LoCoMo a question about one thing gains little beyond it, and a question for a list gains up to 700.
"""
LEAST_EXCERPTS = 3
"""Number of excerpts given up to the whole limit, even if they exceed ORDINARY_TOKENS."""
NEAREST = 20
"""Maximum number of candidates from vector search."""
WITH_WORDS = 12
"""Maximum number of candidates from word search."""
WORD_BUDGET = 1_000
"""Maximum number of messages in which the words of one request are looked up, the rarest words first."""
MAX_QUERY_WORDS = 32
FLOOR = 0.378
"""Minimum score of an excerpt in a history of one message; see `floor`."""
FLOOR_GROWTH = 0.022
"""Rise of the floor per tenfold number of messages, since the best of more messages scores higher by chance."""
CONTINUED = 3
"""Number of best messages whose neighbours are looked at, whether found or not."""
CONTINUATION_WEIGHT = 0.3
"""Share of a message's score above the floor that is added to what was said right before and after it."""
MOST_BESIDE = 0.2
"""What the messages beside a message add to its score at most, as far as they are looked at."""
WORDS_FLOOR = 0.3
"""Minimum score where the embedder has failed and only words are compared."""
LINE_TOKENS = 14
"""Tokens of a line besides its text: the dash, the day and the speaker."""
VAGUE_WORDS = 2
"""A request about earlier words with at most this many content words names no subject."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage of an earlier conversation. `parts` are the summands of its score by name.

    `stale` says what replaced or ended its statement, if a memory tells. `answers` is the question before it, without
    which it says little.
    """

    message_id: str
    session_id: str
    role: Role
    said_at: datetime
    text: str
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    stale: Staleness | None = None
    answers: str | None = None

    def with_question(self) -> str:
        """Return the text, preceded by the question it answers if it says little by itself."""
        return f"(asked: {self.answers}) {self.text}" if self.answers else self.text

    @property
    def day(self) -> date:
        """The local day it was said on."""
        return self.said_at.astimezone().date()


@dataclass(frozen=True, slots=True)
class Quoted:
    """The excerpts for a prompt, best first, and the number of further matches beyond its limits."""

    excerpts: tuple[Excerpt, ...] = ()
    left_out: int = 0


def excerpt_json(excerpt: Excerpt) -> dict[str, object]:
    """Return `excerpt` as JSON. `outdated` is None, or the statement that holds now and the day the old one ended."""
    stale = excerpt.stale
    ended = stale.ended.isoformat() if stale and stale.ended else None
    return {
        "message_id": excerpt.message_id,
        "session_id": excerpt.session_id,
        "role": str(excerpt.role),
        "text": excerpt.text,
        "created_at": excerpt.said_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "score": round(excerpt.score, 4),
        "outdated": {"now": stale.now, "ended": ended} if stale else None,
    }


@dataclass(frozen=True, slots=True)
class ExcerptQuery:
    """A search for excerpts. `facts` are already in the prompt.

    `tokens` limits all excerpts together, `ordinary_tokens` those for a request that does not ask for several things.
    `period` is when the answer was said, where that is known from elsewhere.
    """

    text: str
    view: MessageFilter
    tokens: int
    facts: Sequence[Memory] = ()
    period: Period | None = None
    most: int = MOST_EXCERPTS
    ordinary_tokens: int = ORDINARY_TOKENS
    floor: bool = True


class ExcerptFinder:
    """Find excerpts in one store, on the thread that the store belongs to."""

    def __init__(self, store: MessageStore, embedder: RequestEmbedder, vocabulary: Vocabulary, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._vocabulary = vocabulary
        self._clock = clock
        self._stale = StaleIndex()

    def search(self, query: ExcerptQuery) -> tuple[Excerpt, ...]:
        """Return the excerpts relevant to the request, best first, within its budget; often there are none."""
        return self.quote(query).excerpts

    def quote(self, query: ExcerptQuery) -> Quoted:
        """Return what `search` finds, and the number of further matches."""
        if query.tokens <= LINE_TOKENS or not query.text.strip() or is_small_talk(query.text):
            return Quoted()
        load_numpy()
        read = self._read(query)
        if not read.asked.total:
            return Quoted()
        least = WORDS_FLOOR if read.vectors is None else floor(read.asked.total)
        candidates = self._candidates(query.view, read)
        read = self._compared(candidates, read)
        scored = self._scored(candidates, read, least - MOST_BESIDE if query.floor else -math.inf)
        read, scored = self._continued(scored, read, query.view, least)
        if query.floor:
            scored = [one for one in scored if one.score >= least]
        scored.sort(key=lambda one: (-one.score, -one.candidate.number))
        return self._quoted(scored, read, query)

    # Steps.

    def _read(self, query: ExcerptQuery) -> ExcerptRequest:
        from memchat.recall.scoring import as_first_person, common_names, names_in, subjects_in

        names = names_in(query.text)
        subjects = subjects_in(query.text, names)
        terms = content_words(query.text)[:MAX_QUERY_WORDS]
        counts = self._store.message_frequencies(query.view, terms)
        messages = self._store.message_count(query.view)
        by_assistant = asks_about_assistant(query.text)
        vectors = None
        if messages:
            # Where the embedder fails, words have to do.
            with suppress(ModelError):
                speakers = common_names(names, counts, messages)
                vectors = self._embedder.embed([as_first_person(query.text, speakers), *questions_in(query.text)])
        return ExcerptRequest(
            asked=RequestWords(query.text, counts, messages),
            vectors=vectors,
            names=names,
            subjects=subjects,
            by_assistant=by_assistant,
            period=query.period or period_of(query.text, self._clock().astimezone().date()),
            vague=by_assistant and len(terms) <= VAGUE_WORDS,
        )

    def _candidates(self, view: MessageFilter, read: ExcerptRequest) -> list[MessageCandidate]:
        """Return the nearest messages by vectors and by words, of any period and role and of those requested."""
        terms = rarest_terms(read.asked.counts, WORD_BUDGET)
        period = read.period or Period(None, None)
        role = Role.ASSISTANT if read.by_assistant else view.role
        numbers: list[int] = []
        for where in dict.fromkeys((view, replace(view, role=role, since=period.since, until=period.until))):
            if read.vectors is not None:
                numbers += self._store.nearest_messages(where, read.vectors, NEAREST)
            numbers += self._store.messages_with(where, terms, WITH_WORDS)
        return self._store.message_candidates(view, numbers)

    def _scored(
        self, candidates: Sequence[MessageCandidate], read: ExcerptRequest, promising: float
    ) -> list[ScoredMessage]:
        """Score `candidates`; the messages beside them are read only where their own words score `promising`."""
        texts = [dated_text(candidate, read) for candidate in candidates]
        undated = {text: one.text for text, one in zip(texts, candidates, strict=True)}
        soft = soft_words(read.asked, undated, self._vocabulary)
        newest = max((candidate.number for candidate in candidates), default=0)
        scored = [score_message(one, soft[text], read, newest) for one, text in zip(candidates, texts, strict=True)]
        beside = {one.candidate.number: texts_beside(one.candidate) for one in scored if one.score >= promising}
        soft = soft_words(
            read.asked, {text: text for pair in beside.values() for text in pair if text}, self._vocabulary
        )
        for at, one in enumerate(scored):
            if (pair := beside.get(one.candidate.number)) is not None:
                before, after = (soft[text] if text else 0.0 for text in pair)
                scored[at] = one.in_context(before, after)
        return scored

    def _compared(self, candidates: Sequence[MessageCandidate], read: ExcerptRequest) -> ExcerptRequest:
        """Return `read` with the cosines of `candidates` added."""
        compared = [candidate for candidate in candidates if len(candidate.vectors)]
        if read.vectors is None or not compared:
            return read
        rows, texts = [one.vectors for one in compared], [one.text for one in compared]
        similarities = self._embedder.similarities(read.vectors, rows, texts)
        return replace(read, near={**read.near, **{c.number: n for c, n in zip(compared, similarities, strict=True)}})

    def _continued(
        self, scored: Sequence[ScoredMessage], read: ExcerptRequest, view: MessageFilter, least: float
    ) -> tuple[ExcerptRequest, list[ScoredMessage]]:
        """Add what the same person said right before and after the best messages, and raise its score.

        Of two things said in a row one often tells what happened and the other when or where.
        """
        best = sorted((one for one in scored if one.score >= least), key=lambda one: -one.score)[:CONTINUED]
        if not best:
            return read, list(scored)
        raised: dict[int, float] = {}
        beside = self._store.messages_beside([one.candidate.number for one in best])
        for one in reversed(best):
            raised |= dict.fromkeys(beside.get(one.candidate.number, ()), CONTINUATION_WEIGHT * (one.score - least))
        known = {one.candidate.number for one in scored}
        found = self._store.message_candidates(view, [number for number in raised if number not in known])
        read = self._compared(found, read)
        every = [*scored, *self._scored(found, read, -math.inf)]
        return read, [one.plus("continues", raised.get(one.candidate.number, 0.0)) for one in every]

    def _quoted(self, scored: Sequence[ScoredMessage], read: ExcerptRequest, query: ExcerptQuery) -> Quoted:
        """Cut excerpts from the best of `scored` that say something new, within the budget."""
        stale = self._stale_index(query.view.owner)
        known = [KnownFact.of(memory) for memory in query.facts]
        kept: list[Excerpt] = []
        said: set[tuple[str, ...]] = set()
        left, left_out = query.tokens, 0
        ordinary = query.tokens if asks_for_several(query.text) else query.ordinary_tokens
        for one in scored:
            used = query.tokens - left
            if len(kept) >= query.most or (used >= ordinary and len(kept) >= LEAST_EXCERPTS):
                left_out += 1
                continue
            excerpt = _excerpt(one, read, stale)
            if excerpt is None or says_nothing_new(excerpt.text, excerpt.day, known, said):
                continue
            now = excerpt.stale.now if excerpt.stale and excerpt.stale.now else ""
            shown = (with_days(excerpt.with_question(), excerpt.day), now)
            cost = sum(map(self._vocabulary.tokens, shown)) + LINE_TOKENS
            if cost <= left and (used + cost <= ordinary or len(kept) < LEAST_EXCERPTS):
                kept.append(excerpt)
                left -= cost
                if excerpt.answers:
                    said.add(tuple(words(excerpt.answers)))
            else:
                left_out += 1
        return Quoted(tuple(kept), left_out)

    def _stale_index(self, owner: Owner) -> StaleIndex:
        memories = self._store.stale_memories(owner)
        if memories is not self._stale.memories:
            self._stale = StaleIndex(memories)
        return self._stale


def floor(messages: int) -> float:
    """Return the minimum score of an excerpt in a history of `messages` messages."""
    return FLOOR + FLOOR_GROWTH * math.log10(max(messages, 1))


def messages_of(session: Session, window_start: str | None = None) -> MessageFilter:
    """Return the messages that a conversation may quote.

    They are those of the user's other conversations with the same agent, and its own that are out of the window.
    """
    owner = Owner.user(session.user) if session.user else Owner(Scope.SESSION, session.id)
    return MessageFilter(owner, session.agent, session_id=session.id, window_start=window_start)


def _excerpt(scored: ScoredMessage, read: ExcerptRequest, stale: StaleIndex) -> Excerpt | None:
    """Cut an excerpt from a message; return None if no sentence is left that ever held."""
    candidate = scored.candidate
    parts = [one for one in sentences_to_quote(candidate, read) if FORGOTTEN not in one]
    found = list(zip(parts, stale.of_each(parts, candidate), strict=True))
    kept = [(part, what) for part, what in found if what is None or not what.mistaken]
    if not kept or is_small_talk(" ".join(part for part, _ in kept)):
        return None
    text = " ".join(part for part, _ in kept)
    asked = question_before(candidate, text)
    asked = asked if asked and FORGOTTEN not in asked else None
    of_question = stale.of_each([asked], candidate)[0] if asked else None
    if of_question and of_question.mistaken:
        return None
    return Excerpt(
        candidate.id,
        candidate.session_id,
        candidate.role,
        candidate.said_at,
        text,
        scored.score,
        scored.parts,
        next((what for _, what in kept if what), of_question),
        asked,
    )
