"""Any chat model LiteLLM can reach."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

from memchat.core.protocols import Completion, Delta, ModelRequest, Usage
from memchat.errors import BadReply, ModelError, ModelUnreachable
from memchat.llm.litellm_errors import Endpoint, not_a_reply, translate_errors
from memchat.llm.litellm_setup import litellm
from memchat.llm.retry import RetryNotice, RetryPolicy
from memchat.text.normalize import fix_surrogates

FALLBACK_CONTEXT_TOKENS = 8192


class LiteLLMModel:
    """Implements `core.protocols.LanguageModel`. `on_retry` is told of every wait before it begins.

    `temperature` and `max_tokens` hold where a request leaves them open. `context_tokens` overrides what LiteLLM knows
    of the model; it is also the window an Ollama model is asked for.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        *,
        api_key: str | None = None,
        api_base: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 3,
        temperature: float | None = None,
        max_tokens: int | None = None,
        context_tokens: int | None = None,
        on_retry: Callable[[RetryNotice], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = Endpoint(name, api_key, api_base, timeout_s)
        self._retry = RetryPolicy(retries, on_retry, sleep)
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._context_tokens = context_tokens

    @property
    def name(self) -> str:
        return self._endpoint.model

    @property
    def context_tokens(self) -> int:
        """The window in tokens; 8,192 where nobody says. The first look imports LiteLLM."""
        if self._context_tokens is None:
            self._context_tokens = _known_window(self._endpoint)
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        """Counted on this machine; for models with a tokenizer of their own it is an estimate with OpenAI's."""
        count: int = litellm().token_counter(model=self.name, text=fix_surrogates(text))
        return count

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        """The reply as it arrives; nothing is tried again once text has been yielded."""
        attempt = 0
        while True:
            began = False
            try:
                with closing(self._streamed_once(request)) as deltas:
                    for delta in deltas:
                        began = began or bool(delta.text)
                        yield delta
                return
            except ModelError as error:
                failure = error
            if began:
                raise failure
            attempt += 1
            self._retry.pause(failure, attempt)

    def complete(self, request: ModelRequest) -> Completion:
        return self._retry.run(lambda: self._completed_once(request))

    def _streamed_once(self, request: ModelRequest) -> Generator[Delta, None, None]:
        spoken = False
        try:
            with translate_errors(self._endpoint):
                response = self._call(request, stream=True, stream_options={"include_usage": True})
                with closing(_Connection(response)):
                    for chunk in response:
                        delta = Delta(_text(chunk, "delta"), self._usage(chunk))
                        spoken = spoken or bool(delta.text.strip())
                        if delta.text or delta.usage:
                            yield delta
        except ModelUnreachable as error:
            if spoken:
                raise self._cut_off() from error
            raise
        self._check_end(response, spoken)

    def _completed_once(self, request: ModelRequest) -> Completion:
        with translate_errors(self._endpoint):
            response = self._call(request)
            text, usage = _text(response, "message"), self._usage(response)
        if not text.strip():
            raise self._empty()
        return Completion(text, usage)

    def _check_end(self, response: Any, spoken: bool) -> None:
        """LiteLLM makes up a "stop" for a stream that just ends; only these two say what the provider sent."""
        finished = response.received_finish_reason or response.intermittent_finish_reason
        if spoken and not finished:
            raise self._cut_off()
        if not spoken:
            raise self._empty() if finished else not_a_reply(self._endpoint)

    def _cut_off(self) -> BadReply:
        return BadReply(f"The reply of {self.name} was cut off.", hint="Ask again.")

    def _empty(self) -> BadReply:
        return BadReply(
            f"{self.name} answered nothing.",
            hint="Ask again, allow longer replies, or pick another model with --model.",
        )

    def _call(self, request: ModelRequest, **streaming: Any) -> Any:
        module = litellm()
        if self._endpoint.is_ollama:
            # For a model that is not in its table LiteLLM would ask Ollama about it after every reply.
            module.model_cost.setdefault(self.name, {"litellm_provider": self._endpoint.provider, "mode": "chat"})
        return module.completion(**self._parameters(request), **streaming)

    def _parameters(self, request: ModelRequest) -> dict[str, Any]:
        """The arguments of one call. Retries are ours alone: LiteLLM's and the OpenAI client's would multiply them."""
        endpoint = self._endpoint
        given = {
            "model": endpoint.model,
            "messages": [
                {"role": message.role.value, "content": fix_surrogates(message.content)} for message in request.messages
            ],
            "api_key": endpoint.api_key,
            "api_base": endpoint.api_base,
            "timeout": endpoint.timeout_s,
            "max_retries": 0,
            "drop_params": True,
            "temperature": self._temperature if request.temperature is None else request.temperature,
            "max_tokens": self._max_tokens if request.max_tokens is None else request.max_tokens,
            "response_format": _response_format(endpoint, request.schema),
            # Ollama's own default window is small, and it cuts longer prompts without a word.
            "num_ctx": self.context_tokens if endpoint.is_ollama else None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _usage(self, response: Any) -> Usage | None:
        usage = getattr(response, "usage", None)
        if usage is None:
            return None
        return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, _cost_usd(self._endpoint, usage))


class _Connection:
    """What is open behind a streamed reply. Leaving the loop over a stream alone would keep its socket open."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def close(self) -> None:
        stream = getattr(self._response, "completion_stream", None)
        # OpenAI's stream closes itself; other providers' hold the response, or a generator that reads from it.
        for holder in (stream, getattr(stream, "http_response", None), getattr(stream, "streaming_response", None)):
            close = getattr(holder, "close", None)
            if callable(close):
                close()


def _text(response: Any, part: str) -> str:
    """The text of the first choice; there may be no choice, and no text in it."""
    for choice in response.choices:
        return str(getattr(getattr(choice, part, None), "content", None) or "")
    return ""


def _response_format(endpoint: Endpoint, schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Structured output where the model has it. LiteLLM says no for Ollama, which has had it all along."""
    if schema is None:
        return None
    if endpoint.provider != "ollama_chat" and not litellm().supports_response_schema(model=endpoint.model):
        return None
    return {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": dict(schema), "strict": _is_strict(schema)},
    }


def _is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether every object in `schema` is closed and requires all it names, as OpenAI's strict mode demands."""
    if "properties" in schema:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(schema["properties"]):
            return False
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    if isinstance(items := schema.get("items"), Mapping):
        inner.append(items)
    return all(_is_strict(part) for part in inner)


def _known_window(endpoint: Endpoint) -> int:
    """What LiteLLM's table says. For Ollama it would ask the server, which may not run yet."""
    if endpoint.is_ollama:
        return FALLBACK_CONTEXT_TOKENS
    module = litellm()
    try:
        window = module.get_model_info(endpoint.model)["max_input_tokens"]
    except (module.exceptions.ModelNotMappedError, module.BadRequestError):
        return FALLBACK_CONTEXT_TOKENS
    return int(window or FALLBACK_CONTEXT_TOKENS)


def _cost_usd(endpoint: Endpoint, usage: Any) -> float | None:
    """None where the price is not known; for Ollama it never is, as some of its models run in its cloud."""
    if endpoint.is_ollama:
        return None
    module = litellm()
    try:
        prompt, completion = module.cost_per_token(model=endpoint.model, usage_object=usage)
    except (module.exceptions.ModelNotMappedError, module.BadRequestError):
        return None
    return float(prompt + completion)
