"""OpenAI's chat API with memory: any client gains it by changing its base URL.

The user is the request's `user`, a header, the user of the token, or the user of the settings, in this order. A header
with a chat id selects the conversation. The configured model always answers, and the response names it.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from starlette.responses import Response

from memchat.errors import MemchatError
from memchat.servers.answers import Json, openai_error
from memchat.servers.bodies import document
from memchat.servers.failures import BUG, status_of
from memchat.servers.model_calls import ModelCalls
from memchat.servers.reach import ReachedMemory
from memchat.servers.streaming import Events, Relay, event, event_stream

USER_HEADERS = ("x-memchat-user", "x-openwebui-user-email", "x-openwebui-user-id")
"""Headers that name the user if the body does not; Open WebUI sends its own with ENABLE_FORWARD_USER_INFO_HEADERS."""
CONVERSATION_HEADERS = ("x-memchat-conversation", "x-openwebui-chat-id")
DONE = "data: [DONE]\n\n"


class CompletionRequest(BaseModel):
    """A chat completion request of an OpenAI client. Further known fields are passed on, unknown ones ignored."""

    model_config = ConfigDict(extra="allow")

    messages: list[dict[str, Any]] = Field(min_length=1)
    model: str | None = None
    stream: StrictBool | None = None
    user: str | None = None


class ModelCard(BaseModel):
    id: str
    object: str
    created: int
    owned_by: str


class Models(BaseModel):
    object: str
    data: list[ModelCard]


class Completion(BaseModel):
    """A chat completion. With `stream`, its chunks are sent as events, followed by [DONE]."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]


class Failure(BaseModel):
    """A failure in OpenAI's format."""

    error: dict[str, Any]


def add_openai_routes(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """Serve /v1/models and /v1/chat/completions."""
    failures: dict[int | str, dict[str, Any]] = {"default": {"model": Failure}}

    @api.get("/v1/models", responses={**document(Models), **failures})
    def models() -> Json:
        """List the configured model."""
        return Json({"object": "list", "data": [_card(memory.model)]})

    @api.get("/v1/models/{name:path}", responses={**document(ModelCard), **failures})
    def one_model(name: str) -> Json:
        """Return the configured model, for any requested name."""
        return Json(_card(memory.model))

    @api.post("/v1/chat/completions", responses={**document(Completion, streamed=True), **failures})
    async def complete(body: CompletionRequest, request: Request) -> Response:
        """Complete a chat with recalled memories in the prompt, and learn from the user's last message."""
        user = body.user or _header(request, USER_HEADERS) or memory.user
        run = _header(request, CONVERSATION_HEADERS)
        completion = body.model_dump(exclude={"user", "model", "stream"}, exclude_none=True)
        if not body.stream:
            return Json(await calls.run(memory.complete, completion, user, run_id=run))
        relay = Relay(lambda: memory.complete_stream(completion, user, run_id=run), calls)
        return await event_stream(relay, Events(event, lambda _: DONE, _error_event))


def _error_event(error: BaseException) -> str:
    """Format a failure within a stream as an event in OpenAI's format."""
    if isinstance(error, MemchatError):
        return event(openai_error(status_of(error), error.message, error.hint))
    return event(openai_error(500, BUG))


def _card(name: str) -> Mapping[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "memchat"}


def _header(request: Request, names: tuple[str, ...]) -> str | None:
    """Return the first of these headers that is not blank. Clients send them as UTF-8."""
    for name in names:
        value = request.headers.get(name, "").encode("latin-1").decode("utf-8", "replace").strip()
        if value:
            return value
    return None
