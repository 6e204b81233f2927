"""A person's conversations in one store, for the tests of what recall quotes of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from memchat.app import App
from memchat.config import Settings
from memchat.core.types import Add, Draft, Evidence, Memory, Message, Owner, Role, Session
from memchat.recall.excerpt_block import render
from memchat.recall.excerpts import Excerpt
from memchat.recall.retriever import Query
from memchat.text.embedding import embed

USER = "alice"


class Talk:
    """A person's conversations in one store, with a clock that is set by hand."""

    def __init__(self, home: Path) -> None:
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        self.app = App(Settings(home=home, user=USER), clock=lambda: self.now)

    def said(self, *lines: str, days: float = 1, agent: str | None = None, user: str = USER) -> list[Message]:
        """A conversation of `lines`, the person's first, `days` after the last one; indexed."""
        self.now += timedelta(days=days)
        session = self.app.store.conversations.new_session(user, agent)
        roles = (Role.USER, Role.ASSISTANT)
        messages = [self.app.store.conversations.record(session, roles[i % 2], line) for i, line in enumerate(lines)]
        self.index()
        return messages

    def index(self) -> None:
        while self.app.store.message_index.index_next(None, self.app.embedder):
            pass

    def session(self, agent: str | None = None) -> Session:
        return self.app.store.conversations.new_session(USER, agent)

    def excerpts(self, text: str, *facts: Memory, session: Session | None = None) -> tuple[Excerpt, ...]:
        """What a new conversation is given for `text`."""
        recall = self.app.recall_over(self.app.store)
        return recall.excerpts_for_turn(Query(text), session or self.session(), facts).excerpts

    def evidence(self, message: Message, quote: str) -> Evidence:
        return Evidence(message.id, message.session_id, quote, "")

    def know(self, text: str, message: Message | None = None, quote: str = "", *replaces: Memory) -> Memory:
        evidence = self.evidence(message, quote) if message else None
        draft = Draft(text, Owner.user(USER), evidence=evidence)
        add = Add(draft, tuple(memory.id for memory in replaces))
        (applied,) = self.app.store.apply([add], embed(self.app.embedder, [draft]))
        return applied.memory

    def shown(self, text: str) -> str:
        return render(self.excerpts(text))
