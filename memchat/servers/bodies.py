"""Request and response bodies, as the OpenAPI document describes them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema

from memchat.servers.json_schemas import DAY, FILTERS, METADATA, NOT_BLANK, changed, someone, someone_or_filters


def _mapping(value: object) -> object:
    """Accept an empty list for an empty object, as PHP writes it."""
    return {} if value == [] else value


def _number(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("it must be a whole number")
    return value


Whole = Annotated[int, BeforeValidator(_number)]
"""A whole number as JSON Schema defines it: 7.0 is one, "7" and true are not."""
Id = Annotated[str, Field(min_length=1, json_schema_extra=NOT_BLANK)] | Whole
"""An id; numbers are accepted, since many databases use them."""
QueryId = Annotated[Id | None, BeforeValidator(lambda value: None if value == "" else value)]
"""An id in a query; an empty form field means none."""
Pairs = Annotated[dict[str, Any], BeforeValidator(_mapping), WithJsonSchema(METADATA)]
Conditions = Annotated[dict[str, Any], BeforeValidator(_mapping), WithJsonSchema(FILTERS)]
Day = Annotated[str, WithJsonSchema(DAY)]
Flag = StrictBool
"""A boolean in JSON; queries contain text."""
Count = Annotated[int, Field(ge=1), BeforeValidator(_number)]
QueryCount = Annotated[int, Field(ge=1)]
Threshold = Annotated[float, Field(strict=True)]
Text = Annotated[str, Field(min_length=1)]
Words = Annotated[str, Field(min_length=1, json_schema_extra=NOT_BLANK)]


class Body(BaseModel):
    """A request body. A null means the same as a missing field."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def keywords(self) -> dict[str, Any]:
        """Return the fields that were given, by name."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None}


class EntityIds(Body):
    user_id: Id | None = None
    agent_id: Id | None = None
    run_id: Id | None = None


class ListRequest(Body):
    user_id: QueryId = None
    agent_id: QueryId = None
    run_id: QueryId = None
    limit: QueryCount | None = None
    top_k: QueryCount | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    show_expired: bool | None = None


class SearchRequest(EntityIds):
    model_config = ConfigDict(json_schema_extra=someone_or_filters())

    query: Words
    filters: Conditions | None = None
    limit: Count | None = None
    top_k: Count | None = None
    threshold: Threshold | None = None
    rerank: Flag | None = None
    explain: Flag | None = None
    show_expired: Flag | None = None


class Message(BaseModel):
    """A message as OpenAI's clients send it; other fields are ignored."""

    role: str
    content: str | list[dict[str, Any]] | None
    name: str | None = None


class AddRequest(EntityIds):
    model_config = ConfigDict(json_schema_extra=someone())

    messages: Text | list[Message] | Message
    metadata: Pairs | None = None
    infer: Flag | None = None
    memory_type: None = None
    prompt: str | None = None
    expiration_date: Day | None = None


class ChatRequest(Body):
    message: Words
    user_id: Id
    agent_id: Id | None = None
    run_id: Id | None = None
    system: str | None = None
    prompt: str | None = None
    metadata: Pairs | None = None


class UpdateRequest(Body):
    model_config = ConfigDict(json_schema_extra=changed("text", "data", "metadata"))

    text: Words | None = None
    data: Words | None = None
    metadata: Pairs | None = None
    expiration_date: Day | None = None

    def keywords(self) -> dict[str, Any]:
        """Return the fields that were given; a null `expiration_date` removes the date."""
        given = super().keywords()
        if "expiration_date" in self.model_fields_set:
            given["expiration_date"] = self.expiration_date
        return given


# Responses.


class Failure(BaseModel):
    """An error: what happened, and what to do next."""

    detail: str
    hint: str | None


class MemoryRow(BaseModel):
    """A memory. Times are ISO 8601 in UTC; `valid_from` and `valid_to` are days."""

    id: str
    memory: str
    hash: str
    score: float | None = None
    metadata: dict[str, str | int | float | bool]
    categories: list[str]
    created_at: str
    updated_at: str
    valid_from: str | None
    valid_to: str | None
    superseded_by: str | None
    expiration_date: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    actor_id: str | None = None
    role: str | None = None
    score_details: dict[str, float] | None = None


class Results(BaseModel):
    results: list[MemoryRow]


class EventRow(BaseModel):
    """The event of one memory: ADD, UPDATE, DELETE, or NONE if it was known already."""

    id: str
    memory: str
    event: str
    role: str | None = None
    actor_id: str | None = None
    previous_memory: str | None = None
    replaced: list[str] | None = None


class AddResults(BaseModel):
    results: list[EventRow]


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class OutdatedRow(BaseModel):
    """The fact that is true now instead of an excerpt, and the day the old one ended, as far as known."""

    now: str | None
    ended: str | None


class ExcerptRow(BaseModel):
    """An excerpt of a message in an earlier conversation. `role` is `user` or `assistant`."""

    message_id: str
    session_id: str
    role: str
    text: str
    created_at: str
    score: float
    outdated: OutdatedRow | None


class ChatAnswer(BaseModel):
    reply: str
    memories_used: list[MemoryRow]
    excerpts_used: list[ExcerptRow]
    session_id: str
    usage: Usage | None


class Done(BaseModel):
    message: str


class Deleted(BaseModel):
    """`erased` counts memories without their earlier versions."""

    message: str
    erased: int
    hint: str | None = None


class ChangeRow(BaseModel):
    id: str
    memory_id: str
    old_memory: str | None
    new_memory: str | None
    event: str
    created_at: str
    updated_at: str
    is_deleted: bool
    reason: str
    actor_id: str | None = None
    role: str | None = None


class Status(BaseModel):
    status: str


def document(model: Any, status: int = 200, *, streamed: bool = False) -> Mapping[int | str, dict[str, Any]]:
    """Build the `responses` of a route that returns `model`, or a stream. They are documented, not validated."""
    events: dict[str, Any] = {"content": {"text/event-stream": {}}} if streamed else {}
    return {status: {"model": model, **events}}
