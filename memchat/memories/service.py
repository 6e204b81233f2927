"""What a person does with memories by hand: tell, correct, take back, forget."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from memchat.core.protocols import Embedded, Embedder, MemoryFilter
from memchat.core.types import (
    Add,
    Applied,
    Change,
    Confirm,
    Decision,
    Draft,
    Event,
    MarkOutdated,
    Memory,
    Metadata,
    Owner,
    Scope,
)
from memchat.errors import UsageError
from memchat.recall.default_cues import default_cues
from memchat.storage.protocols import ErasureReport, Storage
from memchat.storage.serialization import Record
from memchat.text import embedding
from memchat.text.normalize import fix_surrogates, words
from memchat.text.redaction import redact, redact_pairs

if TYPE_CHECKING:
    from memchat.recall.retriever import Retriever

Worded = TypeVar("Worded", Draft, Memory)

MAX_MEMORY_CHARACTERS = 8_000
"""The longest memory, in characters."""
MAX_FOUND = 5_000
"""So many memories one search may find."""


def find_all(recall: "Retriever", store: Storage, text: str, view: MemoryFilter) -> list[Memory]:
    """Every memory of `view` that `recall` finds for `text`, best first, then those that say one of them once more.

    Recall names each saying once, which for what is to be forgotten is not enough.
    """
    from memchat.recall.retriever import Query

    most = min(store.memories.count(view), MAX_FOUND)
    found = [hit.memory for hit in recall.search(Query(text, view, top_k=max(most, 1)))]
    ids = {memory.id for memory in found}
    said = {tuple(words(memory.text)) for memory in found} - {()}
    others = store.memories.memories(view) if found else []
    return [*found, *(m for m in others if m.id not in ids and tuple(words(m.text)) in said)]


class MemoryService:
    """Works on one store. `embedder` is called for when it is needed."""

    def __init__(
        self,
        store: Storage,
        embedder: Callable[[], Embedder],
        *,
        redacts: bool = True,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._redacts = redacts

    def add(self, text: str, owner: Owner, draft: Draft | None = None) -> Memory:
        """Keep `text` as it is; `draft` gives what else there is to say about it. The same said twice is one memory."""
        agent = owner.name if owner.kind is Scope.AGENT else None
        draft = draft or Draft(text, owner, scope=owner.kind, agent=agent)
        return self.store_draft(replace(draft, text=self.clean(text))).memory

    def store_draft(self, draft: Draft, replaces: Sequence[str] = (), outdates: Sequence[str] = ()) -> Applied:
        """Keep `draft` in the place of the memories under `replaces`; those under `outdates` become doubtful."""
        cued = self._with_cues(draft)
        embedded = embedding.embed(self._embedder(), [cued])
        decisions: list[Decision] = [Add(cued, tuple(replaces), reason="told")]
        decisions += [MarkOutdated(memory_id, "what it hung on has changed") for memory_id in outdates]
        return self._store.apply(decisions, [*embedded, *(None for _ in outdates)])[0]

    def confirm(self, memory: Memory) -> None:
        """Note that what `memory` says was told again."""
        self._store.apply([Confirm(memory.id, "told again")], [None])

    def add_all(self, drafts: Sequence[Draft], previous: str | None = None) -> list[Memory]:
        """Keep `drafts` in order, in one transaction. `previous` is the turn before the first of verbatim ones."""
        cued = [self._with_cues(draft) for draft in drafts]
        before = [previous, *(draft.text for draft in cued[:-1])] if cued else []
        embedded = embedding.embed(self._embedder(), cued, before)
        applied = self._store.apply([Add(draft, reason="told") for draft in cued], embedded)
        return [one.memory for one in applied]

    def edit(self, memory: Memory, text: str) -> Memory:
        """Correct the words of `memory`. The former words stay in its history; its cues are made anew."""
        clean = self.clean(text)
        if clean == memory.text:
            return memory
        changed, embedded = self._in_words(memory, clean)
        return self._store.memories.edit(changed, clean, embedded, "edited")

    def amend(self, memory: Memory, metadata: Metadata, expires_at: datetime | None) -> Memory:
        """Add `metadata` to what `memory` has, and let it expire at `expires_at` or never. Its words stay."""
        pairs = {**memory.metadata, **self.masked_pairs(metadata)}
        return self._store.memories.amend(memory, pairs, expires_at)

    def undo(self, memory: Memory) -> Memory:
        """Take the last change to `memory` back: an edit, what it superseded, its end, or the doubt about it.

        What was said again or amended since then stays as it is.
        """
        store = self._store.memories
        changes = [change for change in store.history(memory) if change.memory_id == memory.id]
        last = next((change for change in reversed(changes) if not _keeps_words(change)), None)
        if last is not None and last.event in {Event.UPDATE, Event.UNDO} and last.old_text not in {None, memory.text}:
            changed, embedded = self._in_words(memory, last.old_text or "")
            return store.undo(changed, changed.text, embedded)
        if last is not None and last.event in {Event.END, Event.DOUBT}:
            return store.unend(memory)
        if memory.superseded_by is not None:
            successor = store.get(memory.superseded_by)
            if successor is not None:
                return store.undo(successor, memory, None)
        if memory.supersedes and (former := store.get(memory.supersedes[-1])) is not None:
            return store.undo(memory, former, None)
        raise UsageError("There is nothing to undo: this is the first version.", hint="memchat forget erases it.")

    def forget(self, ids: Sequence[str], *, keep_source: bool = False) -> ErasureReport:
        """Erase memories with all their versions, down to the bytes; the receipt says what the search found left."""
        return self._store.erase(ids, keep_source=keep_source)

    def forget_person(self, user: str) -> ErasureReport:
        """Erase everything of `user`: memories, conversations, pending work."""
        return self._store.erase_person(user)

    def forget_everything(self) -> ErasureReport:
        """Erase everything of everybody."""
        return self._store.erase_everything()

    def forget_sessions(self, ids: Sequence[str]) -> ErasureReport:
        return self._store.erase_sessions(ids)

    def clean(self, text: str) -> str:
        """`text` as it may be kept: stripped, secrets masked. Raises UsageError where it is empty or too long."""
        text = fix_surrogates(text).strip()
        if not text:
            raise UsageError("There is nothing to remember in an empty text.")
        if len(text) > MAX_MEMORY_CHARACTERS:
            raise UsageError(f"A memory may hold {MAX_MEMORY_CHARACTERS} characters; this one has {len(text)}.")
        return self.masked(text)

    def masked(self, text: str) -> str:
        return redact(text).text if self._redacts else text

    def _in_words(self, memory: Memory, text: str) -> tuple[Memory, Embedded]:
        """`memory` with `text` for its words and with the cues that go with it, and the vectors of these."""
        changed = self._with_cues(replace(memory, text=text, cues=()))
        before = self._store.memories.turn_before(memory)
        return changed, embedding.embed(self._embedder(), [changed], [before])[0]

    def masked_pairs(self, metadata: Metadata) -> Metadata:
        return redact_pairs(metadata) if self._redacts else metadata

    def masked_record(self, record: Record) -> Record:
        """What is to be imported as it may be kept: its words, metadata, quotes and history without secrets."""
        if not self._redacts:
            return record
        memory = record.memory
        evidence = memory.evidence and replace(memory.evidence, quote=self.masked(memory.evidence.quote))
        kept = replace(
            memory,
            text=self.masked(memory.text),
            cues=tuple(map(self.masked, memory.cues)),
            metadata=self.masked_pairs(memory.metadata),
            evidence=evidence,
        )
        return replace(record, memory=kept, changes=[self._masked_change(change) for change in record.changes])

    def _masked_change(self, change: Change) -> Change:
        old, new = (text and self.masked(text) for text in (change.old_text, change.new_text))
        return replace(change, old_text=old, new_text=new)

    def _with_cues(self, draft: Worded) -> Worded:
        if draft.cues or draft.verbatim or draft.scope is Scope.AGENT:
            return draft
        return replace(draft, cues=default_cues(draft.category, draft.text))


def _keeps_words(change: Change) -> bool:
    return change.event is Event.CONFIRM or (change.event is Event.UPDATE and change.old_text == change.new_text)
