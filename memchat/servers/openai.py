"""OpenAI's chat API with a memory behind it: any client gets one by another base URL.

The person is the request's `user`, else a header, else the user of the token or of the settings. A header with the id
of a chat makes it a conversation of its own. Whatever model a client names, the configured one answers, and the answer
says which.
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

PERSON_HEADERS = ("x-memchat-user", "x-openwebui-user-email", "x-openwebui-user-id")
"""Who is speaking, where the body does not say; Open WebUI sends its own with ENABLE_FORWARD_USER_INFO_HEADERS."""
CONVERSATION_HEADERS = ("x-memchat-conversation", "x-openwebui-chat-id")
DONE = "data: [DONE]\n\n"


class CompletionRequest(BaseModel):
    """A chat completion as OpenAI's clients ask for it; further fields are passed on, or left out if unknown."""

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
    """A whole chat completion; with `stream` its chunks come as events, closed by [DONE]."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]


class Failure(BaseModel):
    """A failure in OpenAI's shape."""

    error: dict[str, Any]


def add_openai_routes(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """Serve /v1/models and /v1/chat/completions."""
    failures: dict[int | str, dict[str, Any]] = {"default": {"model": Failure}}

    @api.get("/v1/models", responses={**document(Models), **failures})
    def models() -> Json:
        """The one model that answers."""
        return Json({"object": "list", "data": [_card(memory.model)]})

    @api.get("/v1/models/{name:path}", responses={**document(ModelCard), **failures})
    def one_model(name: str) -> Json:
        """The model that answers, by whatever name it is asked for."""
        return Json(_card(memory.model))

    @api.post("/v1/chat/completions", responses={**document(Completion, streamed=True), **failures})
    async def complete(body: CompletionRequest, request: Request) -> Response:
        """A chat completion with what is remembered put in; the last message of the user is learned from."""
        person = body.user or _header(request, PERSON_HEADERS) or memory.user
        run = _header(request, CONVERSATION_HEADERS)
        asked = body.model_dump(exclude={"user", "model", "stream"}, exclude_none=True)
        if not body.stream:
            return Json(await calls.run(memory.complete, asked, person, run_id=run))
        relay = Relay(lambda: memory.complete_stream(asked, person, run_id=run), calls)
        return await event_stream(relay, Events(event, lambda _: DONE, _failed))


def _failed(error: BaseException) -> str:
    """A failure in the middle of a stream, as OpenAI's clients read it."""
    if isinstance(error, MemchatError):
        return event(openai_error(status_of(error), error.message, error.hint))
    return event(openai_error(500, BUG))


def _card(name: str) -> Mapping[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "memchat"}


def _header(request: Request, names: tuple[str, ...]) -> str | None:
    """The first of these headers that says something. Clients send them as UTF-8."""
    for name in names:
        value = request.headers.get(name, "").encode("latin-1").decode("utf-8", "replace").strip()
        if value:
            return value
    return None
