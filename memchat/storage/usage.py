"""The tokens that people spend, summed by day and model. No conversation can be told from them."""

from memchat.core.names import composed
from memchat.core.protocols import Clock, Purpose, Spent
from memchat.core.types import Owner, Scope
from memchat.storage.database import Database
from memchat.storage.memory_rows import format_time
from memchat.storage.results import TokenTotal
from memchat.text.size import BYTES_A_TOKEN


class TokenUsage:
    """Adds up tokens over one connection."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def add(self, session_id: str, purpose: Purpose, model: str, spent: Spent) -> None:
        """Add what a call for a conversation took. Does nothing if the conversation was deleted meanwhile.

        Call it for a turn before its reply is stored: what it saved is reckoned from what was said until then.
        """
        row = self._db.row("SELECT user, coalesce(agent, '') AS agent FROM sessions WHERE id = ?", (session_id,))
        if row is None:
            return
        user, agent, share, saved = row["user"], row["agent"], spent.share, 0
        if share is not None:
            said = self._db.value(
                "SELECT coalesce(sum(bytes), 0) FROM conversation_sizes WHERE user = ? AND agent = ?", (user, agent)
            )
            # The prompt would have had all of it in place of memory, as far as the model's window goes.
            unsent = max(int(said) - share.sent_bytes, 0) // BYTES_A_TOKEN
            saved = min(unsent - share.memory_tokens, max(share.room_tokens, 0))
        self._add(user, agent, (purpose, model), spent, saved)

    def add_for(self, owner: Owner, agent: str | None, model: str, spent: Spent) -> None:
        """Add what learning took from a memory written by hand. Does nothing if its owner was deleted meanwhile."""
        known = self._db.value("SELECT 1 FROM owners WHERE kind = ? AND name = ?", (owner.kind, owner.name))
        if known:
            user = owner.name if owner.kind is Scope.USER else ""
            with_agent = owner.name if owner.kind is Scope.AGENT else agent or ""
            self._add(user, with_agent, (Purpose.LEARN, model), spent, 0)

    def totals(self, user: str, agent: str | None = None) -> dict[Purpose, TokenTotal]:
        """Return the sums of `user`, with `agent` those with that agent, for what there is any of."""
        rows = self._db.rows(
            """SELECT purpose, min(day), sum(calls), sum(estimated), sum(prompt_tokens), sum(completion_tokens),
                sum(saved_tokens) FROM usage WHERE user = ? AND (? IS NULL OR agent = ?) GROUP BY purpose""",
            (composed(user), composed(agent), composed(agent)),
        )
        return {Purpose(row[0]): TokenTotal(*row[1:]) for row in rows}

    def _add(self, user: str, agent: str, what: tuple[Purpose, str], spent: Spent, saved: int) -> None:
        self._db.execute(
            """INSERT INTO usage (user, agent, day, purpose, model, calls, estimated, prompt_tokens, completion_tokens,
                    saved_tokens)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (user, agent, day, purpose, model) DO UPDATE SET
                    calls = calls + excluded.calls,
                    estimated = estimated + excluded.estimated,
                    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                    completion_tokens = completion_tokens + excluded.completion_tokens,
                    saved_tokens = saved_tokens + excluded.saved_tokens""",
            (
                user,
                agent,
                format_time(self._clock())[:10],
                *what,
                spent.calls,
                spent.estimated,
                spent.prompt_tokens,
                spent.completion_tokens,
                saved,
            ),
        )
