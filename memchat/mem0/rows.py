"""Build the dictionaries that calls return, in mem0's formats."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from memchat.core.types import (
    Applied,
    Change,
    Event,
    Memory,
    Owner,
    Scope,
    Session,
)
from memchat.mem0.arguments import InputMessage
from memchat.recall.excerpts import excerpt_json
from memchat.recall.retriever import Hit
from memchat.storage.results import ErasureReport

if TYPE_CHECKING:
    from memchat.chat.conversation import Turn

Row = dict[str, Any]

SPEAKER = ("actor_id", "role")
"""Metadata keys for the speaker of a message that was stored verbatim, so that filters can find it."""
_EVENTS = {Event.ADD: "ADD", Event.CONFIRM: "NONE", Event.DELETE: "DELETE"}


def memory_row(memory: Memory, score: float | None = None) -> Row:
    """Build a memory as `get`, `get_all` and `search` return it; a search adds the score. Times are ISO 8601 in UTC."""
    digest = hashlib.md5(memory.text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    row: Row = {"id": memory.id, "memory": memory.text, "hash": digest}
    if score is not None:
        row["score"] = score
    row |= {
        "metadata": {name: value for name, value in memory.metadata.items() if name not in SPEAKER},
        "categories": [memory.category],
        "created_at": memory.created_at.isoformat(),
        "updated_at": memory.updated_at.isoformat(),
        "valid_from": None if memory.valid_from is None else memory.valid_from.isoformat(),
        "valid_to": None if memory.valid_to is None else memory.valid_to.isoformat(),
        "superseded_by": memory.superseded_by,
    }
    if memory.expires_at is not None:
        row["expiration_date"] = (memory.expires_at - timedelta(microseconds=1)).date().isoformat()
    if memory.owner.kind is Scope.USER:
        row["user_id"] = memory.owner.name
    agent = memory.owner.name if memory.owner.kind is Scope.AGENT else memory.agent
    if agent is not None:
        row["agent_id"] = agent
    if memory.scope is Scope.SESSION and memory.session_id:
        row["run_id"] = unquote(memory.session_id.rpartition("@")[0]) or memory.session_id
    return row | {name: memory.metadata[name] for name in SPEAKER if name in memory.metadata}


def hit_row(hit: Hit, *, explain: bool = False) -> Row:
    """Build a search result; `explain` adds the parts of its score by name."""
    details = {name: float(part) for name, part in hit.parts.items()}
    return memory_row(hit.memory, hit.score) | ({"score_details": details} if explain else {})


def kept_row(memory: Memory, said: InputMessage) -> Row:
    """Build the result for a message that was stored verbatim."""
    row: Row = {"id": memory.id, "memory": memory.text, "event": "ADD", "role": said.role.value}
    return row | ({"actor_id": said.name} if said.name else {})


def entity_row(owner: Owner, count: int) -> Row:
    """Build a user, agent or run with the number of its current memories."""
    kind = "run" if owner.kind is Scope.SESSION else owner.kind.value
    return {"id": f"{kind}:{owner.name}", "type": kind, "name": owner.name, "total_memories": count}


def event_row(applied: Applied) -> Row:
    """Build mem0's event of one memory: ADD, UPDATE, DELETE, or NONE if it was known already.

    A memory that replaces older ones is an ADD; its `replaced` lists their ids, and `previous_memory` is the text of
    the first one. UPDATE is a known memory that has ended or become doubtful.
    """
    row: Row = {
        "id": applied.memory.id,
        "memory": applied.memory.text,
        "event": _EVENTS.get(applied.event, "UPDATE"),
    }
    if applied.replaced:
        row["previous_memory"] = applied.replaced[0].text
        row["replaced"] = [former.id for former in applied.replaced]
    return row


def change_row(change: Change, memory: Memory) -> Row:
    """Build a row of the history of `memory`. `memory_id` may be the id of a version it superseded."""
    return {
        "id": str(change.seq),
        "memory_id": change.memory_id,
        "old_memory": change.old_text,
        "new_memory": change.new_text,
        "event": change.event.value,
        "created_at": change.at.isoformat(),
        "updated_at": change.at.isoformat(),
        "is_deleted": change.event is Event.DELETE,
        "reason": change.reason,
        **{name: memory.metadata[name] for name in SPEAKER if name in memory.metadata},
    }


def deletion_row(reports: Sequence[ErasureReport]) -> Row:
    """Build the result of `delete_all`, with a hint if there was nothing to delete."""
    erased = sum(report.memories for report in reports)
    if erased or any(report.messages or report.sessions for report in reports):
        return {"message": "Memories deleted successfully!", "erased": erased}
    hint = "For the run of a user, or for memories learned with an agent, also give the user_id."
    return {"message": "There were no memories to delete.", "erased": 0, "hint": hint}


def chat_row(turn: "Turn", session: Session) -> Row:
    """Build the result of `Memory.chat`."""
    usage = turn.usage
    return {
        "reply": turn.reply,
        "memories_used": [memory_row(used.memory, used.score) for used in turn.used],
        "excerpts_used": [excerpt_json(excerpt) for excerpt in turn.excerpts],
        "session_id": session.id,
        "usage": None
        if usage is None
        else {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens},
    }
