"""Recall: which memories bear on a request. Candidates by meaning and by words, one score, a floor, and hard bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from memchat.core.protocols import Candidate, Clock, Embedder, MemoryFilter, RecallStore, WordPieces
from memchat.core.types import Memory, Owner, Session, has_ended
from memchat.errors import ModelError
from memchat.recall.requests import in_words, question_in, rarest_terms
from memchat.text.embedding import load_numpy
from memchat.text.normalize import content_words, speaker, words

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors
    from memchat.recall.excerpts import Excerpt, ExcerptFinder
    from memchat.recall.scoring import Floats, Pieces

CANDIDATES = 40
"""How many memories each half of recall may put forward. On LoCoMo, and for memories with cues, 40 find what 80 find,
but for four answers in a thousand among the first ten of raw turns."""
WORD_BUDGET = 2_500
"""How many memories the words of one request may be looked up in: the rarest words come first."""
MAX_QUERY_WORDS = 64
"""How many different words of one request are looked up."""
COMMON_NAME_SHARE = 0.1
"""A name that more of the memories hold says nothing about which of them is meant. LoCoMo: 0.03 to 0.25 are alike."""
SHORT_MESSAGE_WORDS = 2
SHORT_REQUEST = 40
"""A request of so few words and characters is read together with the one before it."""
ENDED_PENALTY = 0.05
"""What it costs a memory that it has ended or is doubtful."""
SAME_SESSION_BONUS = 0.05
"""What it gains a memory to be of this very conversation."""
OVERSAMPLING = 2
"""For every memory wanted so many are ranked, for one that is too long makes room for the next."""
WORDS_FLOOR = 0.13
"""The floor for words alone: one unrelated request in ten recalls something, of facts without cues (blind sets)."""
NOTE_TOKENS = 10
"""What the dash and the date of a line in the prompt cost."""


@dataclass(frozen=True, slots=True)
class Query:
    """A request to recall for. `previous` is the person's message before it; `top_k` and `floor` override the usual."""

    text: str
    view: MemoryFilter = field(default_factory=lambda: MemoryFilter(()))
    previous: str | None = None
    top_k: int | None = None
    floor: bool = True


@dataclass(frozen=True, slots=True)
class Hit:
    """A recalled memory. `parts` are the summands of its score by name."""

    memory: Memory
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """At most `top_k` memories, of at most `tokens` tokens together."""

    top_k: int = 5
    tokens: int = 700


@dataclass(frozen=True, slots=True)
class _ParsedQuery:
    """A request, read: its vectors by the way a memory is written (None for words alone), its word pieces with their
    weights, and its names.

    `memories` is how many there are that it may be answered from.
    """

    memories: int
    third_person: "Vectors | None"
    first_person: "Vectors | None"
    pieces: "Pieces"
    weights: "Floats"
    names: frozenset[str]

    def vectors_for(self, candidate: Candidate) -> "Vectors | None":
        """Shape `(1, dim)`, or `(2, dim)` where the request ends up asking something."""
        return self.first_person if candidate.verbatim else self.third_person


@dataclass(frozen=True, slots=True)
class _Scorable:
    """A candidate with what is worked out once: its own text, the one before and the one after it, each behind the
    memory's day, and which of the names in the request it is about.
    """

    candidate: Candidate
    texts: tuple[str | None, ...]
    named: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Scored:
    """A candidate with its score and the summands of that."""

    candidate: Candidate
    score: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Context:
    """What a score depends on beside the memory and the request."""

    view: MemoryFilter
    today: date


class Retriever:
    """Reads through one store, on the thread the store belongs to.

    With `excerpts` it finds what was said as well; both share the limit of tokens, and facts come first.
    """

    def __init__(
        self,
        store: RecallStore,
        embedder: Embedder,
        lexicon: WordPieces,
        limits: Limits,
        clock: Clock,
        excerpts: "ExcerptFinder | None" = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._lexicon = lexicon
        self._limits = limits
        self._clock = clock
        self.excerpts = excerpts

    def search(self, query: Query) -> list[Hit]:
        """The memories that bear on `query`, best first; none is a normal answer.

        They are found by words alone when the embedder fails.
        """
        top_k = query.top_k or self._limits.top_k
        return self._cut(self._ranked(query, OVERSAMPLING * top_k, words_do=True), top_k)

    def search_all(self, query: Query) -> list[Hit]:
        """What `search` has to choose from, best first: as many as one look at the candidates gives."""
        top_k = query.top_k or self._limits.top_k
        return self._ranked(query, max(CANDIDATES, OVERSAMPLING * top_k), words_do=True)

    def recall_for_turn(self, query: Query, session: Session) -> tuple[Hit, ...]:
        """What the next answer in `session` may use."""
        return tuple(self.search(replace(query, view=filter_of(session))))

    def excerpts_for_turn(
        self, query: Query, session: Session, facts: Sequence[Memory], window_start: str | None = None
    ) -> "tuple[Excerpt, ...]":
        """What was said in earlier conversations and bears on `query`, within the tokens that `facts` leave.

        Of `session` itself only what was said before the message `window_start` is quoted.
        """
        if self.excerpts is None:
            return ()
        from memchat.recall.excerpts import ExcerptQuery, messages_of

        taken = sum(len(pieces) + NOTE_TOKENS for pieces in self._lexicon.pieces([memory.text for memory in facts]))
        text, view = whole_request(query), messages_of(session, window_start)
        return self.excerpts.search(ExcerptQuery(text, view, self._limits.tokens - taken, facts))

    def nearest(self, text: str, session: Session, top_k: int) -> list[Memory]:
        """The memories of `session`'s person nearest to `text`, relevant or not: what new facts are held against.

        Raises ModelError when the embedder fails: by words alone too much would be missed.
        """
        return [hit.memory for hit in self._ranked(Query(text, filter_of(session), floor=False), top_k)]

    def standing(self, session: Session) -> list[Memory]:
        """The person's wishes about how to be answered, newest first."""
        return self._store.standing(filter_of(session))

    # Steps.

    def _ranked(self, query: Query, limit: int, *, words_do: bool = False) -> list[Hit]:
        """The best `limit` memories above the floor, where there is one, none saying what a better one says."""
        load_numpy()
        from memchat.recall.scoring import floor

        request = whole_request(query)
        if not request.strip():
            return []
        found = self._candidates(query.view, request, max(CANDIDATES, limit), words_do=words_do)
        if not found:
            return []
        candidates, read = found
        scored = self._scored(candidates, read, query.view)
        if query.floor:
            least = WORDS_FLOOR if read.third_person is None else floor(read.memories)
            scored = [item for item in scored if item.score >= least]
        scored.sort(key=lambda item: (-item.score, item.candidate.id))
        best = _deduplicate(scored, limit)
        memories = self._store.by_ids([item.candidate.id for item in best])
        known = [(memories.get(item.candidate.id), item) for item in best]
        return [Hit(memory, item.score, item.parts) for memory, item in known if memory]

    def _candidates(
        self, view: MemoryFilter, request: str, limit: int, *, words_do: bool
    ) -> tuple[list[_Scorable], _ParsedQuery] | None:
        from memchat.recall.scoring import as_first_person, names_in, without_names

        memories = self._store.count(view)
        counts = self._store.frequencies(view, _ends(content_words(request)))
        names, turns = names_in(request), self.excerpts is not None or self._store.has_verbatim_turns(view)
        usual = frozenset(name for name in names if counts.get(name.lower(), 0) > memories * COMMON_NAME_SHARE)
        texts = [without_names(request, usual) or request]
        if turns and names:
            texts.append(as_first_person(request, names))
        question = question_in(request)
        rows = self._vectors([*texts, *question], words_do=words_do)
        ids = [
            *(() if rows is None else self._store.vector_search(view, rows, limit)),
            *self._store.keyword_search(view, rarest_terms(counts, WORD_BUDGET), limit),
        ]
        candidates = [_scorable(candidate, names) for candidate in self._store.candidates(ids)]
        if not candidates:
            return None
        pieces, weights = self._weighed(counts, memories)
        named = frozenset[str]().union(*(candidate.named for candidate in candidates))
        third, first = (
            (None, None) if rows is None else (_neighbouring_texts(rows, at, len(texts)) for at in (0, len(texts) - 1))
        )
        return candidates, _ParsedQuery(memories, third, first, pieces, weights, named)

    def _vectors(self, texts: Sequence[str], *, words_do: bool) -> "Vectors | None":
        """None where the embedder fails and words alone do."""
        try:
            return self._embedder.embed(texts)
        except ModelError:
            if not words_do:
                raise
            return None

    def _weighed(self, counts: Mapping[str, int], memories: int) -> "tuple[Pieces, Floats]":
        """The pieces of the request's words, each with its word's weight."""
        import numpy as np

        from memchat.recall.scoring import word_weights

        pieces = self._lexicon.pieces(list(counts))
        rarest = [int(ids.max()) if len(ids) else 0 for ids in pieces]
        weights = word_weights(list(counts.values()), memories, rarest)
        if not counts:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        return np.concatenate(pieces), np.repeat(weights, [len(ids) for ids in pieces])

    def _scored(self, candidates: Sequence[_Scorable], read: _ParsedQuery, view: MemoryFilter) -> list[_Scored]:
        soft = self._soft(candidates, read)
        today = self._clock().date()
        return [_score(candidate, read, soft, _Context(view, today)) for candidate in candidates]

    def _soft(self, candidates: Sequence[_Scorable], read: _ParsedQuery) -> dict[str, float]:
        """The soft words of every text that counts, each looked at once."""
        from memchat.recall.scoring import soft_match

        texts = list(dict.fromkeys(text for candidate in candidates for text in candidate.texts if text))
        shares = soft_match(read.pieces, read.weights, self._lexicon.pieces(texts), self._lexicon)
        return dict(zip(texts, shares.tolist(), strict=True))

    def _cut(self, hits: Sequence[Hit], top_k: int) -> list[Hit]:
        """The best `top_k` that fit the budget; one that is too long for what is left makes room for the next."""
        kept: list[Hit] = []
        left = self._limits.tokens
        sizes = self._lexicon.pieces([hit.memory.text for hit in hits])
        for hit, pieces in zip(hits, sizes, strict=True):
            cost = len(pieces) + NOTE_TOKENS
            if cost <= left and len(kept) < top_k:
                kept.append(hit)
                left -= cost
        return kept


def filter_of(session: Session) -> MemoryFilter:
    """What a conversation may recall: its person's memories, its own, and its agent's."""
    owners = [session.owner]
    if session.agent:
        owners.append(Owner.agent(session.agent))
    return MemoryFilter(tuple(owners), session_id=session.id)


def whole_request(query: Query) -> str:
    """The request, with the one before it where it says too little alone ("and the other one?")."""
    short = len(query.text) < SHORT_REQUEST and len(content_words(query.text)) <= SHORT_MESSAGE_WORDS
    return f"{query.previous}\n{query.text}" if query.previous and short else query.text


def _neighbouring_texts(rows: "Vectors", at: int, further: int) -> "Vectors":
    """Row `at` with the rows from `further` on."""
    return rows[[at, *range(further, len(rows))]]


def _ends(terms: Sequence[str]) -> Sequence[str]:
    """The first and the last words of a long message: there people say what they want of what they pasted."""
    return terms if len(terms) <= MAX_QUERY_WORDS else [*terms[: MAX_QUERY_WORDS // 2], *terms[-MAX_QUERY_WORDS // 2 :]]


def _scorable(candidate: Candidate, names: frozenset[str]) -> _Scorable:
    day = in_words(candidate.day)
    own = "; ".join((candidate.text, *candidate.cues))
    texts = tuple(text and f"{day} {text}" for text in (own, candidate.previous, candidate.following))
    return _Scorable(candidate, texts, names & _subjects(candidate) if names else names)


def _score(considered: _Scorable, read: _ParsedQuery, soft: Mapping[str, float], now: _Context) -> _Scored:
    from memchat.recall import scoring

    candidate = considered.candidate
    vectors = read.vectors_for(candidate)
    own, before, after = (soft[text] if text else 0.0 for text in considered.texts)
    parts = {
        "meaning": 0.0 if vectors is None else scoring.cosine(vectors, candidate.embedded),
        "words": scoring.WORD_WEIGHT * scoring.word_score(own, bool(candidate.cues)),
    }
    if candidate.verbatim:
        parts["beside"] = scoring.WORD_WEIGHT * scoring.neighbours(before, after, scoring.asks(candidate.previous))
        parts["asks"] = -scoring.QUESTION_PENALTY * scoring.asks(candidate.text)
    if considered.named:
        parts["named"] = scoring.NAMED_WEIGHT
    if candidate.doubtful or has_ended(candidate.valid_to, now.today):
        parts["gone by"] = -ENDED_PENALTY
    if candidate.session_id is not None and candidate.session_id == now.view.session_id:
        parts["here"] = SAME_SESSION_BONUS
    return _Scored(candidate, sum(parts.values()), {name: part for name, part in parts.items() if part})


def _subjects(candidate: Candidate) -> frozenset[str]:
    from memchat.recall.scoring import names_in

    said_by = speaker(candidate.text) if candidate.verbatim else None
    return frozenset({said_by}) if said_by else names_in(candidate.text)


def _deduplicate(scored: Sequence[_Scored], limit: int) -> list[_Scored]:
    """The first `limit` that do not say in the same words, one after the other, what a better one says."""
    kept: dict[tuple[str, ...], _Scored] = {}
    for item in scored:
        if len(kept) == limit:
            break
        kept.setdefault(tuple(words(item.candidate.text)) or (item.candidate.id,), item)
    return list(kept.values())
