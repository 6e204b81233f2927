"""Excerpts: what was said in earlier conversations, beside the facts distilled from it.

A message is ranked as a turn kept verbatim is (see `memchat.recall.scoring`): by its window and its best segment, by
its words and those beside it. What is worth showing of it are the sentences nearest to the request.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memchat.core.protocols import Clock, MessageCandidate, MessageFilter, MessageStore, RequestEmbedder, Vocabulary
from memchat.core.types import Memory, Owner, Role, Scope, Session
from memchat.errors import ModelError
from memchat.recall.request_cues import Period, asks_about_assistant, is_small_talk, period_of
from memchat.recall.requests import in_words, question_in, rarest_terms
from memchat.recall.soft_words import RequestWords, soft_words
from memchat.recall.staleness import StaleIndex, Staleness, stems
from memchat.text.embedding import load_numpy, segments
from memchat.text.normalize import content_words, sentences, speaker, without_speaker, words

if TYPE_CHECKING:
    from datetime import datetime

    from memchat.core.protocols import Vectors

MOST_EXCERPTS = 5
NEAREST = 40
"""How many messages are looked at for their meaning, and how many for their words."""
WITH_WORDS = 30
WORD_BUDGET = 1_000
"""How many messages the words of one request may be looked up in: the rarest words come first."""
MAX_QUERY_WORDS = 32
FLOOR = 0.378
"""The score below which a message is no answer, for a history of one message; see `floor`."""
FLOOR_GROWTH = 0.022
"""How much higher the floor lies for every ten times as many messages: the best of more is better by chance."""
WORDS_FLOOR = 0.3
"""The floor where the embedder has failed and words have to do."""
PERIOD_BONUS = 0.1
ROLE_BONUS = 0.25
"""What a request for the assistant's words adds to those, and takes from the person's own, which ask the same."""
RECENCY_BONUS = 0.05
"""What the newest message gains where the request asks for what was said without saying about what."""
WHOLE_CHARACTERS = 280
"""A message up to this length is quoted whole."""
QUOTED_CHARACTERS = 320
"""What a longer one is cut to, about eighty tokens."""
NEIGHBOUR_CHARACTERS = 200
PASSAGE_SEGMENTS = 3
LINE_TOKENS = 14
"""What the dash, the day and the name of who said it cost."""
VAGUE_WORDS = 2
"""A request for what was said with no more words than these does not say about what."""
BLANK = "[forgotten]"
"""Stands in a message for what was forgotten."""
_SAYS_NOTHING = frozenset({"am", "too", "also", "really", "just", "there", "by", "way", "oh", "well", "yes", "no"})
"""Words that a statement has and the fact distilled from it has not."""
SAME_SHARE = 0.8
"""From this share of its words on in a fact that is in the prompt already, an excerpt says nothing more."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Words of an earlier conversation. `parts` are the summands of its score by name.

    `stale` says what has become of what they say, where memory knows.
    """

    message_id: str
    session_id: str
    role: Role
    said_at: "datetime"
    text: str
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    stale: Staleness | None = None


@dataclass(frozen=True, slots=True)
class Quoted:
    """The excerpts for a prompt, best first, and how many matched as well and did not fit its limits."""

    excerpts: tuple[Excerpt, ...] = ()
    left_out: int = 0


def excerpt_json(excerpt: Excerpt) -> dict[str, object]:
    """An excerpt as programs see it. `outdated` is None, or what holds instead and the day it ended, where known."""
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
    """A request to find messages for. `tokens` bounds all excerpts together; `facts` are in the prompt already."""

    text: str
    view: MessageFilter
    tokens: int
    facts: Sequence[Memory] = ()
    most: int = MOST_EXCERPTS
    floor: bool = True


@dataclass(frozen=True, slots=True)
class _Request:
    """A request, read: its words, its vectors (None for words alone), names, and where it looks.

    `near` has how near its vectors are to those of each candidate, by the candidate's number.
    """

    asked: RequestWords
    vectors: "Vectors | None"
    names: frozenset[str]
    by_assistant: bool
    period: Period | None
    vague: bool
    near: "Mapping[int, Vectors]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: MessageCandidate
    score: float
    parts: Mapping[str, float]


class ExcerptFinder:
    """Reads through one store, on the thread the store belongs to."""

    def __init__(self, store: MessageStore, embedder: RequestEmbedder, vocabulary: Vocabulary, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._vocabulary = vocabulary
        self._clock = clock

    def search(self, query: ExcerptQuery) -> tuple[Excerpt, ...]:
        """The excerpts that bear on the request, best first, within its budget; none is a normal answer."""
        return self.quote(query).excerpts

    def quote(self, query: ExcerptQuery) -> Quoted:
        """What `search` finds, and how much more there was."""
        if query.tokens <= LINE_TOKENS or not query.text.strip() or is_small_talk(query.text):
            return Quoted()
        load_numpy()
        read = self._read(query)
        if not read.asked.total:
            return Quoted()
        candidates = self._candidates(query.view, read)
        read = replace(read, near=self._near(candidates, read))
        scored = self._scored(candidates, read)
        if query.floor:
            least = WORDS_FLOOR if read.vectors is None else floor(read.asked.total)
            scored = [one for one in scored if one.score >= least]
        scored.sort(key=lambda one: (-one.score, -one.candidate.number))
        return self._quoted(scored, read, query)

    # Steps.

    def _read(self, query: ExcerptQuery) -> _Request:
        from memchat.recall.scoring import as_first_person, names_in

        names = names_in(query.text)
        terms = content_words(query.text)[:MAX_QUERY_WORDS]
        counts = self._store.message_frequencies(query.view, terms)
        messages = self._store.message_count(query.view)
        by_assistant = asks_about_assistant(query.text)
        return _Request(
            asked=RequestWords(query.text, counts, messages),
            vectors=self._vectors([as_first_person(query.text, names), *question_in(query.text)]) if messages else None,
            names=names,
            by_assistant=by_assistant,
            period=period_of(query.text, self._clock().astimezone().date()),
            vague=by_assistant and len(terms) <= VAGUE_WORDS,
        )

    def _vectors(self, texts: Sequence[str]) -> "Vectors | None":
        """None where the embedder fails: then words have to do."""
        try:
            return self._embedder.embed(texts)
        except ModelError:
            return None

    def _candidates(self, view: MessageFilter, read: _Request) -> list[MessageCandidate]:
        """Messages near in meaning or in words, anywhere and where the request says that its answer was said."""
        terms = rarest_terms(read.asked.counts, WORD_BUDGET)
        numbers: list[int] = []
        for where in dict.fromkeys((view, _narrowed(view, read))):
            if read.vectors is not None:
                numbers += self._store.nearest_messages(where, read.vectors, NEAREST)
            numbers += self._store.messages_with(where, terms, WITH_WORDS)
        return self._store.message_candidates(view, numbers)

    def _near(self, candidates: Sequence[MessageCandidate], read: _Request) -> "dict[int, Vectors]":
        """How near the request's vectors are to those of each message that has some."""
        compared = [candidate for candidate in candidates if len(candidate.vectors)]
        if read.vectors is None or not compared:
            return {}
        rows, texts = [one.vectors for one in compared], [one.text for one in compared]
        near = self._embedder.similarities(read.vectors, rows, texts)
        return dict(zip((one.number for one in compared), near, strict=True))

    def _scored(self, candidates: Sequence[MessageCandidate], read: _Request) -> list[_Scored]:
        texts = [_texts(candidate, read) for candidate in candidates]
        undated = {
            text: whole
            for one, three in zip(candidates, texts, strict=True)
            for text, whole in zip(three, (one.text, one.previous, one.following), strict=True)
            if text and whole
        }
        soft = soft_words(read.asked, undated, self._vocabulary)
        newest = max((candidate.number for candidate in candidates), default=0)
        return [
            _score(candidate, [soft[text] if text else 0.0 for text in three], read, newest)
            for candidate, three in zip(candidates, texts, strict=True)
        ]

    def _quoted(self, scored: Sequence[_Scored], read: _Request, query: ExcerptQuery) -> Quoted:
        """The first of `scored` that say something of their own, cut, within the budget."""
        stale = StaleIndex(self._store.stale_memories(query.view.owner))
        known = [stems(words(memory.text)) for memory in query.facts]
        kept: list[Excerpt] = []
        said: set[tuple[str, ...]] = set()
        left, left_out = query.tokens, 0
        for one in scored:
            excerpt = _excerpt(one, read, stale)
            if excerpt is None or _says_nothing_new(excerpt.text, known, said):
                continue
            cost = self._cost(excerpt)
            if cost <= left and len(kept) < query.most:
                kept.append(excerpt)
                left -= cost
            else:
                left_out += 1
        return Quoted(tuple(kept), left_out)

    def _cost(self, excerpt: Excerpt) -> int:
        now = excerpt.stale.now if excerpt.stale and excerpt.stale.now else ""
        return self._vocabulary.tokens(excerpt.text) + self._vocabulary.tokens(now) + LINE_TOKENS


def floor(messages: int) -> float:
    """The score below which a message is no answer, in a history of so many."""
    return FLOOR + FLOOR_GROWTH * math.log10(max(messages, 1))


def messages_of(session: Session, window_start: str | None = None) -> MessageFilter:
    """What a conversation may quote: its person's others with the same agent, and what its own window has lost."""
    owner = Owner.user(session.user) if session.user else Owner(Scope.SESSION, session.id)
    return MessageFilter(owner, session.agent, session_id=session.id, window_start=window_start)


def _narrowed(view: MessageFilter, read: _Request) -> MessageFilter:
    """`view` where the request says that its answer was said."""
    period = read.period or Period(None, None)
    role = Role.ASSISTANT if read.by_assistant else view.role
    return replace(view, role=role, since=period.since, until=period.until)


def _texts(candidate: MessageCandidate, read: _Request) -> tuple[str, str | None, str | None]:
    """What the words of the request are compared with: the message with its day, and the ends of those beside it."""
    before, after = candidate.previous, candidate.following
    day = in_words(candidate.said_at.astimezone().date())
    return (
        f"{day} {_passage(candidate, read)}",
        before and before[-NEIGHBOUR_CHARACTERS:],
        after and after[:NEIGHBOUR_CHARACTERS],
    )


def _passage(candidate: MessageCandidate, read: _Request) -> str:
    """A long message's nearest segments: looked at whole, it would hold some of the words of any request."""
    if len(candidate.text) <= WHOLE_CHARACTERS or read.vectors is None or len(candidate.vectors) < 3:
        return candidate.text[: 4 * WHOLE_CHARACTERS]
    parts = segments(without_speaker(candidate.text), len(candidate.vectors) - 1)
    near = _nearness(candidate, read)
    best = sorted(range(min(len(parts), len(near))), key=lambda at: -near[at])[:PASSAGE_SEGMENTS]
    return " ".join(parts[at] for at in sorted(best))


def _nearness(candidate: MessageCandidate, read: _Request) -> list[float]:
    """How near each segment is to the nearest text of the request."""
    nearest: list[float] = read.near[candidate.number][:, 1:].max(axis=0).tolist()
    return nearest


def _score(candidate: MessageCandidate, soft: Sequence[float], read: _Request, newest: int) -> _Scored:
    from memchat.recall import scoring

    own, before, after = soft
    beside = scoring.neighbours(before, after, scoring.asks(candidate.previous))
    parts = {
        "meaning": _meaning(candidate, read),
        "words": scoring.WORD_WEIGHT * own,
        "beside": scoring.WORD_WEIGHT * beside,
        "asks": -scoring.QUESTION_PENALTY * scoring.asks(candidate.text),
    }
    if read.names & _subjects(candidate):
        parts["named"] = scoring.NAMED_WEIGHT
    if read.period and read.period.holds(candidate.said_at.astimezone().date()):
        parts["when"] = PERIOD_BONUS
    if read.by_assistant:
        parts["who"] = ROLE_BONUS if candidate.role is Role.ASSISTANT else -ROLE_BONUS
    if read.vague and newest:
        parts["recent"] = RECENCY_BONUS * candidate.number / newest
    return _Scored(candidate, sum(parts.values()), {name: part for name, part in parts.items() if part})


def _meaning(candidate: MessageCandidate, read: _Request) -> float:
    """Half how near the window is, half the nearest of the segments."""
    if candidate.number not in read.near:
        return 0.0
    near = read.near[candidate.number]
    own, others = near[:, 0], near[:, 1:]
    best = others.max(axis=1) if others.shape[1] else own
    return float(((own + best) / 2).max())


def _subjects(candidate: MessageCandidate) -> frozenset[str]:
    from memchat.recall.scoring import names_in

    said_by = speaker(candidate.text)
    return frozenset({said_by}) if said_by else names_in(candidate.text)


def _excerpt(scored: _Scored, read: _Request, stale: StaleIndex) -> Excerpt | None:
    """The sentences that matter; None where nothing is left of them that ever held."""
    candidate = scored.candidate
    parts = [one for one in _cut(candidate, read) if BLANK not in one]
    found = [(part, stale.of(part, candidate.id)) for part in parts]
    kept = [(part, what) for part, what in found if what is None or not what.mistaken]
    if not kept or is_small_talk(" ".join(part for part, _ in kept)):
        return None
    return Excerpt(
        candidate.id,
        candidate.session_id,
        candidate.role,
        candidate.said_at,
        " ".join(part for part, _ in kept),
        scored.score,
        scored.parts,
        next((what for _, what in kept if what), None),
    )


def _cut(candidate: MessageCandidate, read: _Request) -> list[str]:
    """The sentences of a message; of a long one those nearest to the request, in their order, `…` for what is left."""
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


def _sentence_scores(parts: Sequence[str], candidate: MessageCandidate, read: _Request) -> list[float]:
    """How near each sentence is: its segment's cosine and its share of the words asked for."""
    terms = set(read.asked.counts)
    shares = [len(terms & set(words(part))) / max(len(terms), 1) for part in parts]
    if read.vectors is None or len(candidate.vectors) < 2:
        return shares
    grouped = segments(without_speaker(candidate.text), len(candidate.vectors) - 1)
    near = _nearness(candidate, read)
    cosines = [cosine for group, cosine in zip(grouped, near, strict=False) for _ in sentences(group)]
    cosines += [0.0] * (len(parts) - len(cosines))
    return [cosine + share for cosine, share in zip(cosines, shares, strict=False)]


def _shortened(part: str) -> str:
    """A single sentence that is longer than an excerpt may be ends early."""
    return part if len(part) <= QUOTED_CHARACTERS else f"{part[:QUOTED_CHARACTERS].rsplit(' ', 1)[0]} …"


def _says_nothing_new(text: str, known: Sequence[frozenset[str]], said: set[tuple[str, ...]]) -> bool:
    """Whether a fact in the prompt, or another excerpt, says it already."""
    own = tuple(words(without_speaker(text)))
    if not own or own in said:
        return True
    said.add(own)
    meaningful = stems(word for word in content_words(without_speaker(text)) if word not in _SAYS_NOTHING)
    return any(len(meaningful & fact) >= SAME_SHARE * len(meaningful) for fact in known)
