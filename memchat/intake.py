"""What the library is handed becomes transcript, work and memories, by the same learning as in a conversation."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memchat.chat.learner import Lesson, learn
from memchat.memory.redaction import redact
from memchat.memory.types import (
    Applied,
    Draft,
    Evidence,
    Memory,
    Message,
    Metadata,
    Owner,
    Role,
    Scope,
    Session,
    Source,
    Work,
)
from memchat.store.work import KEEPS_ORDER

if TYPE_CHECKING:
    from memchat.curation import Curator
    from memchat.desk import StoreDesk
    from memchat.store.store import Store

KEPT = "What was said is kept; it is learned with the next add, or by `memchat status --retry`."


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all that is handed in at once. `scope` is that of every memory, the model's to say where None."""

    owner: Owner
    scope: Scope | None = None
    agent: str | None = None
    instructions: str | None = None
    metadata: Metadata = field(default_factory=dict)
    redacts: bool = True


class Intake:
    """Writes into one session, over one connection."""

    def __init__(self, store: "Store", session: Session, terms: Terms) -> None:
        self._store = store
        self._session = session
        self._terms = terms

    def learn(self, spoken: Iterable[tuple[Role, str]], desk: "StoreDesk") -> list[Applied]:
        """Record all that was said, then learn from each message of the person with what was answered.

        Raises what kept the first of them from being learned; that one and those after it stay pending.
        """
        held = deque(self._hold(spoken))
        applied: list[Applied] = []
        try:
            self._catch_up(desk)
            while held:
                applied += _learned(learn(desk, held.popleft())).applied
        finally:
            for work in held:
                self._store.work.release(work)
        return applied

    def keep(self, spoken: Sequence[tuple[Role, str]], curator: "Curator") -> list[Memory]:
        """Keep each message as it was said: one memory a message, in order."""
        previous = self._store.memories.last_verbatim(self._session.id)
        messages = [self._record(role, text) for role, text in spoken]
        return curator.add_all([self._verbatim(message) for message in messages], previous)

    def _hold(self, spoken: Iterable[tuple[Role, str]]) -> list[Work]:
        """The work on what was said, oldest first, claimed by this process so that nobody else takes it up."""
        messages = [self._asked(text) if role is Role.USER else self._record(role, text) for role, text in spoken]
        found = [self._store.work.of(message.id) for message in messages if message.role is Role.USER]
        return [work for work in found if work is not None]

    def _asked(self, text: str) -> Message:
        terms = self._terms
        return self._store.transcripts.begin_turn(
            self._session,
            self._clean(text),
            instructions=terms.instructions,
            metadata=terms.metadata,
            scope=terms.scope,
        )

    def _record(self, role: Role, text: str) -> Message:
        return self._store.transcripts.record(self._session, role, self._clean(text))

    def _clean(self, text: str) -> str:
        return redact(text).text if self._terms.redacts else text

    def _catch_up(self, desk: "StoreDesk") -> None:
        """Learn first what still waits of the same person, for what is newer may replace it."""
        while (work := self._store.work.claim_of(self._session)) is not None:
            lesson = learn(desk, work)
            if work.attempts + 1 < KEEPS_ORDER:
                _learned(lesson)

    def _verbatim(self, message: Message) -> Draft:
        terms = self._terms
        scope = terms.scope or terms.owner.kind
        return Draft(
            message.text,
            terms.owner,
            scope=scope,
            session_id=self._session.id if scope is Scope.SESSION else None,
            agent=terms.agent,
            metadata=terms.metadata,
            verbatim=True,
            source=Source.SAID,
            evidence=Evidence(message.id, self._session.id, message.text, ""),
        )


def _learned(lesson: Lesson) -> Lesson:
    if lesson.cause is not None:
        lesson.cause.hint = " ".join(filter(None, (lesson.cause.hint, KEPT)))
        raise lesson.cause
    return lesson
