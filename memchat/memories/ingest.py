"""What the library is handed becomes transcript, work and memories, by the same learning as in a conversation."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import TYPE_CHECKING

from memchat.core.types import (
    Applied,
    Draft,
    LearningJob,
    LearningOptions,
    Memory,
    Message,
    Owner,
    Role,
    Session,
)
from memchat.learning.pipeline import LearningResult, learn, verbatim
from memchat.storage.protocols import MAX_BLOCKING_ATTEMPTS
from memchat.text.redaction import redact, redact_options

if TYPE_CHECKING:
    from memchat.learning.pipeline import LearningContext
    from memchat.memories.service import MemoryService
    from memchat.storage.protocols import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestSource:
    """Whose words are handed in, with which agent they were spoken, and on what terms they are learned from."""

    owner: Owner
    agent: str | None = None
    terms: LearningOptions = field(default_factory=LearningOptions)
    redacts: bool = True


class Ingest:
    """Writes into one session, over one connection."""

    def __init__(self, store: "Storage", session: Session, speaker: IngestSource) -> None:
        self._store = store
        self._session = session
        self._speaker = speaker
        self._terms = redact_options(speaker.terms) if speaker.redacts else speaker.terms

    def learn(self, spoken: Iterable[tuple[Role, str]], context: "LearningContext") -> list[Applied]:
        """Record all that was said, then learn from each message of the person with what was answered.

        Raises what kept the first of them from being learned; that one and those after it stay pending.
        """
        held = deque(self._record_and_claim(spoken))
        applied: list[Applied] = []
        try:
            self._catch_up(context)
            while held:
                applied += self._learned(learn(context, held.popleft())).applied
        finally:
            for work in held:
                self._store.work.release(work)
        return applied

    def keep(self, spoken: Sequence[tuple[Role, str, str | None]], service: "MemoryService") -> list[Memory]:
        """Keep each message as it was said: one memory a message, in order."""
        previous = self._store.memories.last_verbatim(self._session.id)
        messages = [self._record(role, text) for role, text, _ in spoken]
        said = zip(messages, spoken, strict=True)
        return service.add_all([self._verbatim(message, name) for message, (_, _, name) in said], previous)

    def _record_and_claim(self, spoken: Iterable[tuple[Role, str]]) -> list[LearningJob]:
        """The work on what was said, oldest first, claimed by this process so that nobody else takes it up."""
        messages = [self._asked(text) if role is Role.USER else self._record(role, text) for role, text in spoken]
        found = [self._store.work.of(message.id) for message in messages if message.role is Role.USER]
        return [work for work in found if work is not None]

    def _asked(self, text: str) -> Message:
        return self._store.conversations.begin_turn(self._session, self._clean(text), self._terms)

    def _record(self, role: Role, text: str) -> Message:
        return self._store.conversations.record(self._session, role, self._clean(text))

    def _clean(self, text: str) -> str:
        return redact(text).text if self._speaker.redacts else text

    def _catch_up(self, context: "LearningContext") -> None:
        """Learn first what still waits of the same person, for what is newer may replace it."""
        while (work := self._store.work.claim_of(self._session)) is not None:
            result = learn(context, work)
            if work.attempts + 1 < MAX_BLOCKING_ATTEMPTS:
                self._learned(result)

    def _learned(self, result: LearningResult) -> LearningResult:
        """`result`. Raises what it failed with, and says there how it can still be learned."""
        warn_of(result)
        if result.cause is not None:
            result.cause.hint = " ".join(filter(None, (result.cause.hint, self._kept())))
            raise result.cause
        return result

    def _kept(self) -> str:
        retry = f", or by `memchat status --retry --user {quote(self._session.user)}`" if self._session.user else ""
        return f"What was said is kept; it is learned with the next add{retry}."

    def _verbatim(self, message: Message, name: str | None) -> Draft:
        """`message` as a memory, with its role, and who of several people or agents said it."""
        draft = replace(verbatim(message, self._session, self._terms), owner=self._speaker.owner)
        speaker = {"role": str(message.role)} | ({"actor_id": self._clean(name)} if name else {})
        return replace(draft, metadata={**draft.metadata, **speaker})


def warn_of(result: LearningResult) -> None:
    """Say in the log, without the words, that something said may not be kept."""
    if result.unparsed:
        log.warning("something may not be kept: in the extraction model's answer %s", "; ".join(result.unparsed))
