"""The protocol of transports, which send one call and know some of the model's properties beforehand."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from memchat.core.protocols import ModelRequest
from memchat.llm.dialect import Dialect, Structure
from memchat.llm.reply_reader import Piece
from memchat.text.normalize import fix_surrogates


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider, in the dialect its server takes."""

    messages: Sequence[dict[str, str]]
    temperature: float | None
    max_tokens: int | None
    schema: Mapping[str, Any] | None
    dialect: Dialect

    @classmethod
    def of(cls, request: ModelRequest, temperature: float | None, max_tokens: int | None, dialect: Dialect) -> "Call":
        """Use `temperature` if the request has none, and the smaller of two `max_tokens`."""
        messages = [{"role": one.role.value, "content": fix_surrogates(one.content)} for one in request.messages]
        wanted = temperature if request.temperature is None else request.temperature
        limit = min((one for one in (request.max_tokens, max_tokens) if one is not None), default=None)
        return cls(messages, wanted, limit, request.schema, dialect)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of OpenAI's API besides the model and the messages."""
        dialect = self.dialect
        given = {
            "temperature": self.temperature if dialect.temperature else None,
            dialect.length or "": self.max_tokens if dialect.length else None,
            "response_format": self.response_format(),
            "stream": dialect.stream or None,
            "stream_options": {"include_usage": True} if dialect.stream and dialect.stream_options else None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def response_format(self) -> dict[str, Any] | None:
        """Return the `response_format` that enforces the schema, as far as the server supports it."""
        if self.schema is None or self.dialect.structure is Structure.NONE:
            return None
        if self.dialect.structure is Structure.OBJECT:
            return {"type": "json_object"}
        strict = self.dialect.structure is Structure.STRICT and _is_strict(self.schema)
        return {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": dict(self.schema), "strict": strict},
        }

    def sent(self) -> set[str]:
        """Return the parameters sent, of those that some servers refuse."""
        names = set(self.parameters())
        return names | {"max_tokens"} if self.dialect.length in names else names


class Transport(Protocol):
    """One way to a provider. What the libraries under it raise is translated by its caller."""

    @property
    def address(self) -> str:
        """The address that calls go to; empty if it is not known beforehand."""

    @property
    def dialect(self) -> Dialect:
        """The dialect assumed until the server refuses something."""

    def pieces(self, call: Call) -> Generator[Piece, None, None]:
        """Yield the chunks of the reply. Closing the generator ends the connection."""

    def window(self) -> int | None:
        """Return the context window of the model in tokens, or None if unknown, also after a failure."""


def _is_strict(schema: Mapping[str, Any]) -> bool:
    """Return whether every object in `schema` is closed and requires all it names, as OpenAI's strict mode demands."""
    if "properties" in schema:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(schema["properties"]):
            return False
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    if isinstance(items := schema.get("items"), Mapping):
        inner.append(items)
    return all(_is_strict(part) for part in inner)
