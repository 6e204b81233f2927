"""Parse the arguments of calls in mem0's formats."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from memchat.core.conditions import ANY, DEEPEST, Condition, Junction, parse_condition
from memchat.core.names import composed
from memchat.core.protocols import MemoryFilter
from memchat.core.types import (
    Metadata,
    MetadataValue,
    Owner,
    Role,
    Scope,
    is_plain,
    run_session,
)
from memchat.errors import Conflict, UsageError
from memchat.text.normalize import fix_surrogates

Id = str | int | UUID
Messages = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]

MOST = 1_000_000
"""Maximum number of memories in a request, more than any user has. SQLite and Chroma cannot take arbitrary numbers."""

ENTITY_IDS = ("user_id", "agent_id", "run_id")
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


def entity_ids(user_id: Id | None, agent_id: Id | None, run_id: Id | None) -> EntityIds:
    """Build the owner from the keywords. Raises UsageError if none is given, or one is not an id."""
    ids: list[str | None] = []
    for name, value in zip(ENTITY_IDS, (user_id, agent_id, run_id), strict=True):
        # Integers and UUIDs of databases are ids, too.
        is_number = isinstance(value, int) and not isinstance(value, bool)
        id_: object = str(value) if is_number or isinstance(value, UUID) else value
        if id_ is not None and (not isinstance(id_, str) or not id_.strip()):
            raise UsageError(f"{name} must be non-empty text, a whole number or a UUID; it is {id_!r}.")
        if id_ is not None and fix_surrogates(id_) != id_:
            raise UsageError(f"{name} must be valid Unicode; it is {id_!r}.")
        ids.append(id_)
    if ids == [None, None, None]:
        raise UsageError("The call does not say whose memories it is about.", hint=_MISSING_ID)
    return EntityIds(*ids)


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
    for name, value in zip(ENTITY_IDS, (user_id, agent_id, run_id), strict=True):
        _put(found, name, value)
    ids = entity_ids(*(found.get(name) for name in ENTITY_IDS))
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
        if name in ENTITY_IDS:
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
    if isinstance(value, Mapping) and any(name in ENTITY_IDS for name in value):
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
