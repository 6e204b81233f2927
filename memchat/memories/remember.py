"""Keep what a user tells by a command: as written, and compared with known memories as learned facts are."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Draft, Event, Memory, Owner, Scope
from memchat.errors import ModelError
from memchat.text.normalize import normalize

if TYPE_CHECKING:
    from memchat.core.protocols import Clock
    from memchat.learning.sentence_kinds import SentenceKinds
    from memchat.learning.worker import LearningWorker
    from memchat.memories.service import MemoryService
    from memchat.recall.retriever import Hit, Retriever
    from memchat.storage.protocols import Storage

NEAREST = 15
"""Number of nearest memories that a text is compared with."""
SIMILAR_COSINE = 0.5
"""Minimum score of a memory about the same thing: "The wifi is called Hawk" gives "The wifi is called Falcon" 1.2, and
unrelated memories 0.2."""
MAX_SIMILAR = 3
MANY_MEMORIES = 20
"""More texts than this at once are a list: kept in one transaction, without comparison."""
COMPARED_WITHIN_S = 5.0
"""How long a command waits for the language model to decide what a text replaces, in seconds."""


@dataclass(frozen=True, slots=True)
class RememberResult:
    """The outcome for one text: the memory that holds it, `known` before or new, and the memories that it replaced.

    `similar` are others about the same thing, for the user to look at. While it is `pending`, a learning job waits for
    the language model to decide what the memory replaces.
    """

    memory: Memory
    replaced: tuple[Memory, ...] = ()
    known: bool = False
    similar: tuple[Memory, ...] = ()
    pending: bool = False
    undecided: str | None = None
    """The error of the language model at its last attempt to decide."""


@dataclass(frozen=True, slots=True)
class RememberOptions:
    """Options for keeping a text. None leaves it to the language model or, without one, to rules, which read English.

    `standing` says whether it is a wish for every answer; `replaces` are the memories that it replaces.
    """

    standing: bool | None = None
    replaces: Sequence[Memory] | None = None


class Rememberer:
    """Keep texts in one store, through its service and its recall, which is opened when it is first needed.

    With `by_rules` the rules of the offline model decide what a text replaces. Otherwise a text is kept at once beside
    all others, and a learning job of `user` lets the language model decide. `kinds` tells wishes that are not in
    English.
    """

    def __init__(
        self,
        service: "MemoryService",
        recall: "Callable[[], Retriever]",
        clock: "Clock",
        kinds: "SentenceKinds | None" = None,
        *,
        by_rules: bool = True,
        user: str = "",
    ) -> None:
        self._by_rules = by_rules
        self._user = user
        self._service = service
        self._recall = recall
        self._clock = clock
        self._kinds = kinds

    def remember(self, text: str, owner: Owner, standing: bool | None = None) -> RememberResult:
        """Keep `text` as a memory of `owner`."""
        agent = owner.name if owner.kind is Scope.AGENT else None
        return self.tell([text], Draft("", owner, scope=owner.kind, agent=agent), RememberOptions(standing))[0]

    def tell(self, texts: Sequence[str], draft: Draft, manner: RememberOptions | None = None) -> list[RememberResult]:
        """Keep each of `texts` unchanged and in order, with the other fields of `draft`.

        Compares up to MANY_MEMORIES texts with known memories. Raises UsageError for a text that cannot be kept, before
        it keeps any.
        """
        clean = [self._service.clean(text) for text in texts]
        draft = replace(draft, metadata=self._service.masked_pairs(draft.metadata))
        if len(clean) > MANY_MEMORIES:
            drafts = [replace(draft, text=text, standing=bool(manner and manner.standing)) for text in clean]
            return [RememberResult(memory) for memory in self._service.add_all(drafts)]
        recall = self._recall()
        return [self._tell(replace(draft, text=text), manner or RememberOptions(), recall) for text in clean]

    def _tell(self, draft: Draft, manner: RememberOptions, recall: "Retriever") -> RememberResult:
        from memchat.llm.vocabulary import Language, language_of
        from memchat.offline.extraction import compare_with_known
        from memchat.recall.retriever import Query

        view = MemoryFilter((draft.owner,), scope=draft.scope)
        near = recall.search(Query(draft.text, view, top_k=NEAREST, floor=False))
        hits = [hit for hit in near if not hit.memory.verbatim]
        held = [hit.memory for hit in hits]
        ruled = compare_with_known(draft.text, [memory.text for memory in held], self._clock().astimezone().date())
        standing = manner.standing
        if standing is None:
            english = draft.text.isascii() and language_of(draft.text) is Language.ENGLISH
            standing = ruled.standing
            # No rule reads wishes about answers in other languages.
            if not standing and not english and self._kinds is not None:
                with suppress(ModelError):
                    standing = self._kinds.is_wish(draft.text)
        draft = replace(draft, standing=standing)
        if manner.replaces is not None:
            return self._store_result(draft, manner.replaces, (), ())
        if not self._by_rules:
            user = draft.owner.name if draft.owner.kind is Scope.USER else self._user
            return self._store_result(draft, (), (), hits, compared_for=user)
        same = None if ruled.says is None else held[ruled.says]
        if same is not None:
            adds = (draft.metadata, draft.valid_from, draft.expires_at, draft.standing and not same.standing)
            if not any(adds) and draft.category in {"other", same.category}:
                self._service.confirm(same)
                return RememberResult(same, known=True)
        former = [held[number] for number in ruled.replaces]
        if same is not None and normalize(same.text) != normalize(draft.text):
            former.append(same)
        return self._store_result(draft, former, [held[number] for number in ruled.outdates], hits)

    def _store_result(
        self,
        draft: Draft,
        former: Sequence[Memory],
        outdated: Sequence[Memory],
        near: "Sequence[Hit]",
        *,
        compared_for: str | None = None,
    ) -> RememberResult:
        replaced, doubtful = [memory.id for memory in former], [memory.id for memory in outdated]
        kept = self._service.store_draft(draft, replaced, doubtful, compared_for=compared_for)
        settled, known = {kept.memory.id, *replaced}, kept.event is Event.CONFIRM
        close = [hit.memory for hit in near if hit.score >= SIMILAR_COSINE and hit.memory.id not in settled]
        pending = compared_for is not None and not known
        return RememberResult(kept.memory, kept.replaced, known, tuple(close[:MAX_SIMILAR]), pending)


def with_decision(store: "Storage", told: RememberResult) -> RememberResult:
    """Add to a pending result what has been decided by now."""
    if not told.pending:
        return told
    job = store.work.of_memory(told.memory.id)
    memory = store.memories.get(told.memory.id) or told.memory
    replaced = tuple(store.memories.by_ids(memory.supersedes).values())
    gone = {former.id for former in replaced}
    similar = tuple(one for one in told.similar if one.id not in gone)
    undecided = None if job is None else job.error
    return RememberResult(memory, replaced, told.known, similar, job is not None, undecided)


def wait_for_decisions(
    open_store: "Callable[[], Storage]", memory_ids: Sequence[str], worker: "LearningWorker", timeout_s: float | None
) -> None:
    """Let `worker` decide now what these added memories replace, and wait until it has tried. From any thread."""
    worker.notify()
    with open_store() as store:

        def tried() -> bool:
            jobs = map(store.work.of_memory, memory_ids)
            return all(job is None or job.error is not None for job in jobs)

        worker.wait_until(tried, timeout_s)
