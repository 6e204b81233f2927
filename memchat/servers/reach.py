"""Whose memories the request under way may reach, and `Memory` within that reach.

The reach is set where the key or token is read, and travels with the request to its threads and streams. A request
whose reach was never set is a bug, and fails.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from starlette.exceptions import HTTPException

from memchat.api import Memory
from memchat.core.types import Owner, Scope
from memchat.mem0.schemas import Id, Row, parse_filters

_REACH: ContextVar[Owner | None] = ContextVar("reach")
_IDS = ("user_id", "agent_id", "run_id")


@contextmanager
def reaching(owner: Owner | None) -> Generator[None]:
    """Run the block for a client that reaches the memories of `owner` only; of everybody with None."""
    before = _REACH.set(owner)
    try:
        yield
    finally:
        _REACH.reset(before)


def reach() -> Owner | None:
    """The one whose memories this request reaches; None for everybody's."""
    return _REACH.get()


def reach_or_everybody() -> Owner | None:
    """The same, for what also runs outside of requests."""
    return _REACH.get(None)


def refuse() -> HTTPException:
    """The failure of a request for what the token does not reach, whether or not that exists."""
    return HTTPException(403, "This token reaches the memories of one user or agent alone, and these are not theirs")


def refuse_unless_everybody() -> None:
    """Raise HTTPException where the client has a token for one only."""
    if reach() is not None:
        raise refuse()


def reached_user(default: str) -> str:
    """The user of a token, else `default`. Raises HTTPException for an agent's."""
    owner = reach()
    if owner is None:
        return default
    if owner.kind is not Scope.USER:
        raise refuse()
    return owner.name


class ReachedMemory:
    """`Memory` for the request under way: what is named is completed or refused, ids of others are unknown."""

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
        """Who is meant where a request names nobody."""
        return reached_user(self._memory.settings.user)

    def add(self, messages: Any, **given: Any) -> Row:
        return self._memory.add(messages, **_completed(given))

    def chat(self, **given: Any) -> Row:
        return self._memory.chat(**_completed(given))

    def chat_stream(self, **given: Any) -> Generator[str, None, Row]:
        return self._memory.chat_stream(**_completed(given))

    def complete(self, request: Mapping[str, Any], user_id: str, *, run_id: str | None) -> Row:
        return self._memory.complete(request, **_completed({"user_id": user_id, "run_id": run_id}))

    def complete_stream(
        self, request: Mapping[str, Any], user_id: str, *, run_id: str | None
    ) -> Generator[Row, None, None]:
        return self._memory.complete_stream(request, **_completed({"user_id": user_id, "run_id": run_id}))

    def search(self, query: str, **given: Any) -> Row:
        return self._memory.search(query, **_completed(given))

    def get_all(self, **given: Any) -> Row:
        return self._memory.get_all(**_completed(given))

    def count(self, **given: Any) -> int:
        return self._memory.count(**_completed(given))

    def delete_all(self, **given: Any) -> Row:
        return self._memory.delete_all(**_completed(given))

    def entities(self) -> list[Row]:
        """Those within reach of whom anything is kept."""
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
        """Raise NotFound where the token does not reach that memory, in the words for an unknown id."""
        owner = reach()
        if owner is not None:
            with self._memory.connection() as place:
                place.known(memory_id, owner)


def _completed(given: dict[str, Any]) -> dict[str, Any]:
    """`given` with the user or agent of the token. Raises HTTPException where somebody else is named."""
    owner = reach()
    if owner is None:
        return given
    name = f"{owner.kind}_id"
    if given.get(name) is None:
        given = {**given, name: owner.name}
    named, _ = parse_filters(given.get("filters"), *(given.get(one) for one in _IDS))
    if named.owner != owner:
        raise refuse()
    return given
