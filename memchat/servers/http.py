"""`Memory` over HTTP: `POST /chat`, and the paths of mem0's own server. Every route is one call.

A body's fields are the keywords of the call, and one that it does not know is refused: a misspelt name must not widen
what is meant.
"""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from memchat import __version__
from memchat.api import Memory
from memchat.errors import MemchatError
from memchat.mem0.schemas import Row
from memchat.servers.access import HEALTH, AccessMiddleware
from memchat.servers.answers import Json
from memchat.servers.bodies import (
    AddRequest,
    AddResults,
    ChangeRow,
    ChatAnswer,
    ChatRequest,
    Deleted,
    Done,
    EntityIds,
    Failure,
    ListRequest,
    MemoryRow,
    Results,
    SearchRequest,
    Status,
    UpdateRequest,
    document,
)
from memchat.servers.failures import BUG, add_handlers
from memchat.servers.json_schemas import merge_ids
from memchat.servers.keys import Keys
from memchat.servers.metrics import CONTENT_TYPE, Metrics
from memchat.servers.model_calls import ModelCalls
from memchat.servers.observation import Observed, TemplateRoute
from memchat.servers.openai import add_openai_routes
from memchat.servers.page.routes import Page
from memchat.servers.page.session import PageSession
from memchat.servers.platform import add_platform_routes
from memchat.servers.reach import ReachedMemory, refuse_unless_everybody
from memchat.servers.streaming import Events, Relay, event, event_stream
from memchat.servers.strict_json import StrictRoute

SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI would hand what people wrote to whatever OpenTelemetry is set up in this process."""


def _failed(error: BaseException) -> str:
    if isinstance(error, MemchatError):
        return event({"detail": error.message, "hint": error.hint}, "error")
    return event({"detail": BUG, "hint": None}, "error")


CHAT_EVENTS: Events[str, Row] = Events(
    lambda text: event({"text": text}, "delta"), lambda row: event(row, "done"), _failed
)
"""A streamed turn."""


def create_app(
    memory: Memory, key: str | None = None, *, everybody: bool = False, mcp: ASGIApp | None = None
) -> ASGIApp:
    """The whole server but for the socket; see `AccessMiddleware` for who may come in.

    `mcp` serves the Model Context Protocol at /mcp, and wants to be told of the start and the end of the server.
    """
    keys, metrics = Keys.of(key, memory.settings.home), Metrics()
    page = PageSession(keys)
    api: ASGIApp = create_api(memory, page, metrics, guarded=keys.guarded)
    if mcp is not None:
        api = WithMCP(api, mcp)
    return Observed(AccessMiddleware(api, keys, everybody=everybody, page=page), metrics)


class WithMCP:
    """`api`, with `mcp` at its path. The lifespan of the server is that of `mcp`, for the other has none."""

    def __init__(self, api: ASGIApp, mcp: ASGIApp) -> None:
        self._api = api
        self._mcp = mcp
        self._route = TemplateRoute("/mcp", mcp)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != self._route.path:
            await self._api(scope, receive, send)
            return
        scope["route"] = self._route
        await self._mcp(scope, receive, send)


def create_api(memory: Memory, page: PageSession, metrics: Metrics, *, guarded: bool) -> FastAPI:
    """All routes. Whose memories a request reaches must be set around it; see `memchat.servers.reach`."""
    api = FastAPI(
        title="memchat",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=SILENT,
        responses={"default": {"model": Failure}},
    )
    reached, calls = ReachedMemory(memory), ModelCalls()
    # Not by routers of their own: what a path allows is then known from the application's routes.
    api.router.route_class = StrictRoute
    _add_health(api, reached)
    _add_metrics(api, memory, metrics, calls)
    _add_turns(api, reached, calls)
    _add_memories(api, reached)
    add_openai_routes(api, reached, calls)
    add_platform_routes(api, reached, calls)
    merge_ids(api.openapi())
    if guarded:
        _document_key(api)
    Page(memory, page).add_to(api)
    add_handlers(api)
    return api


def _document_key(api: FastAPI) -> None:
    """Say in the OpenAPI document how the key is brought."""
    schema = api.openapi()
    schema.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    schema["security"] = [{"bearer": []}, {"header": []}]
    for path in HEALTH:
        for operation in schema["paths"][path].values():
            operation["security"] = []


def _add_health(api: FastAPI, memory: ReachedMemory) -> None:
    """Whether the process lives and whether it can answer, on no thread of those that others wait for."""

    @api.head("/health", include_in_schema=False)
    @api.get("/health", responses={**document(Status)})
    async def health() -> Json:
        """Says ok as long as the process lives."""
        return Json({"status": "ok"})

    @api.head("/ready", include_in_schema=False)
    @api.get("/ready", responses={**document(Status), **document(Status, 503)})
    async def ready() -> Json:
        """Says ready once the models' libraries are loaded: before, a first answer takes long."""
        return Json({"status": "ready"}) if memory.ready else Json({"status": "starting"}, 503, {"Retry-After": "1"})


def _add_metrics(api: FastAPI, memory: Memory, metrics: Metrics, calls: ModelCalls) -> None:
    """Count what the memory does, and show the counters to who may see everybody's."""
    memory.on_recall = metrics.recall

    @api.get("/metrics", responses={200: {"content": {CONTENT_TYPE.partition(";")[0]: {"schema": {"type": "string"}}}}})
    def show_metrics() -> PlainTextResponse:
        """Counters for Prometheus: requests, durations, turns, memories recalled, and what waits."""
        refuse_unless_everybody()
        with memory.connection() as place:
            waiting = len(place.store.work.pending())
        gauges = {
            "memchat_learning_queue": ("Messages that wait to be learned from.", waiting),
            "memchat_model_requests": ("Requests that wait for a model.", calls.pending),
        }
        return PlainTextResponse(metrics.text(gauges), media_type=CONTENT_TYPE)


def _add_turns(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """What waits for a model, on threads of its own."""

    @api.post("/chat", responses={**document(ChatAnswer, streamed=True)})
    async def chat(body: ChatRequest, request: Request) -> Response:
        """One whole turn: recall, answer, and learn from it in the background.

        With `Accept: text/event-stream` the reply comes in `delta` events of {"text"}, then `done` with what the plain
        answer holds, or `error` with {"detail", "hint"}.
        """
        if "text/event-stream" in request.headers.get("accept", ""):
            relay = Relay(lambda: memory.chat_stream(**body.keywords()), calls)
            return await event_stream(relay, CHAT_EVENTS)
        return Json(await calls.run(memory.chat, **body.keywords()))

    @api.post("/memories", responses={**document(AddResults)})
    async def add(body: AddRequest) -> Json:
        """Learn from messages, or with `infer` false keep them as they are."""
        given = body.keywords()
        if body.infer is False:
            return Json(await run_in_threadpool(memory.add, **given))
        return Json(await calls.run(memory.add, **given))


def _add_memories(api: FastAPI, memory: ReachedMemory) -> None:
    """Reads and changes. Each runs on a thread of the common ones, to its end even where the client has hung up."""

    @api.get("/memories", responses={**document(Results)})
    def get_all(query: Annotated[ListRequest, Query()]) -> Json:
        """Every current memory, newest first; with `limit` and `offset` a page of them."""
        return Json(memory.get_all(**query.keywords()))

    @api.delete("/memories", responses={**document(Deleted)})
    def delete_all(query: Annotated[EntityIds, Query()]) -> Json:
        """Erase all that is kept of a user, of an agent, of a user with an agent, or of a run."""
        return Json(memory.delete_all(**query.keywords()))

    @api.post("/search", responses={**document(Results)})
    def search(body: SearchRequest) -> Json:
        """The memories that bear on a request, best first."""
        return Json(memory.search(**body.keywords()))

    @api.get("/memories/{memory_id}", responses={**document(MemoryRow)})
    def get(memory_id: str) -> Json:
        """One memory, superseded or not."""
        return Json(memory.get(memory_id))

    @api.put("/memories/{memory_id}", responses={**document(Done)})
    def update(memory_id: str, body: UpdateRequest) -> Json:
        """Put other words in the place of a memory's, or add to its metadata."""
        return Json(memory.update(memory_id, **body.keywords()))

    @api.delete("/memories/{memory_id}", responses={**document(Done)})
    def delete(memory_id: str) -> Json:
        """Erase a memory with all its versions."""
        return Json(memory.delete(memory_id))

    @api.get("/memories/{memory_id}/history", responses={**document(list[ChangeRow])})
    def history(memory_id: str) -> Json:
        """Every change to a memory and to the versions it superseded, oldest first."""
        return Json(memory.history(memory_id))
