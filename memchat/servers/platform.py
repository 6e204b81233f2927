"""The paths of mem0's hosted service, so that its `MemoryClient` works against this server with `host=`.

It sends many fields that mean something there alone; what is not known here is left out, unlike on the other paths.
"""

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from memchat.errors import UsageError
from memchat.servers.answers import Json
from memchat.servers.bodies import Pairs
from memchat.servers.model_calls import ModelCalls
from memchat.servers.reach import ReachedMemory

PAGE_SIZE = 100


class Lenient(BaseModel):
    """A body of which the known fields are read."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    def keywords(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None}


class HostedIds(Lenient):
    user_id: str | int | None = None
    agent_id: str | int | None = None
    run_id: str | int | None = None


class HostedAdd(HostedIds):
    messages: str | list[dict[str, Any]]
    metadata: Pairs | None = None
    infer: bool | None = None
    expiration_date: str | None = None
    prompt: Annotated[str | None, Field(alias="custom_instructions")] = None


class HostedList(HostedIds):
    filters: Pairs | None = None
    show_expired: bool | None = None


class HostedSearch(HostedList):
    query: str
    top_k: int | None = None
    limit: int | None = None
    threshold: float | None = None
    rerank: bool | None = None


class HostedUpdate(Lenient):
    text: str | None = None
    metadata: Pairs | None = None
    expiration_date: str | None = None


class HostedChange(HostedUpdate):
    memory_id: str


class Batch(Lenient):
    memories: list[HostedChange]


_HIDDEN: dict[str, Any] = {"include_in_schema": False}


def add_platform_routes(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """Serve what `MemoryClient` calls. These paths are in no OpenAPI document."""

    @api.get("/v1/ping/", **_HIDDEN)
    async def ping() -> Json:
        # The client wants names for these two before it does anything else.
        return Json({"status": "ok", "org_id": "memchat", "project_id": "memchat", "user_email": None})

    _add_many(api, memory, calls)
    _add_one(api, memory)
    _add_entities(api, memory)
    _add_batches(api, memory)


def _add_many(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """Add, search, list and erase the memories of somebody."""

    @api.post("/v3/memories/add/", **_HIDDEN)
    async def add(body: HostedAdd) -> Json:
        given = body.keywords()
        run = run_in_threadpool if body.infer is False else calls.run
        return Json(await run(memory.add, **given))

    @api.post("/v3/memories/search/", **_HIDDEN)
    def search(body: HostedSearch) -> Json:
        return Json(memory.search(**body.keywords()))

    @api.post("/v3/memories/", **_HIDDEN)
    def get_all(request: Request, body: HostedList) -> Json:
        page, size = (_number(request, *one) for one in (("page", 1), ("page_size", PAGE_SIZE)))
        rows = memory.get_all(**body.keywords(), limit=size + 1, offset=(page - 1) * size)["results"]
        more = f"{request.url.path}?page={page + 1}&page_size={size}" if len(rows) > size else None
        return Json({"count": memory.count(**body.keywords()), "next": more, "previous": None, "results": rows[:size]})

    @api.delete("/v1/memories/", **_HIDDEN)
    def delete_all(query: Annotated[HostedIds, Query()]) -> Json:
        return Json(memory.delete_all(**query.keywords()))


def _add_one(api: FastAPI, memory: ReachedMemory) -> None:
    """Read, change and erase one memory."""

    @api.get("/v1/memories/{memory_id}/", **_HIDDEN)
    def get(memory_id: str) -> Json:
        return Json(memory.get(memory_id))

    @api.put("/v1/memories/{memory_id}/", **_HIDDEN)
    def update(memory_id: str, body: HostedUpdate) -> Json:
        memory.update(memory_id, **body.keywords())
        return Json(memory.get(memory_id))

    @api.delete("/v1/memories/{memory_id}/", **_HIDDEN)
    def delete(memory_id: str) -> Json:
        return Json(memory.delete(memory_id))

    @api.get("/v1/memories/{memory_id}/history/", **_HIDDEN)
    def history(memory_id: str) -> Json:
        return Json(memory.history(memory_id))


def _add_entities(api: FastAPI, memory: ReachedMemory) -> None:
    """List users and agents, and erase all that is kept of one."""

    @api.get("/v1/entities/", **_HIDDEN)
    def entities() -> Json:
        return Json({"results": memory.entities()})

    @api.delete("/v2/entities/{kind}/{name}/", **_HIDDEN)
    def delete_entity(kind: str, name: str) -> Json:
        if kind not in {"user", "agent"}:
            raise UsageError(f"There are no entities of the kind {kind!r}.", hint="They are users and agents.")
        return Json(memory.delete_all(**{f"{kind}_id": name}))


def _add_batches(api: FastAPI, memory: ReachedMemory) -> None:
    """Change or erase several memories: all of them, or none where one is unknown."""

    @api.put("/v1/batch/", **_HIDDEN)
    def update_batch(body: Batch) -> Json:
        for change in body.memories:
            memory.get(change.memory_id)
        for change in body.memories:
            memory.update(**change.keywords())
        return Json({"message": f"Successfully updated {len(body.memories)} memories"})

    @api.delete("/v1/batch/", **_HIDDEN)
    def delete_batch(body: Batch) -> Json:
        for one in body.memories:
            memory.get(one.memory_id)
        for one in body.memories:
            memory.delete(one.memory_id)
        return Json({"message": f"Successfully deleted {len(body.memories)} memories"})


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, str(default))
    if not value.isdecimal() or not 1 <= int(value) <= 1_000_000:
        raise UsageError(f"{name} must be a whole number from 1 on.")
    return int(value)
