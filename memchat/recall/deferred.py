"""A retriever that is created with its first use: its modules take longer to import than a prompt should wait."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from memchat.core.types import Memory, Session

if TYPE_CHECKING:
    from memchat.recall.excerpts import Quoted
    from memchat.recall.retriever import Query, Recalled, Retriever


class DeferredRetriever:
    """Recalls for the turns of a conversation with the retriever that `create` returns."""

    def __init__(self, create: "Callable[[], Retriever]") -> None:
        self._create = create

    @cached_property
    def _retriever(self) -> "Retriever":
        return self._create()

    def recall_for_turn(self, query: "Query", session: Session) -> "Recalled":
        return self._retriever.recall_for_turn(query, session)

    def excerpts_for_turn(
        self, query: "Query", session: Session, facts: Sequence[Memory], window_start: str | None = None
    ) -> "Quoted":
        return self._retriever.excerpts_for_turn(query, session, facts, window_start)

    def standing(self, session: Session) -> list[Memory]:
        return self._retriever.standing(session)
