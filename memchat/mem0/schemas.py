"""mem0's formats: parse arguments of calls, and build the dictionaries that calls return."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import UUID

from memchat.core.conditions import ANY, DEEPEST, Condition, Junction, parse_condition
from memchat.core.names import composed
from memchat.core.protocols import MemoryFilter
from memchat.core.types import (
    Applied,
    Change,
    Event,
    Memory,
    Metadata,
    MetadataValue,
    Owner,
    Role,
    Scope,
    Session,
    is_plain,
    run_session,
)
from memchat.errors import Conflict, UsageError
from memchat.recall.excerpts import excerpt_json
from memchat.recall.retriever import Hit
from memchat.storage.results import ErasureReport
from memchat.text.normalize import fix_surrogates

if TYPE_CHECKING:
    from memchat.chat.conversation import Turn

Id = str | int | UUID
Messages = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
Row = dict[str, Any]

MOST = 1_000_000
"""Maximum number of memories in a request, more than any user has. SQLite and Chroma cannot take arbitrary numbers."""

SPEAKER = ("actor_id", "role")
"""Metadata keys for the speaker of a message that was stored verbatim, so that filters can find it."""
_IDS = ("user_id", "agent_id", "run_id")
_MISSING_ID = "Give user_id, agent_id or run_id."


@dataclass(frozen=True, slots=True)
class EntityIds:
    """The owner of the memories that a call is about.

    `user` alone: the user's memories. `agent` alone: the agent's own, shared by all its users. `user` and `agent`: the
    user's memories learned with that agent. `run`: only those of that run, of the user or agent if one is given.
    """

    user: str | None = None
    agent: str | None = None
    run: str | None = None

    def __post_init__(self) -> None:
        for name in ("user", "agent", "run"):
            object.__setattr__(self, name, composed(getattr(self, name)))

    @property
    def owner(self) -> Owner:
        if self.user is not None:
            return Owner.user(self.user)
        if self.agent is not None:
            return Owner.agent(self.agent)
        return Owner(Scope.SESSION, self.session_name)

    @property
    def scope(self) -> Scope:
        return self.owner.kind if self.run is None else Scope.SESSION

    @property
    def session_name(self) -> str:
        """The id of the run's conversation."""
        return run_session(self.user, self.agent, self.run)

    def filter(self, narrowing: "Filters", *, all_sessions: bool = False, expired: bool = False) -> MemoryFilter:
        """Build the filter for a read. `all_sessions` includes the memories of runs if no run is given."""
        return MemoryFilter(
            (self.owner,),
            session_id=None if self.run is None else self.session_name,
            all_sessions=all_sessions and self.run is None,
            scope=None if self.run is None else Scope.SESSION,
            agent=self.agent if self.user is not None else None,
            condition=narrowing.condition,
            expired=expired,
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions of a read besides the owner."""

    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class InputMessage:
    """A message; `name` tells several users or agents apart."""

    role: Role
    text: str
    name: str | None = None


# Arguments.


def entity_ids(user_id: Id | None, agent_id: Id | None, run_id: Id | None) -> EntityIds:
    """Build the owner from the keywords. Raises UsageError if none is given, or one is not an id."""
    ids = [_id(name, value) for name, value in zip(_IDS, (user_id, agent_id, run_id), strict=True)]
    if ids == [None, None, None]:
        raise UsageError("The call does not say whose memories it is about.", hint=_MISSING_ID)
    return EntityIds(*ids)


def _id(name: str, value: object) -> str | None:
    """Convert an id to text; integers and UUIDs of databases are ids, too."""
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise UsageError(f"{name} must be non-empty text, a whole number or a UUID; it is {value!r}.")
    if value is not None and fix_surrogates(value) != value:
        raise UsageError(f"{name} must be valid Unicode; it is {value!r}.")
    return value


def memory_key(memory_id: object) -> str:
    """Convert the id of a memory to text. Raises UsageError if it is neither text nor a UUID."""
    if not isinstance(memory_id, str | UUID):
        raise UsageError(f"memory_id must be text, not {type(memory_id).__name__}.", hint="get_all returns the ids.")
    return fix_surrogates(str(memory_id))


def text(name: str, value: object) -> str:
    """Return `value` if it is text and not blank. Raises UsageError that names the argument."""
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}.")
    if not value.strip():
        raise UsageError(f"{name} must not be empty.")
    return value


def text_or_none(name: str, value: object) -> str | None:
    """Return `value` if it is text, which may be empty, or None. Raises UsageError."""
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}.")
    return value


def least_score(threshold: object) -> float | None:
    """Return the minimum score of a search. Any finite number is valid, since scores are not bounded."""
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise UsageError(f"threshold must be a number, not {type(threshold).__name__}.")
    if not math.isfinite(threshold):
        raise UsageError(f"threshold must be a finite number; it is {threshold}.")
    return float(threshold)


def parse_filters(
    filters: Mapping[str, Any] | None, user_id: Id | None, agent_id: Id | None, run_id: Id | None
) -> tuple[EntityIds, Filters]:
    """Parse owner and conditions of a read, given as keywords, in `filters`, or consistently in both."""
    found: dict[str, Any] = {}
    rest = _without_ids(filters or {}, found)
    for name, value in zip(_IDS, (user_id, agent_id, run_id), strict=True):
        _put(found, name, value)
    ids = entity_ids(*(found.get(name) for name in _IDS))
    condition = parse_condition(rest)
    return ids, Filters(None if condition == Junction(()) else condition)


def _without_ids(filters: Mapping[str, Any], found: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return `filters` without the ids, which are moved to `found`. Raises UsageError for ids with operators."""
    if not isinstance(filters, Mapping):
        raise UsageError('filters must be a dictionary like {"user_id": "alice"}.')
    if depth > DEEPEST:
        raise UsageError(f"filters may have at most {DEEPEST} levels.")
    rest: dict[str, Any] = {}
    for name, value in filters.items():
        if name in _IDS:
            equals = isinstance(value, Mapping) and list(value) == ["eq"] and value["eq"] is not None
            _put(found, name, value["eq"] if equals else value)
        elif name == "AND" and isinstance(value, Sequence) and not isinstance(value, str):
            parts = [_without_ids(part, found, depth + 1) for part in value]
            kept = [part for part in parts if part]
            rest |= {name: kept} if kept or not parts else {}
        else:
            _refuse_ids(value, depth)
            rest[name] = value
    return rest


def _refuse_ids(value: Any, depth: int) -> None:
    """Raise UsageError for ids within a condition: the owner of a read must be certain."""
    if depth > DEEPEST:
        raise UsageError(f"filters may have at most {DEEPEST} levels.")
    parts = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else []
    if isinstance(value, Mapping) and any(name in _IDS for name in value):
        raise UsageError("user_id, agent_id and run_id cannot be within OR or NOT.", hint=_ONE_OWNER)
    for part in parts:
        _refuse_ids(part, depth + 1)


def _put(ids: dict[str, Any], name: str, value: Any) -> None:
    """Add an id to `ids`; None is none. Raises UsageError, and Conflict if another one is there already."""
    if value is None:
        return
    if isinstance(value, Mapping | list | tuple) or value == ANY:
        raise UsageError(f"{name} must be one id without an operator.", hint=_ONE_OWNER)
    if name in ids and str(ids[name]) != str(value):
        raise Conflict(f"{name} is given twice, as {ids[name]!r} and as {value!r}.")
    ids[name] = value


_ONE_OWNER = "Make one call for each."


def plain_metadata(metadata: Mapping[str, Any] | None) -> Metadata:
    """Return the metadata without None values. Raises UsageError for nested values."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise UsageError(f"metadata must be a dictionary, not {type(metadata).__name__}.")
    pairs: dict[str, MetadataValue] = {}
    for name, value in (metadata or {}).items():
        if is_plain(value):
            pairs[str(name)] = value
        elif value is not None:
            given = value if isinstance(value, float) else type(value).__name__
            raise UsageError(f"metadata[{name!r}] must be text, a number or a boolean, not {given}.")
    return pairs


Day = date | str


def end_of(expiration_date: Day | None) -> datetime | None:
    """Return the end of `expiration_date`, a day in UTC. Raises UsageError if it is not a day."""
    if expiration_date is None:
        return None
    try:
        day = date.fromisoformat(expiration_date) if isinstance(expiration_date, str) else expiration_date
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    except (ValueError, AttributeError, OverflowError):
        raise UsageError(f"expiration_date must be a day like 2026-12-31, not {expiration_date!r}.") from None


def reject_unsupported(**given: object) -> None:
    """Raise UsageError if one of these arguments of mem0 has a value."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is not supported.", hint=f"Leave {name} out.")


def parse_limit(top_k: int | None, limit: int | None) -> int | None:
    """Return the requested number of memories, given as either argument, up to `MOST`. Raises UsageError."""
    name, count = ("limit", limit) if top_k is None else ("top_k", top_k)
    if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
        raise UsageError(f"{name} must be a whole number; it is {count!r}.")
    if count is not None and count < 1:
        raise UsageError(f"{name} must be at least 1, not {count}.")
    return None if count is None else min(count, MOST)


def parse_offset(offset: int | None) -> int:
    """Return the number of memories to skip. Raises UsageError."""
    if offset is not None and (isinstance(offset, bool) or not isinstance(offset, int) or offset < 0):
        raise UsageError(f"offset must be a whole number, at least 0; it is {offset!r}.")
    return min(offset or 0, MOST)


_MESSAGES = 'messages must be text or a list like [{"role": "user", "content": "…"}].'


def parse_messages(messages: Messages) -> list[InputMessage]:
    """Return the messages of users and assistants in order, without system and tool messages, images or blanks."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    elif isinstance(messages, Mapping):
        messages = [messages]
    if not isinstance(messages, Iterable):
        raise UsageError(_MESSAGES)
    spoken = []
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise UsageError(_MESSAGES)
        text = _text(message.get("content"))
        if message["role"] in {Role.USER, Role.ASSISTANT} and text:
            spoken.append(InputMessage(Role(message["role"]), text, _text(message.get("name")) or None))
    return spoken


def _text(content: object) -> str:
    """Return the text of a message, whose content may have several parts."""
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        return "\n".join(part for part in parts if isinstance(part, str)).strip()
    return content.strip() if isinstance(content, str) else ""


# Results.


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


_EVENTS = {Event.ADD: "ADD", Event.CONFIRM: "NONE", Event.DELETE: "DELETE"}


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


def deleted(reports: Sequence[ErasureReport]) -> Row:
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
