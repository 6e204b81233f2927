"""A chat model behind any transport: retries, parameters that servers refuse, and how a reply is read and ends.

There are two transports. `http_transport` speaks OpenAI's and Ollama's APIs itself, over httpx; it serves the providers
in `provider_apis`, because importing LiteLLM takes seconds before the first answer. `litellm_transport` reaches all
others. What a reply, an error or a retry is, is decided here and in `provider_errors`, once for both.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from memchat.core.protocols import Completion, Cut, Delta, ModelRequest
from memchat.errors import BadReply, ModelError, ModelUnreachable
from memchat.llm.dialect import DialectMemory, without_refused
from memchat.llm.endpoint import Endpoint
from memchat.llm.options import ModelOptions
from memchat.llm.provider_errors import RequestRefused, cut_off, not_a_reply, translate_errors
from memchat.llm.reply_reader import ReplyReader
from memchat.llm.retry import RetryNotice, RetryPolicy
from memchat.llm.token_estimate import estimate_tokens
from memchat.llm.transport import Call, Transport
from memchat.text.thinking import split_unopened

FALLBACK_CONTEXT_TOKENS = 8192
_MOST_REFUSALS = 6
"""Maximum number of repetitions of a call without a refused parameter; more than there are parameters would loop."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """Options of calls. `on_retry` is called before every wait."""

    timeout_s: float = 60.0
    retries: int = 3
    context_tokens: int | None = None
    """Overrides the model's known window; also the window requested from an Ollama model."""
    on_retry: Callable[[RetryNotice], None] | None = None
    sleep: Callable[[float], None] = time.sleep


class ChatModel:
    """Implements `core.protocols.LanguageModel`. The models of a process share `dialects`."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        options: ModelOptions,
        policy: CallPolicy,
        dialects: DialectMemory,
    ) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._options = options
        self._retry = RetryPolicy(policy.retries, policy.on_retry, policy.sleep)
        self._context_tokens = policy.context_tokens
        self._dialects = dialects

    @property
    def name(self) -> str:
        return self._endpoint.model

    @property
    def context_tokens(self) -> int:
        """The window in tokens; 8,192 if neither a table nor the server tells. The first access may ask the server."""
        if self._context_tokens is None:
            self._context_tokens = self._transport.window() or FALLBACK_CONTEXT_TOKENS
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of `text` without loading a tokenizer."""
        return estimate_tokens(text)

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        """Yield the reply as it arrives; nothing is retried once text has been yielded."""
        attempts = self._retry.attempts()
        while True:
            began = False
            try:
                with closing(self._attempt(request)) as deltas:
                    for delta in deltas:
                        began = began or bool(delta.text)
                        yield delta
                return
            except ModelError as error:
                failure = error
            if began:
                raise failure
            attempts.pause(failure)

    def complete(self, request: ModelRequest) -> Completion:
        """Return the whole reply. It is streamed all the same, so that the time-out applies to the next piece."""
        text, thinking, usage, cut = "", "", None, None
        with closing(self.stream(request)) as deltas:
            for delta in deltas:
                text, thinking = text + delta.text, thinking + delta.thinking
                usage, cut = delta.usage or usage, delta.cut or cut
        answer, unopened = (text, "") if thinking else split_unopened(text)
        return Completion(answer, usage, thinking + unopened, cut)

    def _attempt(self, request: ModelRequest) -> Generator[Delta, None, None]:
        """Make one attempt, repeated without the parameters that the server refuses; remember what works."""
        server = f"{self.name} {self._transport.address}".strip()
        known = dialect = self._dialects.get(server, self._transport.dialect)
        certain = True
        for _ in range(_MOST_REFUSALS):
            call = Call.of(request, self._options.temperature, self._options.max_tokens, dialect)
            began = False
            try:
                for delta in self._streamed_once(call):
                    began = True
                    yield delta
            except RequestRefused as refused:
                other = without_refused(dialect, refused.complaint, call.sent())
                if began or other is None or (not refused.named and refused.status not in {400, 422}):
                    raise
                certain = certain and refused.named
                dialect = other
                continue
            if dialect != known:
                self._dialects.learn(server, dialect, lasting=certain)
            return

    def _streamed_once(self, call: Call) -> Generator[Delta, None, None]:
        reader = ReplyReader()
        try:
            with translate_errors(self._endpoint), closing(self._transport.pieces(call)) as pieces:
                yield from reader.read(pieces)
        except ModelUnreachable as error:
            if reader.spoken:
                raise cut_off(self._endpoint) from error
            raise
        if not reader.finished:
            raise cut_off(self._endpoint) if reader.spoken else not_a_reply(self._endpoint)
        if reader.spoken:
            return
        message = f"{self.name} answered nothing."
        hint = "Ask again, allow longer replies"
        if reader.cut is Cut.FILTER:
            message, hint = f"The content filter of {self.name} withheld the answer.", "Ask otherwise"
        elif reader.cut is Cut.LENGTH:
            message = f"{self.name} answered nothing: it reached its limit of tokens before."
            hint = "Allow longer replies"
        raise BadReply(message, hint=f"{hint}, or {self._endpoint.another}.")
