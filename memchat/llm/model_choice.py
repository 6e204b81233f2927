"""Choose a model where none is configured: from the table of providers, their keys, and a local Ollama."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from memchat.core.types import OFFLINE
from memchat.errors import ConfigError
from memchat.llm.endpoint import is_loopback, strip_pasted
from memchat.llm.provider_apis import APIS, OLLAMA_URL, Api, ollama_base, own_address

log = logging.getLogger(__name__)

PROBE_S = 0.3
"""Time to wait for an Ollama to answer, in seconds."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A hosted provider: the variable of its key, its model for chats, and a cheap one for extraction."""

    key: str
    chat: str
    extraction: str

    @property
    def label(self) -> str:
        """The provider's name, as LiteLLM spells it."""
        return self.chat.partition("/")[0]

    @property
    def prefix(self) -> str:
        return self.chat.partition("/")[0] + "/"

    def has_key(self, env: Mapping[str, str]) -> bool:
        return bool(strip_pasted(env.get(self.key, "")))

    def server(self, env: Mapping[str, str]) -> str | None:
        """Return the address of the user's own server that replaces the provider's, if there is one."""
        return own_address(Api(self.key.removesuffix("_API_KEY"), ""), env)


PROVIDERS = (
    Provider("OPENAI_API_KEY", "openai/gpt-5.4-mini", "openai/gpt-5.4-nano"),
    Provider("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
    Provider("GEMINI_API_KEY", "gemini/gemini-2.5-flash", "gemini/gemini-2.5-flash-lite"),
    Provider("MISTRAL_API_KEY", "mistral/mistral-medium-latest", "mistral/mistral-small-latest"),
    Provider("GROQ_API_KEY", "groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-20b"),
    Provider("OPENROUTER_API_KEY", "openrouter/google/gemini-2.5-flash", "openrouter/google/gemini-2.5-flash-lite"),
    Provider("DEEPSEEK_API_KEY", "deepseek/deepseek-v4-flash", "deepseek/deepseek-v4-flash"),
    Provider("XAI_API_KEY", "xai/grok-4.3", "xai/grok-4.3"),
)
"""In the order in which keys are looked for."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, the model that extracts facts, and the reason for the choice in a few words.

    `lacks_model` says that it is the offline one because no other was found.
    """

    name: str
    extraction: str
    reason: str
    lacks_model: bool = False


def choose_model(
    env: Mapping[str, str], *, explicit: str | None, ollama_probe: "Callable[[str], Sequence[str]] | None" = None
) -> ModelChoice:
    """Choose the explicit name; else the first provider with a key; else a running Ollama; else the offline model.

    `ollama_probe` returns the chat models of the Ollama at an address, by default `ollama_models`.
    """
    if explicit:
        return ModelChoice(explicit, extraction_model(explicit, env), "chosen by name")
    for provider in PROVIDERS:
        if provider.has_key(env):
            return ModelChoice(provider.chat, extraction_model(provider.chat, env), f"{provider.key} is set")
    address = ollama_address(env)
    if models := (ollama_probe or ollama_models)(address):
        name = f"ollama_chat/{models[0]}"
        return ModelChoice(name, name, f"Ollama is running at {address}")
    return ModelChoice(OFFLINE, OFFLINE, "no key is set and Ollama is not running", lacks_model=True)


def extraction_model(name: str, env: Mapping[str, str]) -> str:
    """Return the provider's cheap model for a chat with `name`, or `name` itself if that may not be reachable.

    That is the case for providers not in the table, without the provider's key, and if the user's own server replaces
    the provider.
    """
    for provider in PROVIDERS:
        if name.startswith(provider.prefix) and provider.has_key(env):
            return name if provider.server(env) else provider.extraction
    return name


def models_in_reach(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the usable models, each with the reason: those of providers with a key, Ollama's, and the offline one."""
    found = [(p.chat, f"{p.key} is set") for p in PROVIDERS if p.has_key(env)]
    found += [(p.extraction, f"{p.key} is set") for p in PROVIDERS if p.has_key(env) and p.extraction != p.chat]
    address = ollama_address(env)
    found += [(f"ollama_chat/{name}", f"Ollama at {address}") for name in ollama_models(address)]
    return [*found, (OFFLINE, "built in: no language model")]


def ollama_address(env: Mapping[str, str]) -> str:
    """Return Ollama's address from the variables that Ollama and LiteLLM read; an invalid one is returned unchanged."""
    given = own_address(APIS["ollama"], env) or OLLAMA_URL
    try:
        return ollama_base(given)
    except ConfigError:
        return given


def is_on_this_machine(model: str, api_base: str | None, env: Mapping[str, str]) -> bool:
    """Return whether `model` runs on a server on this machine: at `api_base`, or else at the environment's address."""
    address = api_base
    if model.startswith(("ollama/", "ollama_chat/")):
        address = address or ollama_address(env)
    elif model.startswith("openai/"):
        address = address or env.get("OPENAI_API_BASE") or env.get("OPENAI_BASE_URL")
    try:
        return is_loopback(urlsplit(address or "").hostname or "")
    except ValueError:
        return False


def local_ollama(env: Mapping[str, str]) -> list[str] | None:
    """Return the chat models of an Ollama on this machine, or None if there is none. No other machine is asked."""
    address = ollama_address(env)
    place = _place(address)
    if place is None or not is_loopback(place[0]) or not _listens(*place, PROBE_S):
        return None
    return ollama_models(address)


def _place(base_url: str) -> tuple[str, int] | None:
    """Return the host and port of an address; None if it is not valid."""
    try:
        address = urlsplit(base_url)
        return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    except ValueError:
        return None


def ollama_models(base_url: str = OLLAMA_URL, timeout_s: float = PROBE_S) -> list[str]:
    """Return the chat models of an Ollama server, in its own order; none if it does not answer in time."""
    place = _place(base_url)
    if place is None or (is_loopback(place[0]) and not _listens(*place, timeout_s)):
        return []
    import httpx

    from memchat.llm.http_client import open_client

    try:
        with open_client(base_url, {}, timeout_s) as client:
            answer = client.get(f"{base_url.rstrip('/')}/api/tags")
        names = []
        for model in answer.raise_for_status().json()["models"]:
            details = model.get("details")
            family = str(details.get("family", "")) if isinstance(details, Mapping) else ""
            # Models for embedding cannot chat.
            if "bert" not in family and "embed" not in str(model["name"]):
                names.append(model["name"])
        return names
    except (httpx.HTTPError, httpx.InvalidURL, ConfigError, ValueError, KeyError, TypeError) as error:
        log.debug("no Ollama at the configured address: %s", type(error).__name__)
        return []


def _listens(host: str, port: int, timeout_s: float) -> bool:
    """Return whether a server listens. Mostly none does, and importing httpx to ask takes a tenth of a second."""
    import socket

    try:
        with socket.create_connection((host, port), timeout_s):
            return True
    except OSError:
        return False
