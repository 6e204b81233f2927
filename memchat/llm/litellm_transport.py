"""Reach providers with APIs of their own through LiteLLM."""

from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from memchat.core.protocols import Usage
from memchat.llm.dialect import Dialect, Structure
from memchat.llm.endpoint import Endpoint
from memchat.llm.litellm_setup import litellm
from memchat.llm.reply_reader import Piece
from memchat.llm.transport import Call


class LiteLLMTransport:
    """Implements `transport.Transport`. The first use imports LiteLLM."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @property
    def address(self) -> str:
        return self._endpoint.api_base or ""

    @property
    def dialect(self) -> Dialect:
        return Dialect()

    def window(self) -> int | None:
        module = litellm()
        try:
            window = module.get_model_info(self._endpoint.model)["max_input_tokens"]
        except (module.exceptions.ModelNotMappedError, module.BadRequestError):
            return None
        return int(window) if window else None

    def pieces(self, call: Call) -> Generator[Piece, None, None]:
        endpoint, module = self._endpoint, litellm()
        # Either the model or its provider's API supports structured output; a model may still refuse it.
        takes_schema = module.supports_response_schema(model=endpoint.model)
        if not takes_schema:
            with suppress(module.exceptions.ModelNotMappedError, module.BadRequestError):
                takes_schema = "response_format" in (module.get_supported_openai_params(endpoint.model) or ())
        if not takes_schema:
            call = replace(call, dialect=replace(call.dialect, structure=Structure.NONE))
        given = {
            "model": endpoint.model,
            "messages": list(call.messages),
            "api_key": endpoint.api_key,
            "api_base": endpoint.api_base,
            "timeout": endpoint.timeout_s,
            # Retries of LiteLLM and of OpenAI's client would multiply memchat's own.
            "max_retries": 0,
            "drop_params": True,
            **call.parameters(),
        }
        response = module.completion(**{name: value for name, value in given.items() if value is not None})
        if not call.dialect.stream:
            yield self._piece(response, "message")
            return
        with closing(OpenStream(response)):
            for chunk in response:
                yield self._piece(chunk, "delta")
        # LiteLLM makes up a "stop" for a stream that just ends; only these two say what the provider sent.
        yield Piece(finish=response.received_finish_reason or response.intermittent_finish_reason)

    def _piece(self, response: Any, part: str) -> Piece:
        """Read the first choice; there may be none, and no text in it."""
        choice = next(iter(response.choices), None)
        message = getattr(choice, part, None)
        thinking = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
        content = getattr(message, "content", None) or getattr(message, "refusal", None)
        # The finish reason of a chunk may be made up; that of a whole reply is the provider's.
        finish = getattr(choice, "finish_reason", None) if part == "message" else None
        if (usage := getattr(response, "usage", None)) is None:
            return Piece(content, thinking, finish)
        module = litellm()
        cost: float | None = None
        with suppress(module.exceptions.ModelNotMappedError, module.BadRequestError):
            cost = float(sum(module.cost_per_token(model=self._endpoint.model, usage_object=usage)))
        return Piece(content, thinking, finish, Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cost))


class OpenStream:
    """The connection of a streamed reply. Only leaving the loop over a stream would keep its socket open."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def close(self) -> None:
        stream = getattr(self._response, "completion_stream", None)
        # OpenAI's stream closes itself; other providers' hold the response, or a generator that reads from it.
        for holder in (stream, getattr(stream, "http_response", None), getattr(stream, "streaming_response", None)):
            close = getattr(holder, "close", None)
            if callable(close):
                close()
