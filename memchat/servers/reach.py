"""Limit the current request, and `Memory`, to the memories that its key or token gives access to.

The reach is set when the key or token is checked, and is passed on to the threads and streams of the request. A request
without a reach is a bug and fails.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from starlette.exceptions import HTTPException

from memchat.api.memory import Memory
from memchat.core.types import Owner, Scope
from memchat.mem0.arguments import ENTITY_IDS, Id, parse_filters
from memchat.mem0.rows import Row

_REACH: ContextVar[Owner | None] = ContextVar("reach")


@contextmanager
def reaching(owner: Owner | None) -> Generator[None]:
    """Limit requests within the block to the memories of `owner`; None means no limit."""
    before = _REACH.set(owner)
    try:
        yield
    finally:
        _REACH.reset(before)


def reach() -> Owner | None:
    """Return the owner whose memories this request may access; None means all owners."""
    return _REACH.get()


def reach_or_everybody() -> Owner | None:
    """Return the same, or None outside of requests."""
    return _REACH.get(None)


def refuse() -> HTTPException:
    """Build the failure for memories the token gives no access to, whether they exist or not."""
    return HTTPException(403, "This token gives access to the memories of another user or agent only")


def refuse_unless_everybody() -> None:
    """Raise HTTPException if the client has a token for a single owner."""
    if reach() is not None:
        raise refuse()


def reached_user(default: str) -> str:
    """Return the user of the token, or `default` without one. Raises HTTPException for an agent's token."""
    owner = reach()
    if owner is None:
        return default
    if owner.kind is not Scope.USER:
        raise refuse()
    return owner.name


class ReachedMemory:
    """`Memory` for the current request: missing ids are completed, other owners rejected, their memory ids unknown."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @property
    def ready(self) -> bool:
        return self._memory.ready

    @property
    def model(self) -> str:
        return self._memory.model

    @property
    def user(self) -> str:
        """The user of a request that names none."""
        return reached_user(self._memory.settings.user)

    def add(self, messages: Any, **given: Any) -> Row:
        return self._memory.add(messages, **_complete(given))

    def chat(self, **given: Any) -> Row:
        return self._memory.chat(**_complete(given))

    def chat_stream(self, **given: Any) -> Generator[str, None, Row]:
        return self._memory.chat_stream(**_complete(given))

    def complete(self, request: Mapping[str, Any], user_id: str, *, run_id: str | None) -> Row:
        return self._memory.complete(request, **_complete({"user_id": user_id, "run_id": run_id}))

    def complete_stream(
        self, request: Mapping[str, Any], user_id: str, *, run_id: str | None
    ) -> Generator[Row, None, None]:
        return self._memory.complete_stream(request, **_complete({"user_id": user_id, "run_id": run_id}))

    def search(self, query: str, **given: Any) -> Row:
        return self._memory.search(query, **_complete(given))

    def get_all(self, **given: Any) -> Row:
        return self._memory.get_all(**_complete(given))

    def count(self, **given: Any) -> int:
        return self._memory.count(**_complete(given))

    def delete_all(self, **given: Any) -> Row:
        return self._memory.delete_all(**_complete(given))

    def entities(self) -> list[Row]:
        """List the users and agents within reach that have memories."""
        owner, rows = reach(), self._memory.entities()
        return [row for row in rows if owner is None or (row["type"], row["name"]) == (owner.kind, owner.name)]

    def get(self, memory_id: Id) -> Row:
        self._check(memory_id)
        return self._memory.get(memory_id)

    def history(self, memory_id: Id) -> list[Row]:
        self._check(memory_id)
        return self._memory.history(memory_id)

    def update(self, memory_id: Id, **given: Any) -> Row:
        self._check(memory_id)
        return self._memory.update(memory_id, **given)

    def delete(self, memory_id: Id) -> Row:
        self._check(memory_id)
        return self._memory.delete(memory_id)

    def _check(self, memory_id: Id) -> None:
        """Raise NotFound, as for an unknown id, if the token gives no access to that memory."""
        owner = reach()
        if owner is not None:
            with self._memory.connection() as connection:
                connection.known(memory_id, owner)


def _complete(given: dict[str, Any]) -> dict[str, Any]:
    """Add the user or agent of the token to `given`. Raises HTTPException if `given` names another owner."""
    owner = reach()
    if owner is None:
        return given
    name = f"{owner.kind}_id"
    if given.get(name) is None:
        given = {**given, name: owner.name}
    named, _ = parse_filters(given.get("filters"), *(given.get(one) for one in ENTITY_IDS))
    if named.owner != owner:
        raise refuse()
    return given
