"""The learner's desk: the store, the models and recall as one worker thread uses them."""

from collections.abc import Callable, Sequence

from memchat.core.protocols import Embedded, Embedder, LanguageModel
from memchat.core.types import Applied, Decision, LearningJob, Message, Session
from memchat.learning.pipeline import AgentPolicy
from memchat.recall.retriever import Retriever
from memchat.storage.store import Store


class StoreDesk:
    """Implements `memchat.learning.pipeline.Desk` over a store of its own, which closing it closes."""

    def __init__(
        self,
        store: Store,
        model: LanguageModel,
        embedder: Embedder,
        recall: Retriever,
        agent: Callable[[str | None], AgentPolicy],
        drop_index: Callable[[int], None],
    ) -> None:
        self.model = model
        self.embedder = embedder
        self.recall = recall
        self.agent = agent
        self._store = store
        self._drop_index = drop_index

    def claim(self, user: str | None) -> LearningJob | None:
        return self._store.work.claim(user)

    def message(self, message_id: str) -> Message | None:
        return self._store.transcripts.message(message_id)

    def session(self, session_id: str) -> Session | None:
        return self._store.transcripts.session(session_id)

    def reply_to(self, message: Message) -> Message | None:
        return self._store.transcripts.reply_to(message)

    def before(self, message: Message, limit: int) -> list[Message]:
        return self._store.transcripts.before(message, limit)

    def apply(
        self, decisions: Sequence[Decision], embedded: Sequence[Embedded | None], work: LearningJob
    ) -> list[Applied]:
        return self._store.apply(decisions, embedded, work)

    def clean(self) -> None:
        self._store.finish_erasures(self._drop_index)

    def failed(self, work: LearningJob, reason: str) -> None:
        self._store.work.fail(work, reason)

    def release(self, work: LearningJob) -> None:
        self._store.work.release(work)

    def drop(self, work: LearningJob) -> None:
        self._store.work.discard(work)

    def due(self, user: str | None) -> int:
        return self._store.work.due(user)

    def close(self) -> None:
        self._store.close()
