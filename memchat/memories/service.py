"""Change memories at a user's request: tell, edit, undo, forget."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from memchat.core.protocols import Embedded, Embedder, MemoryFilter, Progress, no_progress
from memchat.core.types import (
    Add,
    Applied,
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
from memchat.storage.protocols import Storage
from memchat.storage.results import ErasureReport
from memchat.storage.serialization import Record
from memchat.text import embedding
from memchat.text.normalize import fix_surrogates, words
from memchat.text.redaction import redact, redact_pairs

if TYPE_CHECKING:
    from memchat.recall.retriever import Retriever

Worded = TypeVar("Worded", Draft, Memory)

MAX_MEMORY_CHARACTERS = 8_000
"""Maximum length of a memory, in characters."""
MAX_FOUND = 5_000
"""Maximum number of memories found by one search."""


def find_all(recall: "Retriever", store: Storage, text: str, view: MemoryFilter) -> list[Memory]:
    """Return every memory of `view` that `recall` finds for `text`, best first, followed by duplicates of them.

    Recall leaves out duplicates, but a request to forget means them too.
    """
    from memchat.recall.retriever import Query

    most = min(store.memories.count(view), MAX_FOUND)
    found = [hit.memory for hit in recall.search(Query(text, view, top_k=max(most, 1)))]
    ids = {memory.id for memory in found}
    said = {tuple(words(memory.text)) for memory in found} - {()}
    others = store.memories.memories(view) if found else []
    return [*found, *(m for m in others if m.id not in ids and tuple(words(m.text)) in said)]


class MemoryService:
    """Change the memories of one store. `embedder` is called when vectors are first needed."""

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
        """Keep `text` unchanged, with the other fields of `draft`. A text kept twice is one memory."""
        agent = owner.name if owner.kind is Scope.AGENT else None
        draft = draft or Draft(text, owner, scope=owner.kind, agent=agent)
        return self.store_draft(replace(draft, text=self.clean(text))).memory

    def store_draft(
        self,
        draft: Draft,
        replaces: Sequence[str] = (),
        outdates: Sequence[str] = (),
        *,
        compared_for: str | None = None,
    ) -> Applied:
        """Keep `draft` in place of the memories `replaces`, and mark the memories `outdates` doubtful; both by id.

        With `compared_for` a learning job of that user lets the language model decide what else it replaces.
        """
        cued = self._with_cues(draft)
        embedded = embedding.embed(self._embedder(), [cued])
        decisions: list[Decision] = [Add(cued, tuple(replaces), reason="told")]
        decisions += [MarkOutdated(memory_id) for memory_id in outdates]
        rows = [*embedded, *(None for _ in outdates)]
        return self._store.apply(decisions, rows, compared_for=compared_for)[0]

    def confirm(self, memory: Memory) -> None:
        """Record that `memory` was told again."""
        self._store.apply([Confirm(memory.id, "told again")], [None])

    def add_all(self, drafts: Sequence[Draft], previous: str | None = None) -> list[Memory]:
        """Keep `drafts` in order, in one transaction. `previous` is the message before the first verbatim one."""
        cued = [self._with_cues(draft) for draft in drafts]
        before = [previous, *(draft.text for draft in cued[:-1])] if cued else []
        embedded = embedding.embed(self._embedder(), cued, before)
        applied = self._store.apply([Add(draft, reason="told") for draft in cued], embedded)
        return [one.memory for one in applied]

    def edit(self, memory: Memory, text: str) -> Memory:
        """Replace the text of `memory` and its cues. The former text stays in its history."""
        clean = self.clean(text)
        if clean == memory.text:
            return memory
        changed, embedded = self._in_words(memory, clean)
        return self._store.memories.edit(changed, clean, embedded, "edited")

    def amend(self, memory: Memory, metadata: Metadata, expires_at: datetime | None) -> Memory:
        """Add `metadata` to that of `memory`, and let it expire at `expires_at` or never. Its text stays."""
        pairs = {**memory.metadata, **self.masked_pairs(metadata)}
        return self._store.memories.amend(memory, pairs, expires_at)

    def undo(self, memory: Memory) -> Memory:
        """Undo the last change to `memory`: an edit, a replacement, its end, or the doubt about it.

        Later confirmations and amendments stay.
        """
        store = self._store.memories
        changes = [
            change
            for change in store.history(memory)
            if change.memory_id == memory.id
            and change.event is not Event.CONFIRM
            and not (change.event is Event.UPDATE and change.old_text == change.new_text)
        ]
        last = changes[-1] if changes else None
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
        raise UsageError("There is nothing to undo: this is the first version.", hint="memchat forget deletes it.")

    def forget(
        self, ids: Sequence[str], *, keep_source: bool = False, on_progress: Progress = no_progress
    ) -> ErasureReport:
        """Delete memories with all their versions, down to the bytes; the report lists what a search still found."""
        return self._store.erase(ids, keep_source=keep_source, on_progress=on_progress)

    def forget_person(self, user: str, on_progress: Progress = no_progress) -> ErasureReport:
        """Delete everything of `user`: memories, conversations, pending jobs."""
        return self._store.erase_person(user, on_progress)

    def forget_everything(self) -> ErasureReport:
        """Delete everything of every user."""
        return self._store.erase_everything()

    def forget_sessions(self, ids: Sequence[str], on_progress: Progress = no_progress) -> ErasureReport:
        return self._store.erase_sessions(ids, on_progress)

    def clean(self, text: str) -> str:
        """Return `text` stripped and with secrets masked. Raises UsageError if it is empty or too long."""
        text = fix_surrogates(text).strip()
        if not text:
            raise UsageError("There is nothing to remember in an empty text.")
        if len(text) > MAX_MEMORY_CHARACTERS:
            raise UsageError(f"A memory can have up to {MAX_MEMORY_CHARACTERS} characters; this one has {len(text)}.")
        return self.masked(text)

    def masked(self, text: str) -> str:
        return redact(text).text if self._redacts else text

    def _in_words(self, memory: Memory, text: str) -> tuple[Memory, Embedded]:
        """Return `memory` with the text `text` and cues for it, and the vectors of both."""
        changed = self._with_cues(replace(memory, text=text, cues=()))
        before = self._store.memories.turn_before(memory)
        return changed, embedding.embed(self._embedder(), [changed], [before])[0]

    def masked_pairs(self, metadata: Metadata) -> Metadata:
        return redact_pairs(metadata) if self._redacts else metadata

    def masked_record(self, record: Record) -> Record:
        """Return `record` with the secrets in its texts, metadata, quotes and history masked."""
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
        changes = [
            replace(
                change,
                old_text=change.old_text and self.masked(change.old_text),
                new_text=change.new_text and self.masked(change.new_text),
            )
            for change in record.changes
        ]
        return replace(record, memory=kept, changes=changes)

    def _with_cues(self, draft: Worded) -> Worded:
        if draft.cues or draft.verbatim or draft.scope is Scope.AGENT:
            return draft
        return replace(draft, cues=default_cues(draft.category, draft.text))
