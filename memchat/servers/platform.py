"""The paths of mem0's hosted service, so that its `MemoryClient` works with this server as `host=`.

The client sends many fields that only the hosted service uses. Unlike on the other paths, unknown fields are ignored.
"""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from memchat.servers.answers import Json
from memchat.servers.bodies import (
    AddResults,
    ChangeRow,
    Conditions,
    Count,
    Day,
    Deleted,
    Done,
    Flag,
    Id,
    MemoryRow,
    Message,
    Pairs,
    Results,
    Text,
    Threshold,
    Words,
    document,
)
from memchat.servers.json_schemas import given_one_of, someone, someone_or_filters
from memchat.servers.model_calls import ModelCalls
from memchat.servers.reach import ReachedMemory

PAGE_SIZE = 100
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


class Lenient(BaseModel):
    """A request body whose unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    def keywords(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None}


class HostedIds(Lenient):
    user_id: Id | None = None
    agent_id: Id | None = None
    run_id: Id | None = None


class HostedAdd(HostedIds):
    model_config = ConfigDict(json_schema_extra=someone())

    messages: Text | list[Message]
    metadata: Pairs | None = None
    infer: Flag | None = None
    expiration_date: Day | None = None
    prompt: Annotated[str | None, Field(alias="custom_instructions")] = None


class HostedList(HostedIds):
    model_config = ConfigDict(json_schema_extra=someone_or_filters())

    filters: Conditions | None = None
    show_expired: Flag | None = None


class HostedSearch(HostedList):
    query: Words
    top_k: Count | None = None
    limit: Count | None = None
    threshold: Threshold | None = None
    rerank: Flag | None = None


class HostedUpdate(Lenient):
    model_config = ConfigDict(json_schema_extra=given_one_of("text", "metadata", "expiration_date"))

    text: Words | None = None
    metadata: Pairs | None = None
    expiration_date: Day | None = None


class HostedChange(HostedUpdate):
    memory_id: str


class Batch(Lenient):
    memories: list[HostedChange]


# Responses.


class Ping(BaseModel):
    status: str
    org_id: str
    project_id: str
    user_email: str | None


class Page(BaseModel):
    """A page of memories; `next` is the path of the next page."""

    count: int
    next: str | None
    previous: str | None
    results: list[MemoryRow]


class EntityRow(BaseModel):
    """A user or an agent with memories."""

    type: str
    name: str
    total_memories: int


class Entities(BaseModel):
    results: list[EntityRow]


def add_platform_routes(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """Serve the paths that `MemoryClient` calls."""

    @api.get("/v1/ping/", responses={**document(Ping)})
    async def ping() -> Json:
        """Confirm that the key is valid."""
        # The client requires names for these two before it does anything else.
        return Json({"status": "ok", "org_id": "memchat", "project_id": "memchat", "user_email": None})

    _add_many(api, memory, calls)
    _add_one(api, memory)

    @api.get("/v1/entities/", responses={**document(Entities)})
    def entities() -> Json:
        """List the users and agents that have memories."""
        return Json({"results": memory.entities()})

    @api.delete("/v2/entities/{kind}/{name}/", responses={**document(Deleted)})
    def delete_entity(kind: Literal["user", "agent"], name: str) -> Json:
        """Permanently delete all memories of a user or an agent."""
        return Json(memory.delete_all(**{f"{kind}_id": name}))

    _add_batches(api, memory)


def _add_many(api: FastAPI, memory: ReachedMemory, calls: ModelCalls) -> None:
    """Add, search, list and delete the memories of a user, agent or run."""

    @api.post("/v3/memories/add/", responses={**document(AddResults)})
    async def add(body: HostedAdd) -> Json:
        """Learn from messages, or store them verbatim if `infer` is false."""
        given = body.keywords()
        run = run_in_threadpool if body.infer is False else calls.run
        return Json(await run(memory.add, **given))

    @api.post("/v3/memories/search/", responses={**document(Results)})
    def search(body: HostedSearch) -> Json:
        """Search for memories relevant to a request, best first."""
        return Json(memory.search(**body.keywords()))

    @api.post("/v3/memories/", responses={**document(Page)})
    def get_all(body: HostedList, page: PageNumber = 1, page_size: PageNumber = PAGE_SIZE) -> Json:
        """List a page of the current memories, newest first."""
        rows = memory.get_all(**body.keywords(), limit=page_size + 1, offset=(page - 1) * page_size)["results"]
        more = f"/v3/memories/?page={page + 1}&page_size={page_size}" if len(rows) > page_size else None
        shown = rows[:page_size]
        return Json({"count": memory.count(**body.keywords()), "next": more, "previous": None, "results": shown})

    @api.delete("/v1/memories/", responses={**document(Deleted)})
    def delete_all(query: Annotated[HostedIds, Query()]) -> Json:
        """Permanently delete all memories of a user, an agent, a user with an agent, or a run."""
        return Json(memory.delete_all(**query.keywords()))


def _add_one(api: FastAPI, memory: ReachedMemory) -> None:
    """Read, change and delete one memory."""

    @api.get("/v1/memories/{memory_id}/", responses={**document(MemoryRow)})
    def get(memory_id: str) -> Json:
        """Return one memory, superseded or not."""
        return Json(memory.get(memory_id))

    @api.put("/v1/memories/{memory_id}/", responses={**document(MemoryRow)})
    def update(memory_id: str, body: HostedUpdate) -> Json:
        """Change a memory and return its new state."""
        memory.update(memory_id, **body.keywords())
        return Json(memory.get(memory_id))

    @api.delete("/v1/memories/{memory_id}/", responses={**document(Done)})
    def delete(memory_id: str) -> Json:
        """Permanently delete a memory with all its versions."""
        return Json(memory.delete(memory_id))

    @api.get("/v1/memories/{memory_id}/history/", responses={**document(list[ChangeRow])})
    def history(memory_id: str) -> Json:
        """List the changes to a memory and to the versions it superseded, oldest first."""
        return Json(memory.history(memory_id))


def _add_batches(api: FastAPI, memory: ReachedMemory) -> None:
    """Change or delete several memories: all of them, or none if one is unknown."""

    @api.put("/v1/batch/", responses={**document(Done)})
    def update_batch(body: Batch) -> Json:
        """Change all of these memories, or none if one is unknown."""
        for change in body.memories:
            memory.get(change.memory_id)
        for change in body.memories:
            memory.update(**change.keywords())
        return Json({"message": f"Successfully updated {len(body.memories)} memories"})

    @api.delete("/v1/batch/", responses={**document(Done)})
    def delete_batch(body: Batch) -> Json:
        """Permanently delete all of these memories, or none if one is unknown."""
        for one in body.memories:
            memory.get(one.memory_id)
        for one in body.memories:
            memory.delete(one.memory_id)
        return Json({"message": f"Successfully deleted {len(body.memories)} memories"})
