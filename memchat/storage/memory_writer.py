"""Write memories to SQLite: every version, no two that say the same, the changes that learning and people make."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, datetime

from memchat.core.ids import new_id
from memchat.core.protocols import Embedded
from memchat.core.types import (
    Add,
    Applied,
    Change,
    Confirm,
    Decision,
    Draft,
    End,
    Event,
    Forget,
    MarkOutdated,
    Memory,
    Metadata,
)
from memchat.errors import NotFound, UsageError
from memchat.storage.database import placeholders
from memchat.storage.fulltext import terms
from memchat.storage.memory_reader import MemoryReader
from memchat.storage.memory_rows import ensure_owner, format_time, json_column
from memchat.text.embedding import with_dimension
from memchat.text.normalize import fix_surrogates, normalize


class MemoryRepository(MemoryReader):
    """Read and change memories. Every change gets a sequence number, by which indexes and caches follow."""

    def apply_all(self, decisions: Sequence[Decision], embedded: Sequence[Embedded | None]) -> list[Applied]:
        """Carry out `decisions` in order inside the caller's transaction.

        `embedded` goes with them, item by item: the vectors of what an `Add` adds, None for the others. Decisions about
        memories deleted or superseded meanwhile are skipped. A draft that says the same as a current memory confirms it
        instead.
        """
        applied: list[Applied] = []
        for decision, vectors in zip(decisions, embedded, strict=True):
            match decision:
                case Add():
                    applied += self._add(decision, vectors)
                case Confirm():
                    applied += self._confirm(decision.memory_id, decision.reason)
                case End():
                    applied += self._end(decision)
                case MarkOutdated():
                    applied += self._mark_outdated(decision)
                case Forget():
                    pass  # Erased in the same transaction: see Store.apply.
        return applied

    def edit(self, memory: Memory, text: str, embedded: Embedded, reason: str, event: Event = Event.UPDATE) -> Memory:
        """Replace the text of the memory; the former text stays in its history.

        Raises UsageError when another current memory says the same, NotFound when the memory is gone.
        """
        text = fix_surrogates(text)
        with self.database.transaction():
            number, former = self._number(memory.id), self._known(memory.id)
            if not former.superseded:
                self._refuse_duplicate(former, text)
            self.database.execute(
                "UPDATE memories SET text = ?, said = ?, cues = ?, updated_at = ?, doubtful = 0 WHERE number = ?",
                (text, normalize(text), json_column(memory.cues), format_time(self.clock()), number),
            )
            self.write_words(number, replace(memory, text=text))
            self.write_vectors(number, embedded)
            self._record_change(memory.id, event, former.text, text, reason)
        return self._known(memory.id)

    def amend(self, memory: Memory, metadata: Metadata, expires_at: datetime | None) -> Memory:
        """Set the metadata and the expiry of `memory`; its text stays. Raises NotFound when it is gone."""
        with self.database.transaction():
            known, now = self._known(memory.id), format_time(self.clock())
            self.database.execute(
                "UPDATE memories SET metadata = ?, expires_at = ?, updated_at = ? WHERE id = ?",
                (json_column(dict(metadata)), None if expires_at is None else format_time(expires_at), now, memory.id),
            )
            self._record_change(memory.id, Event.UPDATE, known.text, known.text, "amended")
        return self._known(memory.id)

    def undo(self, memory: Memory, former: "Memory | str", embedded: Embedded | None) -> Memory:
        """Go back to `former`: the text before an edit, or a memory that this one superseded.

        All other memories that this one replaced come back too. Undoing again undoes the undoing. Raises UsageError
        when another memory already says what would come back.
        """
        if isinstance(former, str):
            assert embedded is not None
            return self.edit(memory, former, embedded, "undone", Event.UNDO)
        with self.database.transaction():
            successor = self._known(memory.id)
            if former.id not in successor.supersedes:
                raise UsageError("The memory has changed meanwhile.", hint="memchat memories history shows how.")
            back = [self._known(memory_id) for memory_id in successor.supersedes]
            again = self._last_event(former.id) is Event.UNDO
            periods = [self._period_before(one, successor) for one in back]
            # Withdrawn as never true; when an undoing is undone, as it was before that.
            mistaken, until = True, successor.valid_to
            if again:
                mistaken = self._last_event(memory.id, Event.SUPERSEDE, Event.MISTAKEN) is Event.MISTAKEN
                until = until or former.valid_from or self.clock().date()
            self.database.execute(
                "UPDATE memories SET superseded_by = ?, mistaken = ?, valid_to = ?, updated_at = ? WHERE id = ?",
                (former.id, mistaken, _iso(until), format_time(self.clock()), memory.id),
            )
            self._record_change(memory.id, Event.UNDO, successor.text, former.text, "undone")
            for one, valid_to in zip(back, periods, strict=True):
                self._refuse_duplicate(one, one.text)
                self.database.execute(
                    "UPDATE memories SET superseded_by = NULL, mistaken = 0, valid_to = ?, updated_at = ? WHERE id = ?",
                    (_iso(valid_to), format_time(self.clock()), one.id),
                )
                self._record_change(one.id, Event.UNDO, None, one.text, "back in force")
        return self._known(former.id)

    def unend(self, memory: Memory) -> Memory:
        """Take back the end of `memory` or its mark as outdated, whichever came later."""
        with self.database.transaction():
            known, now = self._known(memory.id), format_time(self.clock())
            ended = self._last_event(memory.id, Event.END, Event.DOUBT) is Event.END
            valid_to = _iso(known.valid_to)
            if ended:
                valid_to = self.database.value(
                    "SELECT planned_end FROM changes WHERE memory_id = ? AND event = ? ORDER BY seq DESC LIMIT 1",
                    (memory.id, Event.END),
                )
            self.database.execute(
                "UPDATE memories SET valid_to = ?, doubtful = ?, updated_at = ? WHERE id = ?",
                (valid_to, ended and known.doubtful, now, memory.id),
            )
            self._record_change(memory.id, Event.UNDO, memory.text, memory.text, "undone")
        return self._known(memory.id)

    def _period_before(self, memory: Memory, successor: Memory) -> date | None:
        """Return when `memory` ended before `successor` replaced it; None if the replacement ended it."""
        if successor.valid_from is not None:
            return None if memory.valid_to == successor.valid_from else memory.valid_to
        by_successor = self.database.value(
            "SELECT 1 FROM changes WHERE memory_id = ? AND event IN (?, ?, ?) AND substr(at, 1, 10) = ?",
            (memory.id, Event.SUPERSEDE, Event.MISTAKEN, Event.UNDO, _iso(memory.valid_to)),
        )
        return None if by_successor else memory.valid_to

    def _last_event(self, memory_id: str, *among: Event) -> Event | None:
        """Return the last change to a memory among the kinds `among`."""
        events = among or tuple(Event)
        event = self.database.value(
            f"""SELECT event FROM changes WHERE memory_id = ? AND event IN ({placeholders(events)})
                ORDER BY seq DESC LIMIT 1""",
            (memory_id, *events),
        )
        return None if event is None else Event(event)

    def _add(self, decision: Add, embedded: Embedded | None) -> list[Applied]:
        draft, evidence = decision.draft, decision.draft.evidence
        if evidence is not None:
            evidence = replace(evidence, quote=fix_surrogates(evidence.quote))
            said = self.database.value("SELECT text FROM messages WHERE id = ?", (evidence.message_id,))
            if said is None or evidence.quote not in said:
                return []
        cues = tuple(fix_surrogates(cue) for cue in draft.cues)
        draft = replace(draft, text=fix_surrogates(draft.text), cues=cues, evidence=evidence)
        owner = ensure_owner(self.database, draft.owner)
        duplicate = None if draft.verbatim else self.duplicate_of(owner, draft)
        current = "SELECT 1 FROM memories WHERE id = ? AND owner = ? AND superseded_by IS NULL"
        replaced = [m for m in dict.fromkeys(decision.replaces) if m != duplicate]
        former = [self._known(m) for m in replaced if self.database.value(current, (m, owner))]
        if duplicate is not None:
            self._supersede(former, duplicate, draft, decision)
            return [replace(one, replaced=tuple(former)) for one in self._confirm(duplicate, decision.reason, draft)]
        now = self.clock()
        given = {field.name: getattr(draft, field.name) for field in fields(draft)}
        memory = Memory(id=new_id(), created_at=now, updated_at=now, **given)
        self._supersede(former, memory.id, draft, decision)
        self.insert_row(memory, embedded)
        self._record_change(memory.id, Event.ADD, None, memory.text, decision.reason)
        return [Applied(Event.ADD, self._known(memory.id), tuple(former))]

    def insert_row(self, memory: Memory, embedded: Embedded | None) -> bool:
        """Insert a row unchanged. Returns False when its id, or a current memory that says the same, already exists."""
        evidence = memory.evidence
        moments = ("created_at", "updated_at", "confirmed_at", "last_used_at", "expires_at")
        days = ("valid_from", "valid_to")
        values: dict[str, object] = {
            "id": memory.id,
            "owner": ensure_owner(self.database, memory.owner),
            "scope": memory.scope,
            "session_id": memory.session_id or "",
            "agent": memory.agent,
            "text": memory.text,
            "said": normalize(memory.text),
            "category": memory.category,
            "metadata": json_column(dict(memory.metadata)),
            "cues": json_column(memory.cues),
            "standing": memory.standing,
            "verbatim": memory.verbatim,
            "source": memory.source,
            "superseded_by": memory.superseded_by,
            "mistaken": memory.mistaken,
            "doubtful": memory.doubtful,
            "message_id": evidence and evidence.message_id,
            "evidence_session": evidence and evidence.session_id,
            "quote": evidence and evidence.quote,
            "model": evidence and evidence.model,
            **{name: at and format_time(at) for name in moments for at in (getattr(memory, name),)},
            **{name: at and at.isoformat() for name in days for at in (getattr(memory, name),)},
        }
        columns, marks = ", ".join(values), placeholders(values)
        sql = f"INSERT INTO memories ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        if not self.database.execute(sql, values.values()):
            return False
        number = self._number(memory.id)
        self.write_words(number, memory)
        if embedded is not None:
            self.write_vectors(number, embedded)
        return True

    def _supersede(self, former: Sequence[Memory], by: str, draft: Draft, decision: Add) -> None:
        now = self.clock()
        end = _iso(draft.valid_from or now.date())
        for memory in former:
            self.database.execute(
                """UPDATE memories SET superseded_by = ?, valid_to = coalesce(valid_to, ?), mistaken = ?, updated_at = ?
                    WHERE id = ?""",
                (by, end, decision.mistaken, format_time(now), memory.id),
            )
            event = Event.MISTAKEN if decision.mistaken else Event.SUPERSEDE
            self._record_change(memory.id, event, memory.text, draft.text, decision.reason)

    def _confirm(self, memory_id: str, reason: str, again: Draft | None = None) -> list[Applied]:
        """Confirm a fact said again in the words of `again`: it holds again, for as long as that says."""
        memory = self.get(memory_id)
        if memory is None or memory.superseded:
            return []
        now = self.clock()
        standing = memory.standing or (again is not None and again.standing)
        valid_to = (again and again.valid_to) or (None if memory.ended(now.date()) else memory.valid_to)
        expires_at = memory.expires_at
        if again is not None and expires_at is not None:
            if memory.expired(now):
                expires_at = again.expires_at
            elif again.expires_at is not None:
                expires_at = max(expires_at, again.expires_at)
        self.database.execute(
            """UPDATE memories SET confirmed_at = ?, doubtful = 0, valid_to = ?, expires_at = ?, standing = ?
                WHERE id = ?""",
            (format_time(now), _iso(valid_to), expires_at and format_time(expires_at), standing, memory_id),
        )
        self._record_change(memory_id, Event.CONFIRM, memory.text, memory.text, reason)
        return [Applied(Event.CONFIRM, self._known(memory_id))]

    def _end(self, decision: End) -> list[Applied]:
        memory = self.get(decision.memory_id)
        if memory is None or memory.superseded or (memory.valid_to or date.max) <= decision.valid_to:
            return []
        self.database.execute(
            "UPDATE memories SET valid_to = ?, updated_at = ? WHERE id = ?",
            (decision.valid_to.isoformat(), format_time(self.clock()), memory.id),
        )
        at, text = self.clock(), memory.text
        self.insert_change(
            Change(0, memory.id, Event.END, at, text, text, decision.reason, planned_end=memory.valid_to)
        )
        return [Applied(Event.END, self._known(memory.id))]

    def _mark_outdated(self, decision: MarkOutdated) -> list[Applied]:
        memory = self.get(decision.memory_id)
        if memory is None or memory.superseded or memory.doubtful:
            return []
        self.database.execute(
            "UPDATE memories SET doubtful = 1, updated_at = ? WHERE id = ?", (format_time(self.clock()), memory.id)
        )
        self._record_change(memory.id, Event.DOUBT, memory.text, memory.text, decision.reason)
        return [Applied(Event.DOUBT, self._known(memory.id))]

    # Rows.

    def _number(self, memory_id: str) -> int:
        number = self.database.value("SELECT number FROM memories WHERE id = ?", (memory_id,))
        if number is None:
            raise NotFound(f"The memory {memory_id} is gone.")
        return int(number)

    def _known(self, memory_id: str) -> Memory:
        memory = self.get(memory_id)
        if memory is None:
            raise NotFound(f"The memory {memory_id} is gone.")
        return memory

    def duplicate_of(self, owner: int, memory: Draft | Memory, but: str = "") -> str | None:
        """Return the id of the current memory, other than `but`, that says the same as `memory`."""
        found: str | None = self.database.value(
            """SELECT id FROM memories WHERE owner = ? AND scope = ? AND session_id = ? AND said = ? AND id <> ?
                AND superseded_by IS NULL AND verbatim = 0""",
            (owner, memory.scope, memory.session_id or "", normalize(memory.text), but),
        )
        return found

    def _refuse_duplicate(self, memory: Memory, text: str) -> None:
        """Raise UsageError when another current memory says `text`."""
        duplicate = self.duplicate_of(
            ensure_owner(self.database, memory.owner), replace(memory, text=text), but=memory.id
        )
        if duplicate is not None and not memory.verbatim:
            raise UsageError(f"The memory {duplicate} says that already.", hint="Forget one of the two instead.")

    def write_words(self, number: int, memory: Memory) -> None:
        """Replace the full-text entry of the memory `number`."""
        owner = self.database.value("SELECT owner FROM memories WHERE number = ?", (number,))
        self.database.execute("DELETE FROM words WHERE rowid = ?", (number,))
        self.database.execute("INSERT INTO words (rowid, terms) VALUES (?, ?)", (number, terms(owner, memory)))

    def write_vectors(self, number: int, embedded: Embedded) -> None:
        """Store the vectors of the memory `number` in place of those it had."""
        owner = self.database.value("SELECT owner FROM memories WHERE number = ?", (number,))
        self.fingerprint = with_dimension(self.fingerprint, embedded.rows.shape[1])
        self.database.execute(
            "INSERT OR REPLACE INTO vectors (number, owner, fingerprint, kinds, rows) VALUES (?, ?, ?, ?, ?)",
            (number, owner, self.fingerprint, json.dumps(embedded.kinds), embedded.rows.astype("<f4").tobytes()),
        )

    def _record_change(self, memory_id: str, event: Event, old: str | None, new: str | None, reason: str) -> None:
        self.insert_change(Change(0, memory_id, event, self.clock(), old, new, reason))

    def insert_change(self, change: Change) -> None:
        """Record a change; its `seq` is the next one."""
        self.database.execute(
            """INSERT INTO changes (memory_id, owner, event, at, old_text, new_text, reason, planned_end)
                SELECT id, owner, ?, ?, ?, ?, ?, ? FROM memories WHERE id = ?""",
            (
                change.event,
                format_time(change.at),
                change.old_text,
                change.new_text,
                change.reason,
                _iso(change.planned_end),
                change.memory_id,
            ),
        )


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
