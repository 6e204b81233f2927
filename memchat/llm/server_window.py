"""Ask a server for the context window of its model: Ollama, llama.cpp, LM Studio, vLLM and similar servers."""

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from memchat.llm.provider_apis import Server

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

_IN_FORCE = (
    "loaded_context_length",
    "n_ctx",
    "max_model_len",
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",
)
_NAMES = (*_IN_FORCE, "n_ctx_train")
"""Under which servers name a window, what is in force before what is possible."""


def server_window(client: "httpx.Client", server: Server) -> int | None:
    """Return the window in tokens; None if the server does not say, or does not answer.

    llama.cpp's list of models may only have the trained window, so its properties are asked before that counts.
    """
    import httpx

    parts = urlsplit(server.address)
    origin = f"{parts.scheme}://{parts.netloc}"
    try:
        listed = entry_of(get_json(client, models_url(server.address)), server.model)
        meta = listed.get("meta")
        return (
            _first_number(listed, _IN_FORCE)
            or _first_number(meta, _IN_FORCE)
            or _first_number(get_json(client, f"{origin}/props").get("default_generation_settings"))
            or _first_number(entry_of(get_json(client, f"{origin}/api/v0/models"), server.model))
            or _first_number(meta)
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # After a request without an answer no other is sent.
        log.debug("the server's window is not known: %s", type(error).__name__)
        return None


def ollama_window(client: "httpx.Client", server: Server) -> int | None:
    """Return the window that the model's file asks for, else the largest possible; None if there is no answer."""
    import httpx

    try:
        shown = json_object(client.post(f"{server.address}/api/show", json={"model": server.model}))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.debug("the server's window is not known: %s", type(error).__name__)
        return None
    found = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters") or ""), re.MULTILINE)
    if found and int(found[1]):
        return int(found[1])
    info = shown.get("model_info")
    lengths = [value for name, value in info.items() if name.endswith(".context_length")] if info else []
    return next((length for length in lengths if isinstance(length, int) and length > 0), None)


def models_url(address: str) -> str:
    """Return the URL of an OpenAI-compatible server's list of models; a server without a path has it under /v1."""
    return f"{address if urlsplit(address).path else f'{address}/v1'}/models"


def get_json(client: "httpx.Client", url: str) -> Mapping[str, Any]:
    return json_object(client.get(quote(url, safe=":/[]@")))


def json_object(answer: "httpx.Response") -> Mapping[str, Any]:
    try:
        value = answer.json() if answer.is_success else {}
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) else {}


def entry_of(listing: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """Return the entry of `model` in a list, or the only entry, since some servers ignore names."""
    entries = [entry for entry in listing.get("data") or listing.get("models") or () if isinstance(entry, Mapping)]
    named = [entry for entry in entries if model in {entry.get("id"), entry.get("name"), entry.get("key")}]
    return next(iter(named or (entries if len(entries) == 1 else ())), {})


def _first_number(entry: object, names: tuple[str, ...] = _NAMES) -> int | None:
    if not isinstance(entry, Mapping):
        return None
    found = (entry.get(name) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), None)
