"""`Memory` over HTTP: `POST /chat`, and the paths of mem0's own server. Every route is one call.

A body's fields are the keywords of the call, and one that it does not know is refused: a misspelt name must not widen
what is meant. What fails is answered with `{"detail": sentence, "hint": sentence or null}`.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp

from memchat import __version__
from memchat.api import Memory
from memchat.errors import MemchatError, ModelError, NotFound, RateLimited, StoreBusy, UsageError
from memchat.mem0.schemas import Row
from memchat.servers.access import AccessMiddleware, Json, answer

STATUS: tuple[tuple[type[MemchatError], int], ...] = (
    (UsageError, 400),
    (NotFound, 404),
    (RateLimited, 429),
    (ModelError, 502),
    (StoreBusy, 503),
    (MemchatError, 500),
)
"""Of an error by the first class that it is of."""
SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI would hand what people wrote to whatever OpenTelemetry is set up in this process."""

_SHOWN = 3
_LONGEST = 100


class Body(BaseModel):
    """What a request may hold."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def keywords(self) -> dict[str, Any]:
        """What was given, under its own names."""
        return self.model_dump(exclude_unset=True)


class EntityIds(Body):
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None


class ListRequest(EntityIds):
    limit: int | None = None
    top_k: int | None = None
    show_expired: bool = False


class SearchRequest(ListRequest):
    query: str
    filters: dict[str, Any] | None = None
    threshold: float | None = None
    explain: bool = False


class Message(BaseModel):
    """As OpenAI's clients send it; of its fields these two are read."""

    role: str
    content: str | list[dict[str, Any]] | None


class AddRequest(EntityIds):
    messages: str | list[Message]
    metadata: dict[str, Any] | None = None
    infer: bool = True
    prompt: str | None = None
    expiration_date: str | None = None


class ChatRequest(Body):
    message: Annotated[str, Field(min_length=1)]
    user_id: str
    agent_id: str | None = None
    run_id: str | None = None
    system: str | None = None
    prompt: str | None = None
    metadata: dict[str, Any] | None = None


class UpdateRequest(Body):
    text: str | None = None
    data: str | None = None
    metadata: dict[str, Any] | None = None
    expiration_date: str | None = None


class Failure(BaseModel):
    """What happened, and what to do next."""

    detail: str
    hint: str | None


def create_app(memory: Memory, key: str | None = None, *, everybody: bool = False) -> ASGIApp:
    """The whole server but for the socket; see `AccessMiddleware` for who may come in."""
    api = FastAPI(
        title="memchat",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=SILENT,
        responses={"default": {"model": Failure}},
    )
    api.include_router(_routes(memory))
    _answer_failures(api)
    return AccessMiddleware(api, key, everybody=everybody)


def _routes(memory: Memory) -> APIRouter:
    """They are synchronous: each runs on a thread of its own, to its end even where the client has hung up."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Says ok, on no thread of those that others wait for."""
        return {"status": "ok"}

    @router.post("/chat")
    def chat(body: ChatRequest) -> Row:
        """One whole turn: recall, answer, and learn from it in the background."""
        return memory.chat(**body.keywords())

    @router.post("/memories")
    def add(body: AddRequest) -> Row:
        """Learn from messages, or with `infer` false keep them as they are."""
        return memory.add(**body.keywords())

    @router.get("/memories")
    def get_all(query: Annotated[ListRequest, Query()]) -> Row:
        """Every current memory, newest first."""
        return memory.get_all(**query.keywords())

    @router.delete("/memories")
    def delete_all(query: Annotated[EntityIds, Query()]) -> Row:
        """Erase all that is kept of a user, of an agent, of a user with an agent, or of a run."""
        return memory.delete_all(**query.keywords())

    @router.post("/search")
    def search(body: SearchRequest) -> Row:
        """The memories that bear on a request, best first."""
        return memory.search(**body.keywords())

    @router.get("/memories/{memory_id}")
    def get(memory_id: str) -> Row:
        """One memory, superseded or not."""
        return memory.get(memory_id)

    @router.put("/memories/{memory_id}")
    def update(memory_id: str, body: UpdateRequest) -> Row:
        """Put other words in the place of a memory's, or add to its metadata."""
        return memory.update(memory_id, **body.keywords())

    @router.delete("/memories/{memory_id}")
    def delete(memory_id: str) -> Row:
        """Erase a memory with all its versions."""
        return memory.delete(memory_id)

    @router.get("/memories/{memory_id}/history")
    def history(memory_id: str) -> list[Row]:
        """Every change to a memory and to the versions it superseded, oldest first."""
        return memory.history(memory_id)

    return router


def _answer_failures(api: FastAPI) -> None:
    @api.exception_handler(MemchatError)
    async def failed(request: Request, error: MemchatError) -> Json:
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
        return answer(status, error.message, error.hint, headers)

    @api.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Json:
        detail = f"The request cannot be used: {_faults(error.errors())}."
        return answer(422, detail, "GET /openapi.json says what each path takes.")

    @api.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Json:
        return answer(error.status_code, f"{error.detail.rstrip('.')}.", headers=error.headers)

    @api.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Json:
        return answer(500, "This is a bug in memchat.", "The server's own output says where it is.")


def _faults(errors: Iterable[Any]) -> str:
    """What is wrong by the names of the fields, without what is in them."""
    found = dict.fromkeys(f"{_place(error['loc'])}: {error['msg']}" for error in errors)
    return "; ".join(list(found)[:_SHOWN])


def _place(parts: Iterable[object]) -> str:
    return ".".join(map(str, parts))[:_LONGEST]
