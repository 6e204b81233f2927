"""What a memory that was told by hand replaces: the language model decides, as for what is said in a conversation."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Applied, Decision, Draft, End, Event, MarkOutdated, Memory
from memchat.errors import MemchatError
from memchat.learning import changes, reconcile
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.learning.pipeline import KNOWN_MEMORIES, LearningContext, LearningResult, embed_added, extract
from memchat.recall.retriever import Query


def compare_told(context: LearningContext, memory: Memory, today: date) -> LearningResult:
    """Let the model say what `memory` replaces, ends or makes doubtful, and do that. Its own words stay as they are.

    A failure of the model is in the result: nothing but the comparison is lost by it.
    """
    current = context.store.memories.get(memory.id)
    if current is None or current.superseded or current.text != memory.text:
        return LearningResult()
    try:
        known = _near(context, memory)
        if not known:
            return LearningResult()
        exchange = Exchange(today, memory.text, "", (), known)
        found = _compared(context, exchange)
        source = reconcile.LearningSource(memory.owner, "", "", context.model.name, memory.agent, kinds=context.kinds)
        decisions = _about_others(memory, reconcile.decide(found, exchange, source))
        applied = context.store.apply(decisions, embed_added(context.embedder, decisions))
    except MemchatError as error:
        return LearningResult(error=error.message, cause=error)
    return LearningResult(tuple(map(_as_told, applied)), found.parse_errors)


def _compared(context: LearningContext, exchange: Exchange) -> Extraction:
    """What the model says; what rules say where it is a small one, which would not know."""
    if not context.forms.choose(context.model.name, context.store.extraction_forms).compact:
        return extract(context.model, exchange)
    told = Extraction((Fact(exchange.user, exchange.user),))
    return changes.with_changes(told, exchange, context.embedder)


def _near(context: LearningContext, memory: Memory) -> list[Memory]:
    """The nearest other memories of the same owner and reach, none kept word for word."""
    view = MemoryFilter((memory.owner,), memory.session_id, scope=memory.scope)
    hits = context.recall.search(Query(memory.text, view, top_k=KNOWN_MEMORIES, floor=False))
    return [hit.memory for hit in hits if hit.memory.id != memory.id and not hit.memory.verbatim]


def _about_others(memory: Memory, decisions: Sequence[Decision]) -> list[Decision]:
    """What the model decided about other memories; those that its facts replace give way to `memory` itself."""
    former = dict.fromkeys(old for one in decisions if isinstance(one, Add) for old in one.replaces)
    former.pop(memory.id, None)
    rest = [one for one in decisions if isinstance(one, End | MarkOutdated) and one.memory_id != memory.id]
    return [Add(_draft(memory), tuple(former), reason="told"), *rest] if former else [*rest]


def _draft(memory: Memory) -> Draft:
    """What the store knows as `memory`: it says the same."""
    return Draft(
        memory.text,
        memory.owner,
        memory.scope,
        memory.category,
        memory.session_id,
        memory.agent,
        valid_from=memory.valid_from,
    )


def _as_told(applied: Applied) -> Applied:
    return replace(applied, event=Event.ADD) if applied.replaced else applied
