"""A conversation of the kit, held for real: its own home, the clock put to each turn, the model's end alone chosen."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memchat.app import App
from memchat.chat.conversation import Conversation as Talk
from memchat.chat.conversation import ConversationOptions
from memchat.config import Settings
from memchat.core.protocols import Completion, Delta, LanguageModel, MemoryFilter, ModelRequest
from memchat.core.types import OFFLINE, LearningOptions, Memory, Message, Owner, Role, Session
from memchat.errors import BadReply, ModelError, ModelTimeout, RateLimited
from memchat.learning.pipeline import LearningContext, learn
from memchat.storage.protocols import MAX_BLOCKING_ATTEMPTS
from memchat.text.redaction import redact
from tests.evals.dataset import Conversation, Keep, Turn
from tests.evals.judge import Failure, Held, Verdict, judge

USER = "person"
PASSING = (BadReply, ModelTimeout, RateLimited)
"""After these a run goes on: the turn is not learned, which counts. Anything else from the model ends it."""
RETRY_AFTER = timedelta(seconds=60)
"""Longer than the learner waits before it tries a second or third time; then it goes on with what came later."""
SHORT_SECRET = 6
"""In characters."""
_MASK = re.compile(r"(\[redacted [^\]]*\])")


@dataclass(frozen=True)
class TurnResult:
    """What one turn came to. `met` and `of` count expectations by kind, `number` is from 1.

    `prompt_tokens` are those the endpoint reported, where it did; `counted_tokens` are by the model's own count.
    """

    conversation: str
    language: str
    tags: tuple[str, ...]
    number: int
    calls: int
    prompt_tokens: int
    counted_tokens: int
    met: dict[str, int] = field(default_factory=dict)
    of: dict[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


class TurnClock:
    """Stands at the moment of the turn."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Reciter:
    """The chat model of a kit's conversation: it says the `line` it was given."""

    name = "kit"
    context_tokens = 8192

    def __init__(self) -> None:
        self.line = ""

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        yield Delta(self.line)

    def complete(self, request: ModelRequest) -> Completion:
        return Completion(self.line)


class Counted:
    """`model`, with its calls counted and the tokens of their prompts.

    What an endpoint reports need not be tokens (a hand-answered one counts words), so both counts are kept.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        self.calls = 0
        self.prompt_tokens = 0
        self.counted_tokens = 0

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def context_tokens(self) -> int:
        return self._model.context_tokens

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        self.calls += 1
        return self._model.stream(request)

    def complete(self, request: ModelRequest) -> Completion:
        self.calls += 1
        completion = self._model.complete(request)
        counted = sum(self.count_tokens(message.content) for message in request.messages)
        self.counted_tokens += counted
        self.prompt_tokens += counted if completion.usage is None else completion.usage.prompt_tokens
        return completion


def play(conversation: Conversation, model: LanguageModel, settings: Settings) -> list[TurnResult]:
    """Hold `conversation` in a home of its own and judge what is held after each turn.

    The secrets in it are then looked for in every file of that home, and counted with its last turn. `settings` are
    those in force but for home, user and profiles. Raises ModelError where the model cannot be asked at all.
    """
    with tempfile.TemporaryDirectory(prefix="memchat-eval-") as folder:
        own = replace(
            settings, home=Path(folder), user=USER, agent=None, system=None, instructions=None, redact=True, agents={}
        )
        secrets = list(dict.fromkeys(s for turn in conversation.turns for s in masked(turn.user)))
        clock = TurnClock()
        with App(own, clock=clock) as app:
            results = list(_Play(app, clock, model, conversation).turns())
            found = found_in(own.home, secrets)
        if secrets:
            # The index is what memchat writes beside the database; it is built for its files to be searched too.
            app.engine.rebuild_index(app.fingerprint)
            found |= found_in(own.home, secrets)
    return [*results[:-1], _with_secrets(results[-1], secrets, found)]


class _Play:
    def __init__(self, app: App, clock: TurnClock, model: LanguageModel, conversation: Conversation) -> None:
        self._app = app
        self._clock = clock
        self._model = Counted(model)
        self._conversation = conversation
        self._reciter = Reciter()

    def turns(self) -> Iterator[TurnResult]:
        store, recall = self._app.store, self._app.recall
        session = store.conversations.new_session(USER, None)
        style = ConversationOptions(terms=LearningOptions(self._conversation.instructions))
        talk = Talk(session, self._reciter, store.conversations, recall, style, self._clock)
        context = replace(self._app.learning_context(OFFLINE), model=self._model)
        try:
            yield from self._exchanges(talk, context, session)
        finally:
            context.close()

    def _exchanges(self, talk: Talk, context: LearningContext, session: Session) -> Iterator[TurnResult]:
        expected: list[Keep] = []
        before: dict[str, Memory] = {}
        for number, turn in enumerate(self._conversation.turns, 1):
            expected += turn.keep
            self._model.reset()
            self._say(talk, turn)
            errors = self._learned(context)
            after = self._memories()
            verdict = judge(turn, expected, Held(before, after), self._said(session))
            for error in errors:
                verdict.note("learned", ok=False, expected=error)
            yield self._result(number, verdict)
            before = after

    def _say(self, talk: Talk, turn: Turn) -> None:
        self._clock.now = turn.at.astimezone(UTC)
        self._reciter.line = turn.assistant
        with talk.turn(turn.user) as exchange:
            for _ in exchange:
                pass

    def _learned(self, context: LearningContext) -> list[str]:
        """Learn what is due, trying again as the learner would, and why something could not be learned."""
        errors: list[str] = []
        for _ in range(MAX_BLOCKING_ATTEMPTS):
            failed = _worked_off(context)
            errors += failed
            if not failed:
                break
            self._clock.now += RETRY_AFTER
        return errors

    def _memories(self) -> dict[str, Memory]:
        """Every version there is, oldest first, by id."""
        view = MemoryFilter((Owner.user(USER),), all_sessions=True, superseded=True, expired=True)
        return {memory.id: memory for memory in reversed(self._app.store.memories.memories(view))}

    def _said(self, session: Session) -> dict[str, str]:
        messages: list[Message] = self._app.store.conversations.messages(session.id)
        return {message.id: message.text for message in messages if message.role is Role.USER}

    def _result(self, number: int, verdict: Verdict) -> TurnResult:
        return TurnResult(
            self._conversation.name,
            self._conversation.language,
            self._conversation.tags,
            number,
            self._model.calls,
            self._model.prompt_tokens,
            self._model.counted_tokens,
            dict(verdict.met),
            dict(verdict.of),
            tuple(verdict.failures),
        )


def _worked_off(context: LearningContext) -> list[str]:
    """Learn what is due now. The errors it ended in; raises those after which no other call would fare better."""
    errors = []
    while (work := context.store.work.claim(USER)) is not None:
        result = learn(context, work)
        if isinstance(result.cause, ModelError) and not isinstance(result.cause, PASSING):
            raise result.cause
        if result.error is not None:
            errors.append(result.error)
    return errors


# Secrets.


def masked(text: str) -> list[str]:
    """The spans of `text` that are masked before anything is written."""
    parts = _MASK.split(redact(text).text)
    pattern = "".join(f"({re.escape(part)}|.+?)" if _MASK.match(part) else re.escape(part) for part in parts)
    found = re.fullmatch(pattern, text, re.DOTALL)
    assert found is not None, "redaction changes nothing but what it masks"
    return [span for span in found.groups() if not _MASK.fullmatch(span)]


def found_in(home: Path, secrets: Iterable[str]) -> set[str]:
    """Those of `secrets` that stand in any file below `home`, as text or as JSON writes it.

    A short one counts only where it stands by itself: '737' is in many an id.
    """
    contents = [path.read_bytes() for path in home.rglob("*") if path.is_file()]

    def stands(secret: str) -> bool:
        spellings = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        needles = [_needle(spelling, code) for spelling in spellings for code in ("utf-8", "utf-16-le")]
        return any(needle.search(content) for needle in needles for content in contents)

    return {secret for secret in secrets if stands(secret)}


def _needle(secret: str, code: str) -> re.Pattern[bytes]:
    apart = rb"[0-9A-Za-z]" + (b"" if code == "utf-8" else rb"\x00")
    exact = re.escape(secret.encode(code))
    return re.compile(rb"(?<!%b)%b(?!%b)" % (apart, exact, apart) if len(secret) <= SHORT_SECRET else exact)


def _with_secrets(last: TurnResult, secrets: list[str], found: set[str]) -> TurnResult:
    if not secrets:
        return last
    clean = Counter(last.met) + Counter({"secret": len(secrets) - len(found)})
    failures = [Failure("secret", f"{secret[:4]}… in no file") for secret in sorted(found)]
    return replace(
        last,
        met=dict(clean),
        of={**last.of, "secret": len(secrets)},
        failures=(*last.failures, *failures),
    )
