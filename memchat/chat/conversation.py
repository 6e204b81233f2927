"""Hold a conversation turn by turn: record the message, recall memories, let the model answer, record the reply."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile, tee
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from memchat.chat.compaction import Summary
from memchat.chat.context_window import ContextWindow
from memchat.core.protocols import (
    Clock,
    Cut,
    Delta,
    LanguageModel,
    ModelRequest,
    PromptMessage,
    PromptShare,
    Spent,
    Usage,
)
from memchat.core.types import OFFLINE, LearningOptions, Memory, Message, MessageStatus, Role, Session
from memchat.errors import BadReply, UsageError
from memchat.text.normalize import fix_surrogates
from memchat.text.size import BYTES_A_TOKEN, size
from memchat.text.thinking import Part, split_unopened

if TYPE_CHECKING:
    from memchat.recall.excerpts import Excerpt, Quoted
    from memchat.recall.retriever import Hit, Query, Recalled

HISTORY_TRUNCATED = (
    "This conversation has grown too long to be sent whole: its oldest messages are left out from now on."
)


class Transcript(Protocol):
    """The part of the store that a conversation writes to and reads from."""

    def begin_turn(self, session: Session, text: str, terms: LearningOptions | None) -> Message: ...

    def end_turn(
        self,
        asked: Message,
        text: str,
        status: MessageStatus,
        model: str,
        recalled: list[str],
        *,
        spent: Spent | None = None,
    ) -> Message | None: ...

    def earlier(self, message: Message) -> Iterator[Message]:
        """Yield the messages before `message`, newest first."""

    def set_private(self, session: Session, private: bool) -> None: ...


class TurnRecall(Protocol):
    """The part of a retriever that a conversation uses."""

    def recall_for_turn(self, query: "Query", session: Session) -> "Recalled": ...

    def excerpts_for_turn(
        self, query: "Query", session: Session, facts: Sequence[Memory], window_start: str | None = None
    ) -> "Quoted": ...

    def standing(self, session: Session) -> list[Memory]: ...


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """Options of a conversation, and the terms on which it is learned from. `redacts` masks secrets before any write.

    With `private` nothing is learned, even if its session is not private.
    """

    system: str | None = None
    terms: LearningOptions = field(default_factory=LearningOptions)
    private: bool = False
    temperature: float | None = None
    redacts: bool = True


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """A memory in a prompt. `score` is None for a wish, which is in every prompt."""

    memory: Memory
    score: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The numbers of matching memories, wishes and excerpts that exceeded the limits of a prompt."""

    memories: int = 0
    wishes: int = 0
    excerpts: int = 0


class Conversation:
    """One session with one model. While it is `private`, messages are recorded but never learned from.

    `summary` replaces its older messages if there is one; `forgotten` counts how often the summary was dropped.
    """

    def __init__(
        self,
        session: Session,
        model: LanguageModel,
        transcript: Transcript,
        recall: TurnRecall | None,
        style: ConversationOptions,
        clock: Clock,
    ) -> None:
        self.session = session
        self.model = model
        self.private = session.private or style.private
        self.last_turn: Turn | None = None
        self.summary: Summary | None = None
        self.forgotten = 0
        self._window: ContextWindow | None = None
        self._outgrown = False
        self._transcript = transcript
        self._recall = recall
        self._pausing: TurnRecall | None = None
        self._style = style
        self._clock = clock

    @cached_property
    def _terms(self) -> LearningOptions:
        """The terms without secrets."""
        from memchat.text.redaction import redact_options

        return redact_options(self._style.terms) if self._style.redacts else self._style.terms

    @property
    def agent(self) -> str | None:
        return self.session.agent

    @property
    def remembers(self) -> bool:
        """Return whether memories are recalled and learned."""
        return self._recall is not None

    def drop_summary(self) -> None:
        """Send the messages themselves again, since the summary may restate what was just forgotten."""
        self.summary = None
        self.forgotten += 1

    def use_memory(self, use: bool) -> None:
        """Turn recall and learning on or off from now on. Raises UsageError if a setting keeps memory off."""
        if use and self._recall is None:
            if self._pausing is None:
                raise UsageError("Memory is off by a setting.", hint="Start with: memchat chat --memory")
            self._recall, self._pausing = self._pausing, None
        elif not use and self._recall is not None:
            self._recall, self._pausing = None, self._recall

    def set_private(self, private: bool) -> None:
        """Make the session private from now on, or no longer; a resumed session keeps this."""
        self._transcript.set_private(self.session, private)
        self.session = replace(self.session, private=private)
        self.private = private

    def turn(self, text: str) -> "Turn":
        """Record `text`, recall relevant memories, and prepare the call. Iterate the turn for the reply.

        Raises StoreError when the message could not be recorded; nothing is sent then.
        """
        text = fix_surrogates(text)
        said = _mask(text) if self._style.redacts else text
        terms = self._terms if self.remembers and not self.private else None
        return self.turn_again(self._transcript.begin_turn(self.session, said, terms))

    def turn_again(self, asked: Message) -> "Turn":
        """Prepare the call for a recorded message that has no reply."""
        turn = self.last_turn = Turn(asked, self.model, self._transcript, redacts=self._style.redacts)
        try:
            self._prepare(turn, asked.text)
        except BaseException as error:
            turn.record(_status_without_reply(error))
            raise
        return turn

    def _prepare(self, turn: "Turn", text: str) -> None:
        from memchat.chat import prompt
        from memchat.recall.retriever import Query

        last_summarised = self.summary.last_id if self.summary is not None else None
        unsummarised = takewhile(lambda one: one.id != last_summarised, self._transcript.earlier(turn.asked))
        said, earlier, again = tee(unsummarised, 3)
        previous = next((message.text for message in said if message.role is Role.USER), None)
        query = Query(text, previous=previous)
        if self._recall is not None:
            recalled = self._recall.recall_for_turn(query, self.session)
            standing = self._recall.standing(self.session)
            turn.wishes = tuple(prompt.instructions_within_budget(standing, self.model.count_tokens))
            shown = {wish.id for wish in turn.wishes}
            turn.hits = tuple(hit for hit in recalled.hits if hit.memory.id not in shown)
            turn.left_out = LeftOut(len(set(recalled.left_out) - shown), len(standing) - len(turn.wishes))
        self._window = self._window or ContextWindow(self.model.context_tokens, self.model.count_tokens)
        sent = self._window.fill(self._system(turn), earlier, text)
        if self._recall is not None:
            start = (sent.oldest or turn.asked.id) if sent.truncated or self.summary else None
            facts = [used.memory for used in turn.used]
            quoted = self._recall.excerpts_for_turn(query, self.session, facts, start)
            turn.excerpts = quoted.excerpts
            turn.left_out = replace(turn.left_out, excerpts=quoted.left_out)
        if turn.excerpts:
            sent = self._window.fill(self._system(turn), again, text)
        turn.request = ModelRequest(sent.messages, temperature=self._style.temperature)
        turn.share = self._share_of_memory(sent.messages)
        turn.fullness = 1.0 if sent.truncated else self._window.fullness(sent.messages)
        if sent.truncated and not self._outgrown:
            self._outgrown = True
            turn.notice = HISTORY_TRUNCATED

    def _share_of_memory(self, messages: Sequence[PromptMessage]) -> PromptShare | None:
        """Measure what memory takes in the prompt `messages`, and what it takes the place of; None with memory off."""
        if self._recall is None:
            return None
        from memchat.chat import prompt

        persona = prompt.Persona(self._style.system, remembers=False)
        without_memory = size(prompt.system_prompt(persona, self._clock().astimezone(), (), ()))
        system, *said = (size(message.content) for message in messages)
        room = self.model.context_tokens - (system + sum(said)) // BYTES_A_TOKEN
        return PromptShare(max(system - without_memory, 0) // BYTES_A_TOKEN, sum(said), room)

    def _system(self, turn: "Turn") -> str:
        from memchat.chat import prompt

        # The rules tell by the block that memory is on.
        offline = self.model.name == OFFLINE
        persona = prompt.Persona(self._style.system, self.remembers, shows_empty_block=offline)
        memories = [hit.memory for hit in turn.hits]
        system = prompt.system_prompt(persona, self._clock().astimezone(), memories, turn.wishes, turn.excerpts)
        return system if self.summary is None else f"{system}\n\n{prompt.EARLIER_IN_SHORT}\n{self.summary.text}"


class Turn:
    """One exchange in progress. Leaving its `with` block records the reply and queues the exchange for learning.

    `notice` is a message for the user, shown once per conversation. `thinking` is the model's reasoning, never part of
    `reply`. `cut` says why the model did not finish; `fullness` is the share of the room that the prompt took, and
    `share` what memory took of the prompt.
    """

    def __init__(self, asked: Message, model: LanguageModel, transcript: Transcript, *, redacts: bool) -> None:
        self.asked = asked
        self.hits: tuple[Hit, ...] = ()
        self.wishes: tuple[Memory, ...] = ()
        self.excerpts: tuple[Excerpt, ...] = ()
        self.left_out = LeftOut()
        self.notice: str | None = None
        self.request = ModelRequest(())
        self.reply = ""
        self.thinking = ""
        self.cut: Cut | None = None
        self.fullness = 0.0
        self.usage: Usage | None = None
        self.share: PromptShare | None = None
        self.status = MessageStatus.PARTIAL
        self._model = model
        self._transcript = transcript
        self._redacts = redacts
        self._stream: Generator[Delta, None, None] | None = None
        self._recorded = False

    @property
    def used(self) -> list[UsedMemory]:
        """The memories in the prompt: the wishes, then what was recalled, best first."""
        return [*map(UsedMemory, self.wishes), *(UsedMemory(hit.memory, hit.score) for hit in self.hits)]

    @property
    def spent(self) -> Spent | None:
        """The tokens of this turn; None if the model did not answer, and for the offline model, which needs none."""
        from memchat.llm.usage import spent_on_reply

        prompt_texts = (message.content for message in self.request.messages)
        spent = spent_on_reply(self._model.name, self.usage, prompt_texts, self.thinking + self.reply)
        return None if spent is None else replace(spent, share=self.share)

    def __iter__(self) -> Iterator[str]:
        """Yield the pieces of the reply as they arrive. Raises ModelError; earlier pieces stay in `reply`."""
        return (part.text for part in self.parts() if not part.thinking)

    def parts(self) -> Iterator[Part]:
        """Yield the pieces of the reasoning and of the reply as they arrive. Raises ModelError."""
        self._stream = self._model.stream(self.request)
        for delta in self._stream:
            self.usage = delta.usage or self.usage
            self.cut = delta.cut or self.cut
            if delta.thinking:
                yield self._taken(Part(delta.thinking, thinking=True))
            if delta.text:
                yield self._taken(Part(delta.text))
        # The model has told thinking from text as it came, but for one whose beginning was not marked.
        if not self.thinking:
            self.reply, self.thinking = split_unopened(self.reply)
        if not self.reply.strip():
            again = "/retry asks again; or pick another model (/model in a chat, else --model)."
            if self.cut is Cut.FILTER:
                other = "Say it in other words, or pick another model (/model in a chat, else --model)."
                raise BadReply("The provider's content filter held the reply back.", hint=other)
            if self.thinking and self.cut is Cut.LENGTH:
                raise BadReply("The model used up its length limit by thinking, and gave no answer.", hint=again)
            raise BadReply("The model returned an empty reply.", hint=again)
        self.status = MessageStatus.COMPLETE if self.cut is None else MessageStatus.PARTIAL

    def _taken(self, part: Part) -> Part:
        """Record a piece. Line breaks between reasoning and answer belong to neither."""
        if part.thinking:
            self.thinking += part.text
        elif self.thinking and not self.reply:
            part = Part(part.text.lstrip("\n"))
        if not part.thinking:
            self.reply += part.text
        return part

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._stream is not None:
                self._stream.close()
        finally:
            self.record(self.status if self.reply.strip() else _status_without_reply(error))

    def record(self, status: MessageStatus) -> None:
        """Write the reply and queue the exchange for learning, once."""
        if self._recorded:
            return
        self._recorded = True
        self.status = status
        recalled = [used.memory.id for used in self.used]
        reply = fix_surrogates(self.reply) if self.reply.strip() else ""
        reply = _mask(reply) if self._redacts else reply
        self._transcript.end_turn(self.asked, reply, status, self._model.name, recalled, spent=self.spent)


def _status_without_reply(error: BaseException | None) -> MessageStatus:
    """Return the status of a turn without a reply: stopped by the user, or failed."""
    return MessageStatus.STOPPED if isinstance(error, KeyboardInterrupt) else MessageStatus.FAILED


def _mask(text: str) -> str:
    # Its patterns take longer to compile than a chat's prompt should wait.
    from memchat.text.redaction import redact

    return redact(text).text
