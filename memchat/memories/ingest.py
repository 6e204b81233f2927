"""Turn messages handed to the library into a transcript, learning jobs and memories, as a conversation does."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import TYPE_CHECKING

from memchat.core.types import (
    Applied,
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
    """The owner of the messages, the agent they were exchanged with, and the terms on which they are learned from."""

    owner: Owner
    agent: str | None = None
    terms: LearningOptions = field(default_factory=LearningOptions)
    redacts: bool = True


class Ingest:
    """Write messages into one session, over one connection."""

    def __init__(self, store: "Storage", session: Session, speaker: IngestSource) -> None:
        self._store = store
        self._session = session
        self._speaker = speaker
        self._terms = redact_options(speaker.terms) if speaker.redacts else speaker.terms

    def learn(self, spoken: Iterable[tuple[Role, str]], context: "LearningContext") -> list[Applied]:
        """Record all messages, then learn from each of the user's messages with the reply to it.

        Raises the error of the first one that could not be learned; that one and those after it stay pending.
        """
        asked = []
        for role, text in spoken:
            if role is Role.USER:
                asked.append(self._store.conversations.begin_turn(self._session, self._clean(text), self._terms))
            else:
                self._record(role, text)
        held = deque([work for message in asked if (work := self._store.work.of(message.id)) is not None])
        applied: list[Applied] = []
        try:
            # Earlier exchanges of the same person come first, since newer ones may replace what they say.
            while (work := self._store.work.claim_of(self._session)) is not None:
                result = learn(context, work)
                if work.attempts + 1 < MAX_BLOCKING_ATTEMPTS:
                    self._raise_failure(result)
            while held:
                applied += self._raise_failure(learn(context, held.popleft())).applied
        finally:
            for work in held:
                self._store.work.release(work)
        return applied

    def keep(self, spoken: Sequence[tuple[Role, str, str | None]], service: "MemoryService") -> list[Memory]:
        """Keep each message verbatim: one memory per message, in order, with its role and its speaker's name."""
        previous = self._store.memories.last_verbatim(self._session.id)
        drafts = []
        for role, text, name in spoken:
            message = self._record(role, text)
            draft = replace(verbatim(message, self._session, self._terms), owner=self._speaker.owner)
            speaker = {"role": str(role)} | ({"actor_id": self._clean(name)} if name else {})
            drafts.append(replace(draft, metadata={**draft.metadata, **speaker}))
        return service.add_all(drafts, previous)

    def _record(self, role: Role, text: str) -> Message:
        return self._store.conversations.record(self._session, role, self._clean(text))

    def _clean(self, text: str) -> str:
        return redact(text).text if self._speaker.redacts else text

    def _raise_failure(self, result: LearningResult) -> LearningResult:
        """Return `result`. Raises the error it ended in, with a hint how to learn from the exchange later."""
        warn_of(result)
        if result.cause is not None:
            retry = f", or by `memchat status --retry --user {quote(self._session.user)}`" if self._session.user else ""
            kept = f"The messages are saved; they are learned with the next add{retry}."
            result.cause.hint = " ".join(filter(None, (result.cause.hint, kept)))
            raise result.cause
        return result


def warn_of(result: LearningResult) -> None:
    """Log that a statement may be missing, without its words."""
    if result.unparsed:
        log.warning("something may not be kept: in the extraction model's answer %s", "; ".join(result.unparsed))
