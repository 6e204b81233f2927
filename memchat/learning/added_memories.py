"""Let the language model decide which memories one added by hand replaces, as it does for what is said in a chat."""

from collections.abc import Sequence
from dataclasses import replace

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Decision, Draft, End, Event, LearningJob, MarkOutdated, Memory
from memchat.learning import changes, reconcile
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.learning.pipeline import (
    KNOWN_MEMORIES,
    LearningContext,
    LearningResult,
    embed_added,
    extract,
    note_usage,
)
from memchat.llm.usage import MeteredModel
from memchat.recall.retriever import Query


def compare_added(context: LearningContext, work: LearningJob) -> LearningResult:
    """Let the model decide what the memory of `work` replaces, ends or makes doubtful, and apply that.

    The memory keeps its text. One that was replaced meanwhile is left alone.
    """
    memory = context.store.memories.get(work.memory_id or "")
    known: list[Memory] = []
    if memory is not None and not memory.superseded:
        view = MemoryFilter((memory.owner,), memory.session_id, scope=memory.scope)
        hits = context.recall.search(Query(memory.text, view, top_k=KNOWN_MEMORIES, floor=False))
        known = [hit.memory for hit in hits if hit.memory.id != memory.id and not hit.memory.verbatim]
    if memory is None or not known:
        context.store.work.discard(work)
        return LearningResult()
    exchange = Exchange(work.created_at.astimezone().date(), memory.text, "", (), known)
    metered = MeteredModel(context.model)
    try:
        if context.forms.choose(metered.name, context.store.extraction_forms).compact:
            # A small model could not tell.
            told = Extraction((Fact(exchange.user, exchange.user),))
            found = changes.with_changes(told, exchange, context.embedder)
        else:
            found = extract(metered, exchange)
    finally:
        usage = context.store.usage
        note_usage(metered, lambda spent: usage.add_for(memory.owner, memory.agent, metered.name, spent))
    source = reconcile.LearningSource(memory.owner, "", "", context.model.name, memory.agent, kinds=context.kinds)
    decisions = _about_others(memory, reconcile.decide(found, exchange, source))
    applied = context.store.apply(decisions, embed_added(context.embedder, decisions), work)
    shown = (replace(one, event=Event.ADD) if one.replaced else one for one in applied)
    return LearningResult(tuple(shown), found.parse_errors)


def _about_others(memory: Memory, decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions about other memories; those that new facts replace are replaced by `memory` itself."""
    former = dict.fromkeys(old for one in decisions if isinstance(one, Add) for old in one.replaces)
    former.pop(memory.id, None)
    rest = [one for one in decisions if isinstance(one, End | MarkOutdated) and one.memory_id != memory.id]
    if not former:
        return [*rest]
    # The store takes a draft with the same text for the memory itself.
    same = Draft(
        memory.text,
        memory.owner,
        memory.scope,
        memory.category,
        memory.session_id,
        memory.agent,
        valid_from=memory.valid_from,
    )
    return [Add(same, tuple(former), reason="told"), *rest]
