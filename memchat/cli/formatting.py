"""Memories and their changes as text for people, and changes as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from memchat.cli.output import Block, KeyValues, Line, Table
from memchat.core.types import FORGOTTEN, Change, Memory, Scope
from memchat.storage.results import MemoryListItem
from memchat.storage.serialization import moment_json


def rows(memories: Iterable[Memory | MemoryListItem]) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each memory: id, day, category, text."""
    for memory in memories:
        shown = memory if isinstance(memory, MemoryListItem) else as_listed(memory)
        yield shown.id, shown.since, shown.category, annotated_text(shown)


def annotated_text(memory: MemoryListItem) -> str:
    """Return the text of a memory, followed by notes about its state in brackets."""
    marks = []
    if memory.superseded:
        marks.append("mistaken" if memory.mistaken else "superseded")
    elif memory.valid_to is not None:
        marks.append(f"until {memory.valid_to}")
    if memory.doubtful:
        marks.append("possibly outdated")
    if memory.scope != Scope.USER:
        marks.append("this conversation" if memory.scope == Scope.SESSION else f"agent {memory.owner}")
    return f"{memory.text} ({', '.join(marks)})" if marks else memory.text


def as_listed(memory: Memory) -> MemoryListItem:
    return MemoryListItem(
        memory.id,
        (memory.valid_from or memory.created_at.astimezone().date()).isoformat(),
        memory.category,
        memory.text,
        memory.scope,
        memory.owner.name,
        None if memory.valid_to is None else memory.valid_to.isoformat(),
        memory.superseded,
        memory.mistaken,
        memory.doubtful,
    )


def memory_details(memory: Memory, versions: Sequence[Memory], origin: dict[str, str | None] | None) -> Iterator[Block]:
    yield Line(annotated_text(as_listed(memory)), "bold")
    about = {
        "id": memory.id,
        "category": memory.category,
        "belongs to": f"{memory.owner.kind} {memory.owner.name}",
        "learned with": memory.agent,
        "metadata": ", ".join(f"{key}={value}" for key, value in memory.metadata.items()),
        "true since": memory.valid_from and memory.valid_from.isoformat(),
        "true until": memory.valid_to and memory.valid_to.isoformat(),
        "created": local(moment_json(memory.created_at)),
        "changed": memory.updated_at != memory.created_at and local(moment_json(memory.updated_at)),
        "said again": memory.confirmed_at and local(moment_json(memory.confirmed_at)),
        "last used": memory.last_used_at and local(moment_json(memory.last_used_at)),
        "expires": memory.expires_at and local(moment_json(memory.expires_at)),
        "standing": memory.standing and "in every prompt",
        "recalled for": "; ".join(memory.cues),
        "source": {"said": "said in a conversation", "told": "added by command"}.get(memory.source, str(memory.source)),
    }
    yield KeyValues([(name, value) for name, value in about.items() if value])
    if memory.evidence is not None:
        facts = {
            "quoted": memory.evidence.quote,
            "conversation": origin and f"{origin['title']} ({origin['session']})",
            "said at": origin and local(origin["said_at"]),
            "message": origin and origin["message"],
            "extracted by": memory.evidence.model,
        }
        yield Line("")
        yield Line("Source", "bold")
        yield KeyValues([(name, value) for name, value in facts.items() if value])
    if versions:
        yield Line("")
        yield Line("Other versions", "bold")
        yield Table(("ID", "SINCE", "CATEGORY", "MEMORY"), list(rows(versions)))


def change_json(change: Change) -> dict[str, str | None]:
    return {
        "memory": change.memory_id,
        "event": str(change.event),
        "at": moment_json(change.at),
        "old_text": change.old_text,
        "new_text": change.new_text,
        "reason": change.reason,
        "planned_end": None if change.planned_end is None else change.planned_end.isoformat(),
    }


def reason_of(change: Change) -> str:
    """Return why a memory was changed, with the end it had before it was ended."""
    planned = "" if change.planned_end is None else f"its planned end was {change.planned_end}"
    return "; ".join(filter(None, (change.reason, planned)))


def change_text(change: Change) -> str:
    if change.old_text and change.new_text and change.old_text != change.new_text:
        return f"{change.old_text} → {change.new_text}"
    return change.new_text or change.old_text or FORGOTTEN


def local(moment: str | None) -> str:
    """Format a stored ISO 8601 time in local time; empty for None."""
    return "" if moment is None else f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
