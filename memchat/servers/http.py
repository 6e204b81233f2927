"""`Memory` over HTTP: `POST /chat`, and the paths of mem0's own server. Each route makes one call.

The fields of a body are the keyword arguments of the call. Unknown fields are rejected: ignoring a misspelt filter
would widen the request.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from memchat import __version__
from memchat.api.memory import Memory
from memchat.errors import MemchatError
from memchat.mem0.rows import Row
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
from memchat.servers.model_calls import LEARNING, ModelCalls
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
"""No telemetry: FastAPI would pass what users write to any OpenTelemetry exporter configured in this process."""


def _error_event(error: BaseException) -> str:
    detail, hint = (error.message, error.hint) if isinstance(error, MemchatError) else (BUG, None)
    return event({"detail": detail, "hint": hint}, "error")


CHAT_EVENTS: Events[str, Row] = Events(
    lambda text: event({"text": text}, "delta"), lambda row: event(row, "done"), _error_event
)
"""The server-sent events of a streamed turn."""


def create_app(
    memory: Memory, key: str | None = None, *, everybody: bool = False, mcp: ASGIApp | None = None
) -> ASGIApp:
    """Create the application of the server; `AccessMiddleware` says who may use it.

    `mcp` serves the Model Context Protocol at /mcp and receives the lifespan events of the server.
    """
    keys, metrics = Keys.of(key, memory.settings.home), Metrics()
    page = PageSession(keys)
    api: ASGIApp = create_api(memory, page, metrics, guarded=keys.guarded)
    if mcp is not None:
        api = WithMCP(api, mcp)
    return Observed(AccessMiddleware(api, keys, everybody=everybody, page=page), metrics)


class WithMCP:
    """Routes /mcp and the lifespan events to `mcp`, and everything else to `api`."""

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
    """Create all routes. The caller must set whose memories a request reaches; see `memchat.servers.reach`."""
    api = FastAPI(
        title="memchat",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=SILENT,
        responses={"default": {"model": Failure}},
    )
    reached, calls, learning = ReachedMemory(memory), ModelCalls(), ModelCalls(LEARNING)
    # No separate routers: the Allow header is computed from the application's own routes.
    api.router.route_class = StrictRoute
    _add_monitoring(api, memory, metrics, (calls, learning))
    _add_model_calls(api, reached, calls, learning)
    _add_memories(api, reached)
    add_openai_routes(api, reached, calls)
    add_platform_routes(api, reached, learning)
    merge_ids(api.openapi())
    if guarded:
        # The document says how to send the key.
        schema = api.openapi()
        schema.setdefault("components", {})["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        schema["security"] = [{"bearer": []}, {"header": []}]
        for path in HEALTH:
            for operation in schema["paths"][path].values():
                operation["security"] = []
    Page(memory, page).add_to(api)
    add_handlers(api)
    return api


def _add_monitoring(api: FastAPI, memory: Memory, metrics: Metrics, calls: Sequence[ModelCalls]) -> None:
    """Serve the health checks and the counters.

    Health checks run on the event loop, so that they never wait for a thread. The counters are for clients with access
    to all memories.
    """
    memory.on_recall = metrics.recall

    @api.head("/health", include_in_schema=False)
    @api.get("/health", responses={**document(Status)})
    async def health() -> Json:
        """Return ok while the process is running."""
        return Json({"status": "ok"})

    @api.head("/ready", include_in_schema=False)
    @api.get("/ready", responses={**document(Status), **document(Status, 503)})
    async def ready() -> Json:
        """Return ready once the model libraries are loaded; before that, the first reply is slow."""
        return Json({"status": "ready"}) if memory.ready else Json({"status": "starting"}, 503, {"Retry-After": "1"})

    @api.get("/metrics", responses={200: {"content": {CONTENT_TYPE.partition(";")[0]: {"schema": {"type": "string"}}}}})
    def show_metrics() -> PlainTextResponse:
        """Return counters for Prometheus: requests, durations, turns, recalled memories and queue lengths."""
        refuse_unless_everybody()
        with memory.connection() as connection:
            waiting = len(connection.store.work.pending())
        gauges = {
            "memchat_learning_queue": ("Messages that are not learned from yet.", waiting),
            "memchat_model_requests": ("Requests that are waiting for a model.", sum(one.pending for one in calls)),
        }
        return PlainTextResponse(metrics.text(gauges), media_type=CONTENT_TYPE)


def _add_model_calls(api: FastAPI, memory: ReachedMemory, calls: ModelCalls, learning: ModelCalls) -> None:
    """Serve the paths that call a model, on threads of their own; an add that does not learn needs none."""

    @api.post("/chat", responses={**document(ChatAnswer, streamed=True)})
    async def chat(body: ChatRequest, request: Request) -> Response:
        """Run one turn: recall, answer, and learn from it in the background.

        With `Accept: text/event-stream` the reply comes in `delta` events of {"text"}, followed by `done` with the body
        of the plain response, or `error` with {"detail", "hint"}.
        """
        if "text/event-stream" in request.headers.get("accept", ""):
            relay = Relay(lambda: memory.chat_stream(**body.keywords()), calls)
            return await event_stream(relay, CHAT_EVENTS)
        return Json(await calls.run(memory.chat, **body.keywords()))

    @api.post("/memories", responses={**document(AddResults)})
    async def add(body: AddRequest) -> Json:
        """Learn from messages, or store them verbatim if `infer` is false."""
        given = body.keywords()
        if body.infer is False:
            return Json(await run_in_threadpool(memory.add, **given))
        return Json(await learning.run(memory.add, **given))


def _add_memories(api: FastAPI, memory: ReachedMemory) -> None:
    """Serve reads and changes. Each runs to its end on a pool thread, even if the client disconnects."""

    @api.get("/memories", responses={**document(Results)})
    def get_all(query: Annotated[ListRequest, Query()]) -> Json:
        """List the current memories, newest first; `limit` and `offset` select a page."""
        return Json(memory.get_all(**query.keywords()))

    @api.delete("/memories", responses={**document(Deleted)})
    def delete_all(query: Annotated[EntityIds, Query()]) -> Json:
        """Permanently delete all memories of a user, an agent, a user with an agent, or a run."""
        return Json(memory.delete_all(**query.keywords()))

    @api.post("/search", responses={**document(Results)})
    def search(body: SearchRequest) -> Json:
        """Search for memories relevant to a request, best first."""
        return Json(memory.search(**body.keywords()))

    @api.get("/memories/{memory_id}", responses={**document(MemoryRow)})
    def get(memory_id: str) -> Json:
        """Return one memory, superseded or not."""
        return Json(memory.get(memory_id))

    @api.put("/memories/{memory_id}", responses={**document(Done)})
    def update(memory_id: str, body: UpdateRequest) -> Json:
        """Change the text of a memory, or add to its metadata."""
        return Json(memory.update(memory_id, **body.keywords()))

    @api.delete("/memories/{memory_id}", responses={**document(Done)})
    def delete(memory_id: str) -> Json:
        """Permanently delete a memory with all its versions."""
        return Json(memory.delete(memory_id))

    @api.get("/memories/{memory_id}/history", responses={**document(list[ChangeRow])})
    def history(memory_id: str) -> Json:
        """List the changes to a memory and to the versions it superseded, oldest first."""
        return Json(memory.history(memory_id))
