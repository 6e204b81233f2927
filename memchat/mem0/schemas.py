"""The shapes that mem0's users know: what they hand in and what they get back, as plain dictionaries."""

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
from memchat.errors import UsageError
from memchat.recall.excerpts import excerpt_json
from memchat.recall.retriever import Hit
from memchat.storage.protocols import ErasureReport
from memchat.text.normalize import fix_surrogates

if TYPE_CHECKING:
    from memchat.chat.conversation import Turn

Id = str | int | UUID
Messages = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
Row = dict[str, Any]

MOST = 1_000_000
"""More memories than anybody has. SQLite and Chroma do not take any number, and an index that fails is dropped."""

SPEAKER = ("actor_id", "role")
"""Who said what was kept as it was said; kept with the metadata, so that filters find it."""
_IDS = ("user_id", "agent_id", "run_id")
_NOBODY = "Say whose memories are meant: give user_id, agent_id or run_id."


@dataclass(frozen=True, slots=True)
class EntityIds:
    """EntityIds memories a call means.

    `user` alone: the person's. `agent` alone: the agent's own, shared by all its users. `user` and `agent`: the
    person's, learned with that agent. With `run`: of that run only, of the person or agent where one is named.
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
        """The id of the run's session."""
        return run_session(self.user, self.agent, self.run)

    def filter(self, narrowing: "Filters", *, all_sessions: bool = False, expired: bool = False) -> MemoryFilter:
        """What of it a reader means. `all_sessions` takes the memories of runs in where no run is named."""
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
    """What filters ask for beside the owner."""

    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class InputMessage:
    """What was said; `name` is who of several people or agents said it."""

    role: Role
    text: str
    name: str | None = None


# What is handed in.


def entity_ids(user_id: Id | None, agent_id: Id | None, run_id: Id | None) -> EntityIds:
    """The owner that the keywords name. Raises UsageError where none does, or one cannot be an id."""
    ids = [_id(name, value) for name, value in zip(_IDS, (user_id, agent_id, run_id), strict=True)]
    if ids == [None, None, None]:
        raise UsageError("Nobody is named whose memories are meant.", hint=_NOBODY)
    return EntityIds(*ids)


def _id(name: str, value: object) -> str | None:
    """An id as text; a database's whole numbers and UUIDs are ids as well."""
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise UsageError(f"{name} must be text that is not empty, a whole number or a UUID; it is {value!r}.")
    if value is not None and fix_surrogates(value) != value:
        raise UsageError(f"{name} must be valid Unicode; it is {value!r}.")
    return value


def memory_key(memory_id: object) -> str:
    """The id of a memory. Raises UsageError for what is neither text nor a UUID."""
    if not isinstance(memory_id, str | UUID):
        raise UsageError(f"memory_id must be text, not {type(memory_id).__name__}.", hint="get_all shows the ids.")
    return fix_surrogates(str(memory_id))


def text(name: str, value: object) -> str:
    """`value`, which must be text that is not blank. Raises UsageError that names the argument."""
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}.")
    if not value.strip():
        raise UsageError(f"{name} must not be empty.")
    return value


def text_or_none(name: str, value: object) -> str | None:
    """`value`, which must be text, empty or not, or None."""
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}.")
    return value


def least_score(threshold: object) -> float | None:
    """The least score of a search: any number, for scores are not bounded."""
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
    """The owner and the narrowing of a read, in either spelling: keywords, `filters`, or both where they agree."""
    found: dict[str, Any] = {}
    rest = _without_ids(filters or {}, found)
    for name, value in zip(_IDS, (user_id, agent_id, run_id), strict=True):
        if value is not None:
            _put(found, name, value)
    ids = entity_ids(*(found.get(name) for name in _IDS))
    condition = parse_condition(rest)
    return ids, Filters(None if condition == Junction(()) else condition)


def _without_ids(filters: Mapping[str, Any], found: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """`filters` without the ids in them, which go to `found`. Raises UsageError for ids that are not simply given."""
    if not isinstance(filters, Mapping):
        raise UsageError('filters must be a dictionary like {"user_id": "alice"}.')
    if depth > DEEPEST:
        raise UsageError(f"filters may have {DEEPEST} levels at most.")
    rest: dict[str, Any] = {}
    for name, value in filters.items():
        if name in _IDS:
            _put(found, name, value["eq"] if isinstance(value, Mapping) and list(value) == ["eq"] else value)
        elif name == "AND" and isinstance(value, Sequence) and not isinstance(value, str):
            parts = [_without_ids(part, found, depth + 1) for part in value]
            kept = [part for part in parts if part]
            rest |= {name: kept} if kept or not parts else {}
        else:
            _refuse_ids(value, depth)
            rest[name] = value
    return rest


def _refuse_ids(value: Any, depth: int) -> None:
    """Nobody's memories are found by a condition that may or may not name them."""
    if depth > DEEPEST:
        raise UsageError(f"filters may have {DEEPEST} levels at most.")
    parts = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else []
    if isinstance(value, Mapping) and any(name in _IDS for name in value):
        raise UsageError("user_id, agent_id and run_id cannot stand in OR or NOT.", hint="Ask for each by itself.")
    for part in parts:
        _refuse_ids(part, depth + 1)


def _put(ids: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, Mapping | list | tuple) or value == ANY:
        raise UsageError(f"{name} must be one id: no operator goes with it.", hint="Ask for each by itself.")
    if name in ids and str(ids[name]) != str(value):
        raise UsageError(f"{name} is given twice, as {ids[name]!r} and as {value!r}.")
    ids[name] = value


def _plain(name: str, value: Any) -> MetadataValue:
    if not is_plain(value):
        given = value if isinstance(value, float) else type(value).__name__
        raise UsageError(f"{name} must be text, a number or a truth value, not {given}.")
    return value


def plain_metadata(metadata: Mapping[str, Any] | None) -> Metadata:
    """The caller's pairs; those without a value are left out. Raises UsageError for nested values."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise UsageError(f"metadata must be a dictionary, not {type(metadata).__name__}.")
    return {str(name): _plain(f"metadata[{name!r}]", v) for name, v in (metadata or {}).items() if v is not None}


Day = date | str


def end_of(expiration_date: Day | None) -> datetime | None:
    """When what may be kept through `expiration_date`, a day in UTC, expires. Raises UsageError for what is no day."""
    if expiration_date is None:
        return None
    try:
        day = date.fromisoformat(expiration_date) if isinstance(expiration_date, str) else expiration_date
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    except (ValueError, AttributeError, OverflowError):
        raise UsageError(f"expiration_date must be a day like 2026-12-31, not {expiration_date!r}.") from None


def reject_unsupported(**given: object) -> None:
    """Raise UsageError for an argument of mem0's with a value that cannot be honoured here."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is not supported.", hint=f"Leave {name} out.")


def parse_limit(top_k: int | None, limit: int | None) -> int | None:
    """How many memories are asked for, in either spelling, up to `MOST`. Raises UsageError for none at all."""
    name, count = ("limit", limit) if top_k is None else ("top_k", top_k)
    if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
        raise UsageError(f"{name} must be a whole number; it is {count!r}.")
    if count is not None and count < 1:
        raise UsageError(f"At least one memory must be asked for, not {count}.")
    return None if count is None else min(count, MOST)


def parse_offset(offset: int | None) -> int:
    """How many memories a page leaves out. Raises UsageError for what is no count."""
    if offset is not None and (isinstance(offset, bool) or not isinstance(offset, int) or offset < 0):
        raise UsageError(f"offset must be a whole number from 0 on; it is {offset!r}.")
    return min(offset or 0, MOST)


_MESSAGES = 'messages must be text or a list like [{"role": "user", "content": "…"}].'


def parse_messages(messages: Messages) -> list[InputMessage]:
    """What people and assistants said, in order. System and tool messages, pictures and empty texts are left out."""
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
    """The words of a message, which may come in parts."""
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        return "\n".join(part for part in parts if isinstance(part, str)).strip()
    return content.strip() if isinstance(content, str) else ""


# What comes back.


def memory_row(memory: Memory, score: float | None = None) -> Row:
    """One memory as `get`, `get_all` and `search` show it; a search adds the score. Times are ISO 8601 in UTC."""
    row: Row = {"id": memory.id, "memory": memory.text, "hash": _hash(memory.text)}
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
    return row | _ids_of(memory) | {name: memory.metadata[name] for name in SPEAKER if name in memory.metadata}


def hit_row(hit: Hit, *, explain: bool = False) -> Row:
    """A memory that a search found; `explain` adds the summands of its score by name."""
    details = {name: float(part) for name, part in hit.parts.items()}
    return memory_row(hit.memory, hit.score) | ({"score_details": details} if explain else {})


def _ids_of(memory: Memory) -> Row:
    ids: Row = {}
    if memory.owner.kind is Scope.USER:
        ids["user_id"] = memory.owner.name
    agent = memory.owner.name if memory.owner.kind is Scope.AGENT else memory.agent
    if agent is not None:
        ids["agent_id"] = agent
    if memory.scope is Scope.SESSION and memory.session_id:
        ids["run_id"] = unquote(memory.session_id.rpartition("@")[0]) or memory.session_id
    return ids


def _hash(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def kept_row(memory: Memory, said: InputMessage) -> Row:
    """What became of a message that was kept as it was said."""
    row: Row = {"id": memory.id, "memory": memory.text, "event": "ADD", "role": said.role.value}
    return row | ({"actor_id": said.name} if said.name else {})


def entity_row(owner: Owner, count: int) -> Row:
    """A user, an agent or a run with the number of its current memories."""
    kind = "run" if owner.kind is Scope.SESSION else owner.kind.value
    return {"id": f"{kind}:{owner.name}", "type": kind, "name": owner.name, "total_memories": count}


_EVENTS = {Event.ADD: "ADD", Event.CONFIRM: "NONE", Event.DELETE: "DELETE"}


def event_row(applied: Applied) -> Row:
    """What became of one memory, in mem0's words: ADD, UPDATE, DELETE, or NONE for what was known already.

    What replaces an older memory is a new one, an ADD whose `replaced` names the ids that are no longer current and
    whose `previous_memory` is what the first of them said. UPDATE is a known memory that has ended or become doubtful.
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
    """One row of the history of `memory`. `memory_id` may be that of an older version it superseded."""
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


def deleted(receipts: Sequence[ErasureReport]) -> Row:
    """What `delete_all` came to; a word about it where nothing was there to erase."""
    erased = sum(receipt.memories for receipt in receipts)
    if erased or any(receipt.messages or receipt.sessions for receipt in receipts):
        return {"message": "Memories deleted successfully!", "erased": erased}
    hint = "A user's run, and what an agent learned with a user, are named together with the user_id."
    return {"message": "There were no memories to delete.", "erased": 0, "hint": hint}


def chat_row(turn: "Turn", session: Session) -> Row:
    """A whole turn, as `Memory.chat` returns it."""
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
