"""The ways to a model, opened alike for tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.llm.chat_model import CallPolicy, ChatModel
from memchat.llm.dialect import DialectMemory
from memchat.llm.endpoint import Endpoint
from memchat.llm.litellm_transport import LiteLLMTransport
from memchat.llm.models import Models
from memchat.llm.options import ModelOptions
from memchat.llm.retry import RetryNotice
from tests.scripted_server import ScriptedServer

KEY = "sk-secret-abcdef123456"
HELLO = ModelRequest([PromptMessage(Role.SYSTEM, "Be brief."), PromptMessage(Role.USER, "Hello there")])
SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
NOTHING_LISTENS = "http://127.0.0.1:9/v1"


@dataclass(frozen=True, slots=True)
class Waits:
    """Records every announced wait and every sleep, and sleeps through none."""

    notices: list[RetryNotice] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)


Open = Callable[[str, ModelOptions, CallPolicy], ChatModel]


def by_http(name: str, options: ModelOptions, policy: CallPolicy) -> ChatModel:
    """As the program opens a model whose provider's API is known."""
    return Models(policy).open(name, options)


def by_litellm(name: str, options: ModelOptions, policy: CallPolicy) -> ChatModel:
    """Through LiteLLM, also where the program would do without."""
    endpoint = Endpoint(name, options.api_key, options.api_base, policy.timeout_s)
    return ChatModel(endpoint, LiteLLMTransport(endpoint), options, policy, DialectMemory())


@dataclass(frozen=True, slots=True)
class Adapter:
    """One way to the scripted model; `name` is what it is called there."""

    name: str
    open: Open

    def model(self, base: str, waits: Waits | None = None, name: str = "", **given: Any) -> ChatModel:
        """A model at `base`; what else is `given` are fields of its options and of how it is called."""
        waits = waits or Waits()
        options = {"api_key": KEY, "api_base": base, **_taken(given, ModelOptions)}
        policy = {"timeout_s": 20.0, **_taken(given, CallPolicy)}
        return self.open(
            name or self.name,
            ModelOptions(**options),
            CallPolicy(on_retry=waits.notices.append, sleep=waits.slept.append, **policy),
        )

    def on(self, server: ScriptedServer, waits: Waits | None = None, name: str = "", **given: Any) -> ChatModel:
        """A model on `server`."""
        openai = (name or self.name).startswith("openai/")
        return self.model(server.base_url if openai else server.origin, waits, name, **given)


HTTP = Adapter("openai/scripted", by_http)
LITELLM = Adapter("openai/scripted", by_litellm)
OLLAMA = Adapter("ollama_chat/scripted", by_http)
ADAPTERS = {"http": HTTP, "litellm": LITELLM, "ollama": OLLAMA}


def said(model: ChatModel, request: ModelRequest = HELLO) -> str:
    """The text of a streamed reply."""
    return "".join(delta.text for delta in model.stream(request))


def _taken(given: dict[str, Any], kind: type) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in kind.__dataclass_fields__}  # type: ignore[attr-defined]
