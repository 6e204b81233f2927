"""Memories as JSON, and back: what `--json` prints, what `memories export` writes and `memories import` reads.

    id, text, scope, category, cues, metadata, standing, verbatim, source
    owner           {"kind": "user" or "agent", "name": …}
    agent, session  the agent it was learned with, the conversation a session memory belongs to
    valid_from, valid_to                                             days
    created_at, updated_at, expires_at, confirmed_at, last_used_at   moments, UTC
    supersedes, superseded_by, mistaken, doubtful
    evidence        {"message", "session", "quote", "model"}

An export has one such object per line, superseded memories included, the oldest first, each with its history in
`changes`: {"order", "event", "at", "old_text", "new_text", "reason", "planned_end"}, where `order` counts through the
whole export.
Reading it back restores every field. Vectors are not in it: they are made again.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from memchat.core.types import (
    Change,
    Event,
    Evidence,
    Memory,
    Metadata,
    MetadataValue,
    Owner,
    Scope,
    Source,
    is_plain,
)
from memchat.errors import UsageError
from memchat.storage.memory_rows import format_time
from memchat.text.normalize import fix_surrogates

Read = TypeVar("Read")

_PLANNED_END_IN_REASON = re.compile(r"(?:^|; )it was to end on (\d{4}-\d\d-\d\d)$")
"""The planned end in exports of the first versions; later ones have a key for it."""


@dataclass(frozen=True, slots=True)
class Record:
    """A memory with its history; `user` is the owner that another program names."""

    memory: Memory
    changes: Sequence[Change] = ()
    user: str | None = None


# Writing.


def memory_json(memory: Memory) -> dict[str, Any]:
    evidence = memory.evidence
    return {
        "id": memory.id,
        "text": memory.text,
        "owner": {"kind": str(memory.owner.kind), "name": memory.owner.name},
        "scope": str(memory.scope),
        "category": memory.category,
        "agent": memory.agent,
        "session": memory.session_id,
        "metadata": dict(memory.metadata),
        "cues": list(memory.cues),
        "standing": memory.standing,
        "verbatim": memory.verbatim,
        "source": str(memory.source),
        "valid_from": None if memory.valid_from is None else memory.valid_from.isoformat(),
        "valid_to": None if memory.valid_to is None else memory.valid_to.isoformat(),
        "created_at": moment_json(memory.created_at),
        "updated_at": moment_json(memory.updated_at),
        "expires_at": None if memory.expires_at is None else moment_json(memory.expires_at),
        "confirmed_at": None if memory.confirmed_at is None else moment_json(memory.confirmed_at),
        "last_used_at": None if memory.last_used_at is None else moment_json(memory.last_used_at),
        "supersedes": list(memory.supersedes),
        "superseded_by": memory.superseded_by,
        "mistaken": memory.mistaken,
        "doubtful": memory.doubtful,
        "evidence": None
        if evidence is None
        else {
            "message": evidence.message_id,
            "session": evidence.session_id,
            "quote": evidence.quote,
            "model": evidence.model,
        },
    }


def record_json(record: Record) -> dict[str, Any]:
    changes = [
        {
            "order": change.seq,
            "event": str(change.event),
            "at": moment_json(change.at),
            "old_text": change.old_text,
            "new_text": change.new_text,
            "reason": change.reason,
            "planned_end": None if change.planned_end is None else change.planned_end.isoformat(),
        }
        for change in record.changes
    ]
    return {**memory_json(record.memory), "changes": changes}


def moment_json(moment: datetime) -> str:
    return format_time(moment)


# Reading.


def parse_record(entry: Mapping[str, Any]) -> Record:
    """Parse a line of an export. Raises UsageError that says what is wrong with it."""
    try:
        memory = _memory(entry)
        changes: list[Change] = []
        for told in entry.get("changes", ()):
            old, new = (
                _maybe(told[key], lambda words: _required_text(words, empty=True)) for key in ("old_text", "new_text")
            )
            reason = _required_text(told.get("reason", ""), empty=True)
            planned = _maybe(told.get("planned_end"), date.fromisoformat)
            event = Event(told["event"])
            if event is Event.END and (former := _PLANNED_END_IN_REASON.search(reason)):
                reason, planned = reason[: former.start()], date.fromisoformat(former[1])
            order, at = int(told["order"]), _moment(told["at"])
            changes.append(Change(order, memory.id, event, at, old, new, reason, planned))
        return Record(memory, changes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"cannot be read: {reason}") from error


def _memory(entry: Mapping[str, Any]) -> Memory:
    evidence = entry.get("evidence")
    return Memory(
        id=_required_text(entry["id"]),
        owner=Owner(Scope(entry["owner"]["kind"]), _required_text(entry["owner"]["name"])),
        text=_required_text(entry["text"]),
        scope=Scope(entry["scope"]),
        category=_required_text(entry["category"]),
        created_at=_moment(entry["created_at"]),
        updated_at=_moment(entry["updated_at"]),
        session_id=_maybe(entry.get("session"), _required_text),
        agent=_maybe(entry.get("agent"), _required_text),
        metadata=plain_pairs(entry.get("metadata")),
        valid_from=_maybe(entry.get("valid_from"), date.fromisoformat),
        valid_to=_maybe(entry.get("valid_to"), date.fromisoformat),
        expires_at=_maybe(entry.get("expires_at"), _moment),
        confirmed_at=_maybe(entry.get("confirmed_at"), _moment),
        last_used_at=_maybe(entry.get("last_used_at"), _moment),
        supersedes=tuple(_required_text(former) for former in entry.get("supersedes", ())),
        superseded_by=_maybe(entry.get("superseded_by"), _required_text),
        mistaken=entry.get("mistaken", False) is True,
        doubtful=entry.get("doubtful", False) is True,
        standing=entry.get("standing", False) is True,
        verbatim=entry.get("verbatim", False) is True,
        source=Source(entry.get("source", Source.IMPORTED)),
        cues=tuple(_required_text(cue) for cue in entry.get("cues", ())),
        evidence=None
        if evidence is None
        else Evidence(*(_required_text(evidence[key], empty=True) for key in ("message", "session", "quote", "model"))),
    )


def _required_text(value: object, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{value!r} is no text")
    return fix_surrogates(value)


def _maybe(value: Any, read: Callable[[Any], Read]) -> Read | None:
    return None if value is None else read(value)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def plain_pairs(value: object) -> Metadata:
    """Return the pairs of `value` that metadata can hold; nested values as JSON text."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, MetadataValue] = {}
    for key, item in value.items():
        if item is not None:
            found[str(key)] = item if is_plain(item) else json.dumps(item)
    return found


def with_owner(record: Record, owner: Owner) -> Record:
    """Return `record` as a memory of `owner`; agents' memories keep their owner."""
    if record.memory.owner.kind is Scope.AGENT:
        return record
    return replace(record, memory=replace(record.memory, owner=owner))
