"""Do one learning job: extract from an exchange, check, reconcile, store."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memchat.config import ExtractionForm
from memchat.core.protocols import Embedded, Embedder, LanguageModel, Purpose, Spent
from memchat.core.types import (
    CATEGORIES,
    Add,
    Applied,
    Decision,
    Draft,
    Evidence,
    Forget,
    LearningJob,
    LearningOptions,
    Message,
    Metadata,
    Scope,
    Session,
    Source,
)
from memchat.errors import BadReply, MemchatError, StoreError
from memchat.learning import extraction, reconcile
from memchat.learning.compact_extraction import extract_compactly
from memchat.learning.evidence import EvidenceGate
from memchat.learning.extraction import Exchange, Extraction
from memchat.learning.extraction_parser import parse
from memchat.learning.forms import FormPolicy
from memchat.learning.lasting import LastingSentences
from memchat.learning.sentence_kinds import SentenceKinds
from memchat.llm.usage import MeteredModel
from memchat.recall.retriever import Retriever
from memchat.text import embedding
from memchat.text.own_words import own_words

if TYPE_CHECKING:
    from memchat.storage.protocols import Storage

log = logging.getLogger(__name__)

EARLIER_MESSAGES = 4
KNOWN_MEMORIES = 15


@dataclass(frozen=True, slots=True)
class LearningResult:
    """The changes made by one exchange, or the error that keeps it pending.

    `unparsed` lists the errors in the model's answer and in its repair: a statement may be missing. `message_id` is
    that of the exchange; `memory_id` that of an added memory, where the job compared it with others.
    """

    applied: tuple[Applied, ...] = ()
    unparsed: tuple[str, ...] = ()
    error: str | None = None
    cause: MemchatError | None = None
    message_id: str | None = None
    memory_id: str | None = None


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    """The part of an agent's profile that learning needs."""

    instructions: str | None = None
    categories: Sequence[str] = CATEGORIES
    metadata: Metadata | None = None
    learns: bool = False


@dataclass(frozen=True, slots=True)
class LearningContext:
    """The parts that learning needs on one thread: the store's connection, the models, recall.

    `policy` returns the policy of an agent by its name. With `indexes_messages` the worker indexes messages too.
    `forms` chooses the form of the request; `kinds` classifies sentences in any language.
    """

    store: "Storage"
    model: LanguageModel
    embedder: Embedder
    recall: Retriever
    policy: Callable[[str | None], AgentPolicy]
    indexes_messages: bool = False
    forms: FormPolicy = field(default_factory=FormPolicy)
    kinds: SentenceKinds | None = None
    rules: LanguageModel | None = None
    """The built-in rules, which complement a small model."""
    lasting: LastingSentences | None = None
    """Tells the lasting facts of a small model from passing remarks."""

    def close(self) -> None:
        self.store.close()


def learn(context: LearningContext, work: LearningJob) -> LearningResult:
    """Learn from one exchange: extract, check, reconcile, store. Or compare an added memory with others.

    A failure leaves the job pending with its reason. So does a bug before it is raised, since a job that always fails
    must not be retried at once.
    """
    # That module compares by the functions of this one.
    from memchat.learning.added_memories import compare_added

    metered = MeteredModel(context.model)
    metering = replace(context, model=metered)
    try:
        return _learn(metering, work) if work.memory_id is None else compare_added(metering, work)
    except MemchatError as error:
        context.store.work.fail(work, error.message)
        return LearningResult(error=error.message, cause=error)
    except Exception as error:
        context.store.work.fail(work, bug_message(error))
        raise
    except BaseException:
        context.store.work.release(work)
        raise
    finally:
        note_usage(metered, lambda spent: context.store.usage.add(work.session_id, Purpose.LEARN, metered.name, spent))


def note_usage(metered: MeteredModel, add: Callable[[Spent], None]) -> None:
    """Pass what the calls of `metered` took to `add`. A failure to write statistics does not undo what was learned."""
    if metered.spent is None:
        return
    try:
        add(metered.spent)
    except StoreError as error:
        log.warning("the tokens that learning took could not be noted: %s", error.message)


def bug_message(error: Exception) -> str:
    """Describe a bug to the user, without anything they wrote."""
    return f"{type(error).__name__}, which is a bug in memchat."


def _learn(context: LearningContext, work: LearningJob) -> LearningResult:
    asked = context.store.conversations.message(work.user_message_id)
    session = context.store.conversations.session(work.session_id)
    if asked is None or session is None:
        context.store.work.discard(work)
        return LearningResult()
    agent = context.policy(session.agent)
    if not work.terms.infer:
        return LearningResult(tuple(_keep(context, work, asked, session)))
    exchange = _exchange(context, work, asked, session, agent)
    if not exchange.user.strip():
        context.store.work.discard(work)
        return LearningResult()
    found = extract_in_form(context, exchange)
    learning = reconcile.LearningSource(
        owner=session.owner,
        session_id=session.id,
        message_id=asked.id,
        model=context.model.name,
        agent=session.agent,
        metadata={**(agent.metadata or {}), **work.terms.metadata},
        learns_agent=agent.learns,
        scope=work.terms.scope,
        expires_at=work.terms.expires_at,
        kinds=context.kinds,
    )
    decisions = reconcile.decide(found, exchange, learning)
    applied = context.store.apply(decisions, embed_added(context.embedder, decisions), work)
    if any(isinstance(decision, Forget) for decision in decisions):
        try:
            context.store.finish_erasures()
        except StoreError as error:
            # It is finished when the store is next opened.
            log.warning("what was forgotten is not out of all files yet: %s", error.message)
    return LearningResult(tuple(applied), found.parse_errors)


def _keep(context: LearningContext, work: LearningJob, asked: Message, session: Session) -> list[Applied]:
    """Keep the exchange verbatim: one memory per message."""
    before = context.store.conversations.before(asked, 1)
    said = [message for message in (asked, context.store.conversations.reply_to(asked)) if message is not None]
    drafts = [verbatim(message, session, work.terms) for message in said]
    former = [before[-1].text if before else None, asked.text][: len(said)]
    embedded = embedding.embed(context.embedder, drafts, former)
    return context.store.apply([Add(draft, reason="kept as it was said") for draft in drafts], embedded, work)


def verbatim(message: Message, session: Session, terms: LearningOptions) -> Draft:
    """Return `message` as a verbatim memory."""
    scope = terms.scope or session.owner.kind
    return Draft(
        message.text,
        session.owner,
        scope=scope,
        session_id=session.id if scope is Scope.SESSION else None,
        agent=session.agent,
        metadata=terms.metadata,
        expires_at=terms.expires_at,
        verbatim=True,
        source=Source.SAID,
        evidence=Evidence(message.id, session.id, message.text, ""),
    )


def extract_in_form(context: LearningContext, exchange: Exchange) -> Extraction:
    """Extract facts from `exchange`, in the form that suits the model.

    A model whose answers in the full form are unusable gets the compact form, from this exchange on.
    """
    model, outcomes = context.model, context.store.extraction_forms
    if context.forms.choose(model.name, outcomes).compact:
        return extract_compactly(model, exchange, context.embedder, context.rules, context.lasting)
    try:
        found = extract(model, exchange, context.kinds)
    except BadReply:
        if not outcomes.note(model.name, usable=False) or context.forms.setting is not ExtractionForm.AUTO:
            raise
        return extract_compactly(model, exchange, context.embedder, context.rules, context.lasting)
    outcomes.note(model.name, usable=bool(_size(found)) or not found.parse_errors)
    return found


def extract(model: LanguageModel, exchange: Exchange, kinds: SentenceKinds | None = None) -> Extraction:
    """Extract with one call, and a second if the answer is broken or says more than the user did.

    Returns the answer with more facts, with its errors if any. Raises BadReply when neither can be parsed, or both are
    broken and empty.
    """
    asked = extraction.request(exchange)
    answer = model.complete(asked).text
    found, faults = _read(answer)
    if found is None or faults:
        again, faults = _read(model.complete(extraction.retry_request(asked, answer, faults)).text)
        best = max((one for one in (again, found) if one is not None), key=_size, default=None)
        if best is None or (faults and not _size(best)):
            raise BadReply(f"The extraction model's answer cannot be used: {'; '.join(dict.fromkeys(faults))}.")
        return best
    gate = EvidenceGate(exchange, kinds)
    lost = gate.lost(found)
    if not lost:
        return found
    kept = tuple(fact for fact in found.facts if fact not in lost)
    try:
        again, _ = _read(model.complete(extraction.unsupported_request(asked, exchange, lost)).text)
    except BadReply:
        again = None
    recovered = again.facts if again else ()
    still = lost if again is None else gate.lost(again)
    known = {fact.text for fact in kept}
    facts = kept + tuple(fact for fact in recovered if fact not in still and fact.text not in known)
    return replace(found, facts=facts, parse_errors=(NOT_SAID,) if still else ())


NOT_SAID = "a fact was not in the person's words"


def _read(answer: str) -> tuple[Extraction | None, Sequence[str]]:
    """Parse an answer; return it as far as possible, and its errors."""
    try:
        found = parse(answer)
    except BadReply as error:
        return None, (error.message.rstrip("."),)
    return found, found.parse_errors


def _size(found: Extraction) -> int:
    return sum(map(len, (found.facts, found.confirmed, found.ended, found.outdated, found.forget)))


def embed_added(embedder: Embedder, decisions: Sequence[Decision]) -> list[Embedded | None]:
    """Embed the drafts of `decisions` in one batch; None for decisions that add nothing."""
    drafts = [decision.draft for decision in decisions if isinstance(decision, Add)]
    rows = iter(embedding.embed(embedder, drafts))
    return [next(rows) if isinstance(decision, Add) else None for decision in decisions]


def _exchange(
    context: LearningContext, work: LearningJob, asked: Message, session: Session, agent: AgentPolicy
) -> Exchange:
    said = own_words(asked.text)
    reply = context.store.conversations.reply_to(asked)
    return Exchange(
        today=asked.created_at.astimezone().date(),
        user=said,
        assistant=reply.text if reply else "",
        earlier=[
            (message.role, message.text) for message in context.store.conversations.before(asked, EARLIER_MESSAGES)
        ],
        known=context.recall.nearest(said, session, KNOWN_MEMORIES),
        instructions=work.terms.instructions or agent.instructions,
        categories=agent.categories,
        learns_agent=agent.learns or session.owner.kind is Scope.AGENT,
    )
