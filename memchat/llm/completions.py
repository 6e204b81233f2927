"""Pass chat completions on in OpenAI's format, for clients with their own messages, tools and formats."""

import os
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any
from uuid import uuid4

from memchat.core.protocols import Clock, LanguageModel, ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.llm.endpoint import Endpoint
from memchat.llm.litellm_setup import litellm
from memchat.llm.litellm_transport import OpenStream
from memchat.llm.provider_apis import resolve_endpoint
from memchat.llm.provider_errors import cut_off, not_a_reply, translate_errors
from memchat.llm.retry import RetryPolicy

Json = dict[str, Any]

PASSED_ON = frozenset(
    "temperature top_p n stop max_tokens max_completion_tokens presence_penalty frequency_penalty logit_bias seed "
    "tools tool_choice parallel_tool_calls functions function_call response_format reasoning_effort logprobs "
    "top_logprobs stream_options modalities audio prediction verbosity".split()
)
"""The fields of a request that reach the model; other fields are left out."""


class LiteLLMCompletions:
    """Implements `core.protocols.CompletionModel` for any model LiteLLM can reach."""

    def __init__(self, endpoint: Endpoint, retry: RetryPolicy) -> None:
        self._endpoint = endpoint
        self._retry = retry

    @property
    def name(self) -> str:
        return self._endpoint.model

    def complete(self, request: Mapping[str, Any]) -> Json:
        def attempt() -> Json:
            found = _plain(self._call(request))
            if not found.get("choices"):
                raise not_a_reply(self._endpoint)
            return found

        return self._retry.run(attempt)

    def stream(self, request: Mapping[str, Any]) -> Generator[Json, None, None]:
        response = self._retry.run(lambda: self._call(request, stream=True))
        chunks = 0
        with closing(OpenStream(response)), translate_errors(self._endpoint):
            for chunk in response:
                chunks += 1
                yield _plain(chunk)
        if not chunks:
            raise not_a_reply(self._endpoint)
        if not (response.received_finish_reason or response.intermittent_finish_reason):
            raise cut_off(self._endpoint)

    def _call(self, request: Mapping[str, Any], **more: Any) -> Any:
        endpoint = resolve_endpoint(self._endpoint, os.environ)
        given = {name: value for name, value in request.items() if name in PASSED_ON and value is not None}
        access = {"api_key": endpoint.api_key, "api_base": endpoint.api_base}
        with translate_errors(endpoint):
            return litellm().completion(
                model=endpoint.model,
                messages=request["messages"],
                timeout=endpoint.timeout_s,
                max_retries=0,
                drop_params=True,
                **{name: value for name, value in access.items() if value is not None},
                **given,
                **more,
            )


def _plain(response: Any) -> Json:
    """Return a response of LiteLLM as JSON, without fields that are not OpenAI's."""
    found: Json = response.model_dump(mode="json", exclude_none=True, exclude={"citations", "provider_specific_fields"})
    for choice in found.get("choices", ()):
        for part in ("message", "delta"):
            if part in choice:
                choice[part].pop("provider_specific_fields", None)
        if "message" in choice:
            choice["message"].setdefault("content", None)
    return found


class TextCompletions:
    """Implements `core.protocols.CompletionModel` with a text-only model: the offline one."""

    def __init__(self, model: LanguageModel, clock: Clock) -> None:
        self._model = model
        self._clock = clock

    @property
    def name(self) -> str:
        return self._model.name

    def complete(self, request: Mapping[str, Any]) -> Json:
        completion = self._model.complete(_text_request(request))
        message = {"role": "assistant", "content": completion.text}
        usage = completion.usage
        return {
            **self._common("chat.completion"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage_json(usage.prompt_tokens, usage.completion_tokens) if usage else _usage_json(0, 0),
        }

    def stream(self, request: Mapping[str, Any]) -> Generator[Json, None, None]:
        common = self._common("chat.completion.chunk")
        usage = None
        yield {**common, "choices": [_choice({"role": "assistant", "content": ""})]}
        for delta in self._model.stream(_text_request(request)):
            usage = delta.usage or usage
            if delta.text:
                yield {**common, "choices": [_choice({"content": delta.text})]}
        yield {**common, "choices": [_choice({}, "stop")]}
        if usage is not None and (request.get("stream_options") or {}).get("include_usage"):
            yield {**common, "choices": [], "usage": _usage_json(usage.prompt_tokens, usage.completion_tokens)}

    def _common(self, kind: str) -> Json:
        created = int(self._clock().timestamp())
        return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": created, "model": self.name}


def _choice(delta: Json, finish_reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _usage_json(prompt: int, completion: int) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _text_request(request: Mapping[str, Any]) -> ModelRequest:
    roles = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
    messages = [
        PromptMessage(roles[message["role"]], text)
        for message in request["messages"]
        if message.get("role") in roles and isinstance(text := message.get("content"), str)
    ]
    return ModelRequest(messages)
