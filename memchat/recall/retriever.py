"""Recall the memories that bear on a request, within a budget of tokens, and excerpts with the tokens they leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from memchat.core.protocols import Candidate, Clock, MemoryFilter, RecallStore, RequestEmbedder, Vocabulary
from memchat.core.types import Memory, Owner, Session, has_ended
from memchat.errors import ModelError
from memchat.recall.requests import clause_about_user, questions_in, rarest_terms
from memchat.recall.sentence_kinds import asks_nothing
from memchat.recall.soft_words import RequestWords, soft_words
from memchat.text.dates import format_date
from memchat.text.embedding import load_numpy
from memchat.text.normalize import content_words, speaker, words

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors
    from memchat.recall.excerpts import ExcerptFinder, Quoted

CANDIDATES = 50
"""Maximum number of candidates from vector search, and from word search. On LoCoMo 40 find what 80 find, except for
four answers in a thousand among the first ten of raw turns. In the blind sets 40 lose .03 of r@5, and 50 lose none.
"""
WORD_BUDGET = 2_500
"""Maximum number of memories in which the words of one request are looked up, the rarest words first."""
MAX_QUERY_WORDS = 64
"""Maximum number of distinct words of one request that are looked up."""
SHORT_MESSAGE_WORDS = 2
SHORT_REQUEST = 40
"""A request of at most this many content words and characters is read together with the one before it."""
ENDED_PENALTY = 0.05
"""Penalty of a memory that has ended or is doubtful."""
SAME_SESSION_BONUS = 0.05
"""Bonus of a memory of this conversation."""
OVERSAMPLING = 2
"""Oversampling factor: spare hits replace those over the token budget."""
WORDS_FLOOR = 0.13
"""Minimum score for words alone: one unrelated request in ten recalls something, of facts without cues (blind sets)."""
NOTE_TOKENS = 10
"""Tokens of a line in the prompt besides its text: the dash and the date."""


@dataclass(frozen=True, slots=True)
class Query:
    """A recall request. `previous` is the user's message before it; `top_k` overrides the limit.

    Without `floor`, memories of any score are returned.
    """

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
class Recalled:
    """The memories for the next answer, best first, and the ids of further matches beyond the limits."""

    hits: tuple[Hit, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of recall: at most `top_k` memories, of at most `tokens` tokens together."""

    top_k: int = 5
    tokens: int = 700


@dataclass(frozen=True, slots=True)
class _ParsedQuery:
    """A parsed request: its words, and its vectors (None for words alone).

    The first of the `wordings` is compared with facts, the last with verbatim turns. Later vectors belong to the
    questions in a request of several sentences.
    """

    asked: RequestWords
    vectors: "Vectors | None"
    wordings: int

    def rows_for(self, candidate: Candidate) -> list[int]:
        """Return the rows of `vectors` to compare with a memory."""
        asked = range(self.wordings, 0 if self.vectors is None else len(self.vectors))
        return [self.wordings - 1 if candidate.verbatim else 0, *asked]


@dataclass(frozen=True, slots=True)
class _Scorable:
    """A candidate prepared for scoring: its day in words, its text and its neighbours', the request's names in it."""

    candidate: Candidate
    day: str
    texts: tuple[str | None, ...]
    named: frozenset[str]

    @classmethod
    def of(cls, candidate: Candidate, names: frozenset[str]) -> "_Scorable":
        """Prepare `candidate` for a request with these names."""
        from memchat.recall.scoring import named_in

        texts = ("; ".join((candidate.text, *candidate.cues)), candidate.previous, candidate.following)
        said_by = speaker(candidate.text) if names and candidate.verbatim else None
        named = names & {said_by} if said_by else named_in(candidate.text, names)
        return cls(candidate, format_date(candidate.day), texts, named)

    def dated(self, text: str) -> str:
        """Return `text` with the memory's day before it."""
        return f"{self.day} {text}"


@dataclass(frozen=True, slots=True)
class _Scored:
    """A candidate with its score and the summands of the score."""

    candidate: Candidate
    score: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Context:
    """What a score depends on besides the memory and the request."""

    view: MemoryFilter
    today: date
    soft: Mapping[str, float]
    """The soft-word score of every text, by the text with its day."""


class Retriever:
    """Recall memories from one store, on the thread that the store belongs to.

    With `excerpts` it finds passages of conversations too; both share the limit of tokens, and facts come first.
    """

    def __init__(
        self,
        store: RecallStore,
        embedder: RequestEmbedder,
        vocabulary: Vocabulary,
        limits: Limits,
        clock: Clock,
        excerpts: "ExcerptFinder | None" = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._vocabulary = vocabulary
        self._limits = limits
        self._clock = clock
        self.excerpts = excerpts

    def search(self, query: Query) -> list[Hit]:
        """Return the memories relevant to `query`, best first; often there are none.

        Searches by words alone when the embedder fails.
        """
        top_k = query.top_k or self._limits.top_k
        hits, _ = self._ranked(query, OVERSAMPLING * top_k, words_do=True)
        return self._cut(hits, top_k)

    def search_all(self, query: Query) -> list[Hit]:
        """Return all ranked candidates of `search`, best first."""
        top_k = query.top_k or self._limits.top_k
        return self._ranked(query, max(CANDIDATES, OVERSAMPLING * top_k), words_do=True)[0]

    def recall_for_turn(self, query: Query, session: Session) -> Recalled:
        """Return the memories for the next answer in `session`."""
        query = replace(query, view=filter_of(session))
        top_k = query.top_k or self._limits.top_k
        hits, matched = self._ranked(query, OVERSAMPLING * top_k, words_do=True)
        kept = self._cut(hits, top_k)
        used = {hit.memory.id for hit in kept}
        return Recalled(tuple(kept), tuple(id_ for id_ in matched if id_ not in used))

    def excerpts_for_turn(
        self, query: Query, session: Session, facts: Sequence[Memory], window_start: str | None = None
    ) -> "Quoted":
        """Return excerpts of earlier conversations relevant to `query`, within the tokens that `facts` leave.

        Of `session` itself, only messages before `window_start` are quoted.
        """
        from memchat.recall.excerpts import ExcerptQuery, Quoted, messages_of
        from memchat.recall.periods import Period
        from memchat.recall.request_cues import event_in

        if self.excerpts is None:
            return Quoted()

        taken = sum(self._vocabulary.tokens(memory.text) + NOTE_TOKENS for memory in facts)
        text, view, period = whole_request(query), messages_of(session, window_start), None
        if event := event_in(text):
            # The memory that tells best of "the move" says when it was.
            hits, _ = self._ranked(Query(event.words, filter_of(session)), 1, words_do=True)
            if hits:
                memory, day = hits[0].memory, timedelta(days=1)
                when = memory.valid_from or memory.created_at.astimezone().date()
                period = Period(None, when - day) if event.before else Period(when + day, None)
        return self.excerpts.quote(ExcerptQuery(text, view, self._limits.tokens - taken, facts, period))

    def nearest(self, text: str, session: Session, top_k: int) -> list[Memory]:
        """Return the memories of `session`'s user nearest to `text`, relevant or not, to compare new facts with.

        Raises ModelError when the embedder fails, since words alone would miss too many.
        """
        hits, _ = self._ranked(Query(text, filter_of(session), floor=False), top_k)
        return [hit.memory for hit in hits]

    def standing(self, session: Session) -> list[Memory]:
        """Return the user's standing instructions, newest first."""
        return self._store.standing(filter_of(session))

    # Steps.

    def _ranked(self, query: Query, limit: int, *, words_do: bool = False) -> tuple[list[Hit], list[str]]:
        """Return the `limit` best memories above the floor without duplicates, and the ids of all such candidates."""
        if not self._store.count(query.view):
            # Loading the embedder takes longer than anything else before a first answer.
            return [], []
        load_numpy()
        for request in requests_of(query):
            if (found := self._ranked_by(request, query, limit, words_do=words_do))[0]:
                return found
        return [], []

    def _ranked_by(self, request: str, query: Query, limit: int, *, words_do: bool) -> tuple[list[Hit], list[str]]:
        from memchat.recall.scoring import floor

        found = self._candidates(query.view, request, max(CANDIDATES, limit), words_do=words_do)
        if not found:
            return [], []
        candidates, read = found
        # Each text is compared once, with its memory's day.
        texts = {item.dated(text): text for item in candidates for text in item.texts if text}
        context = _Context(query.view, self._clock().date(), soft_words(read.asked, texts, self._vocabulary))
        meanings = self._meanings(candidates, read)
        scored = [_score(*one, context) for one in zip(candidates, meanings, strict=True)]
        if query.floor:
            least = WORDS_FLOOR if read.vectors is None else floor(read.asked.total)
            scored = [item for item in scored if item.score >= least]
        by_words: dict[tuple[str, ...], _Scored] = {}
        for item in sorted(scored, key=lambda item: (-item.score, item.candidate.id)):
            by_words.setdefault(tuple(words(item.candidate.text)) or (item.candidate.id,), item)
        distinct = list(by_words.values())
        best = distinct[:limit]
        memories = self._store.by_ids([item.candidate.id for item in best])
        known = [(memories.get(item.candidate.id), item) for item in best]
        hits = [Hit(memory, item.score, item.parts) for memory, item in known if memory]
        return hits, [item.candidate.id for item in distinct]

    def _candidates(
        self, view: MemoryFilter, request: str, limit: int, *, words_do: bool
    ) -> tuple[list[_Scorable], _ParsedQuery] | None:
        from memchat.recall.scoring import as_first_person, common_names, names_in, without_names

        memories = self._store.count(view)
        terms, half = content_words(request), MAX_QUERY_WORDS // 2
        if len(terms) > MAX_QUERY_WORDS:
            # People say what they want before or after the text that they paste.
            terms = [*terms[:half], *terms[-half:]]
        counts = self._store.frequencies(view, terms)
        names = names_in(request)
        usual = common_names(names, counts, memories)
        texts = [without_names(request, usual) or request]
        if usual and self._store.has_verbatim_turns(view):
            texts.append(as_first_person(request, usual))
        rows = self._vectors([*texts, *questions_in(request)], words_do=words_do)
        ids = [
            *(() if rows is None else self._nearest(view, rows, limit)),
            *self._store.keyword_search(view, rarest_terms(counts, WORD_BUDGET), limit),
        ]
        candidates = [_Scorable.of(candidate, names) for candidate in self._store.candidates(ids)]
        if not candidates:
            return None
        return candidates, _ParsedQuery(RequestWords(request, counts, memories), rows, len(texts))

    def _nearest(self, view: MemoryFilter, rows: "Vectors", limit: int) -> list[str]:
        """Return ids of the memories nearest to any of `rows`, and of half as many in other languages than the request.

        Without these, memories in the request's language fill the limit even if they say something else.
        """
        found = self._store.vector_search(view, rows, limit)
        across = self._embedder.across_languages(rows[:1]) if len(found) >= limit else None
        return found if across is None else [*found, *self._store.vector_search(view, across, limit // 2)]

    def _vectors(self, texts: Sequence[str], *, words_do: bool) -> "Vectors | None":
        """Embed `texts`; returns None if the embedder fails and the search by words is enough (`words_do`)."""
        try:
            return self._embedder.embed(texts)
        except ModelError:
            if not words_do:
                raise
            return None

    def _meanings(self, candidates: Sequence[_Scorable], read: _ParsedQuery) -> list[float]:
        """Return each candidate's similarity in meaning; 0 for those without vectors."""
        from memchat.recall.scoring import meaning

        found = dict.fromkeys((item.candidate.id for item in candidates), 0.0)
        compared = [item.candidate for item in candidates if item.candidate.embedded.kinds]
        if read.vectors is None or not compared:
            return list(found.values())
        rows, texts = [one.embedded.rows for one in compared], [one.text for one in compared]
        for one, near in zip(compared, self._embedder.similarities(read.vectors, rows, texts), strict=True):
            found[one.id] = meaning(near[read.rows_for(one)].tolist(), one.embedded.kinds)
        return list(found.values())

    def _cut(self, hits: Sequence[Hit], top_k: int) -> list[Hit]:
        """Return the best `top_k` that fit the token budget; one that is too long is skipped for the next."""
        kept: list[Hit] = []
        left = self._limits.tokens
        for hit in hits:
            if len(kept) == top_k:
                break
            cost = self._vocabulary.tokens(hit.memory.text) + NOTE_TOKENS
            if cost <= left:
                kept.append(hit)
                left -= cost
        return kept


def filter_of(session: Session) -> MemoryFilter:
    """Return the memories that a conversation may recall: its user's, its own, and its agent's."""
    owners = [session.owner]
    if session.agent:
        owners.append(Owner.agent(session.agent))
    return MemoryFilter(tuple(owners), session_id=session.id)


def requests_of(query: Query) -> list[str]:
    """Return what to search for; each only if those before find nothing.

    A short question after a statement is searched for alone first: what the statement says is still in view, and with
    it "Where do I live?" would find the statement first. Last comes what the request says of the user by the way.
    """
    from memchat.recall.scoring import asks

    whole = whole_request(query)
    requests = [query.text, whole] if asks(query.text) and not asks(query.previous) else [whole]
    if query.floor and (clause := clause_about_user(query.text)):
        requests.append(clause)
    return [request for request in dict.fromkeys(requests) if request.strip()]


def whole_request(query: Query) -> str:
    """Return the request, with the one before it if it is too short to be understood alone ("and the other one?")."""
    if not query.previous or len(query.text) >= SHORT_REQUEST or asks_nothing(query.text):
        return query.text
    short = len(content_words(query.text)) <= SHORT_MESSAGE_WORDS
    return f"{query.previous}\n{query.text}" if short else query.text


def _score(considered: _Scorable, meaning: float, context: _Context) -> _Scored:
    from memchat.recall import scoring

    candidate = considered.candidate
    own, before, after = (context.soft[considered.dated(text)] if text else 0.0 for text in considered.texts)
    parts = {
        "meaning": meaning,
        "words": scoring.WORD_WEIGHT * scoring.word_score(own, bool(candidate.cues)),
    }
    if candidate.verbatim:
        parts["beside"] = scoring.WORD_WEIGHT * scoring.neighbours(before, after, scoring.asks(candidate.previous))
        parts["asks"] = -scoring.QUESTION_PENALTY * scoring.asks(candidate.text)
    if considered.named:
        parts["named"] = scoring.NAMED_WEIGHT
    if candidate.doubtful or has_ended(candidate.valid_to, context.today):
        parts["gone by"] = -ENDED_PENALTY
    if candidate.session_id is not None and candidate.session_id == context.view.session_id:
        parts["here"] = SAME_SESSION_BONUS
    return _Scored(candidate, sum(parts.values()), {name: part for name, part in parts.items() if part})
