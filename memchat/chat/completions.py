"""Add memory to one chat completion: the client sends the conversation, and its last message is learned from.

Only that last message and the reply to it are recorded. When the client continues after a tool call, the message is the
same as before and is not recorded again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from memchat.chat import prompt
from memchat.chat.conversation import ConversationOptions, Transcript
from memchat.core.protocols import Clock, CompletionModel, CountTokens, Usage
from memchat.core.types import Message, MessageStatus, Session
from memchat.llm.usage import spent_on_reply
from memchat.recall.retriever import Query, Retriever
from memchat.text.normalize import fix_surrogates

LONGEST_LEARNED = 100_000
"""Maximum length of a message that is learned from, in characters; a longer one is a document."""

_SYSTEM = ("system", "developer")
_TASK = re.compile(r"\s*### Task:", re.IGNORECASE)
_TITLE = re.compile(
    r"\b(?:generate|create|provide|write|suggest|give|summari[sz]e)\b.{0,80}\b(?:titles?|tags?|headings?)\b.{0,120}"
    r"\b(?:conversation|chat|dialogue|discussion|messages?)\b|git commit messages?\b",
    re.IGNORECASE | re.DOTALL,
)
_SPEAKER = re.compile(r"(?im)^\W*(?:user|human|assistant|ai|response)\W*:")
_LOOKED_AT = 400
"""Leading characters of a request that are checked for a task."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed request: the user's last text, the one before it, and whether it is new.

    With `housekeeping` a program asks for a title or tags, and nothing is recalled or learned.
    """

    text: str
    previous: str | None
    new: bool
    housekeeping: bool


def asked_in(messages: Sequence[Mapping[str, Any]]) -> Asked:
    """Parse `messages` in OpenAI's format."""
    said = [text for message in messages if message.get("role") == "user" and (text := text_of(message))]
    last = said[-1] if said else ""
    instructions = next((text_of(message) for message in messages if message.get("role") in _SYSTEM), "")
    # Programs ask for a title, tags or the like in a request of one message.
    quotes_dialogue = len(last) > _LOOKED_AT or _SPEAKER.search(last) is not None
    titled = _TITLE.search(instructions[:_LOOKED_AT]) or (quotes_dialogue and _TITLE.search(last[:_LOOKED_AT]))
    housekeeping = _TASK.match(last) or _TASK.match(instructions) or (len(said) == 1 and titled)
    return Asked(
        last,
        said[-2] if len(said) > 1 else None,
        new=bool(last) and messages[-1].get("role") == "user",
        housekeeping=bool(housekeeping),
    )


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, which may come in parts."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "\n".join(text for text in texts if isinstance(text, str)).strip()
    return content.strip() if isinstance(content, str) else ""


@dataclass(frozen=True, slots=True)
class CompletionParts:
    """The parts that a completion needs. Without `recall` nothing is recalled, recorded or learned."""

    session: Session
    model: CompletionModel
    transcript: Transcript
    recall: Retriever | None
    options: ConversationOptions
    count_tokens: CountTokens
    clock: Clock


class CompletionTurn:
    """A completion in progress; its `with` block records the message and, on leaving, the reply.

    `request` goes to the model. `note` collects the reply.
    """

    def __init__(self, parts: CompletionParts, request: Mapping[str, Any]) -> None:
        self._parts = parts
        self._asked = asked_in(request["messages"])
        self._message: Message | None = None
        self._recalled: list[str] = []
        self._reply: list[str] = []
        self._usage: Usage | None = None
        self._finished = False
        self.request: dict[str, Any] = dict(request)

    def __enter__(self) -> "CompletionTurn":
        parts, asked = self._parts, self._asked
        if parts.recall is None or asked.housekeeping:
            return self
        if asked.new and len(asked.text) <= LONGEST_LEARNED:
            from memchat.text.redaction import redact_options

            private = parts.session.private or parts.options.private
            terms = None if private else parts.options.terms
            if terms is not None and parts.options.redacts:
                terms = redact_options(terms)
            self._message = parts.transcript.begin_turn(parts.session, self._mask(asked.text), terms)
        try:
            self.request["messages"] = self._with_memory(parts.recall)
        except BaseException:
            self._record()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished = kind is None
        self._record()

    @property
    def recalled(self) -> tuple[str, ...]:
        """The ids of the memories in the prompt."""
        return tuple(self._recalled)

    def note(self, response: Mapping[str, Any]) -> None:
        """Collect the text and the usage of a completion or of one of its chunks, in OpenAI's format."""
        usage = response.get("usage")
        if isinstance(usage, Mapping):
            counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
            prompt_tokens, completion_tokens = (count if isinstance(count, int) else 0 for count in counts)
            if prompt_tokens or completion_tokens:
                self._usage = Usage(prompt_tokens, completion_tokens)
        for choice in response.get("choices", ()):
            part = choice.get("message") or choice.get("delta") or {}
            if choice.get("index", 0) == 0 and isinstance(part.get("content"), str):
                self._reply.append(part["content"])

    def _mask(self, text: str) -> str:
        from memchat.text.redaction import redact

        text = fix_surrogates(text)
        return redact(text).text if self._parts.options.redacts else text

    def _with_memory(self, recall: Retriever) -> list[dict[str, Any]]:
        parts, asked = self._parts, self._asked
        messages = [dict(message) for message in self.request["messages"]]
        if not asked.text:
            return messages
        query = Query(asked.text[:LONGEST_LEARNED], previous=asked.previous)
        standing = prompt.instructions_within_budget(recall.standing(parts.session), parts.count_tokens)
        wishes = {memory.id for memory in standing}
        hits = [hit.memory for hit in recall.recall_for_turn(query, parts.session).hits if hit.memory.id not in wishes]
        self._recalled = [*wishes, *(memory.id for memory in hits)]
        excerpts = recall.excerpts_for_turn(query, parts.session, [*standing, *hits]).excerpts
        block = prompt.memory_part(parts.clock().astimezone().date(), hits, standing, excerpts)
        if not block:
            return messages
        # The block goes to the end of the client's instructions, or before all messages if there are none.
        if not messages or messages[0].get("role") not in _SYSTEM:
            return [{"role": "system", "content": block}, *messages]
        first = messages[0]
        if isinstance(first.get("content"), list):
            first["content"] = [*first["content"], {"type": "text", "text": block}]
        else:
            first["content"] = f"{first.get('content') or ''}\n\n{block}".strip()
        return messages

    def _record(self) -> None:
        if self._message is None:
            return
        message, self._message = self._message, None
        reply = self._mask("".join(self._reply)).strip()
        status = MessageStatus.COMPLETE if self._finished else MessageStatus.PARTIAL
        status = MessageStatus.FAILED if not self._finished and not reply else status
        name = self._parts.model.name
        # Without what memory saved: the model's window is not known here, and the client chooses what it sends.
        spent = spent_on_reply(name, self._usage, map(text_of, self.request["messages"]), reply)
        self._parts.transcript.end_turn(message, reply, status, name, self._recalled, spent=spent)
