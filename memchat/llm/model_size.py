"""Find a model's number of parameters, from its name or the server that runs it."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memchat.errors import ConfigError, CredentialsError
from memchat.llm.endpoint import Endpoint
from memchat.llm.http_client import open_client
from memchat.llm.options import ModelOptions
from memchat.llm.provider_apis import Server, is_direct, server_of
from memchat.llm.server_window import entry_of, get_json, json_object, models_url

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

_IN_NAME = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)
_BYTES_A_PARAMETER = 0.7
"""Of model files for ordinary machines: four bits and a little more."""
_TIMEOUT_S = 2.0


def parameters_of(
    model: str, env: Mapping[str, str] | None = None, options: ModelOptions | None = None
) -> float | None:
    """Return the parameters in billions; None if neither the name ("qwen2.5:1.5b") nor a server of the user tells.

    The key and the address of the server come from `options`, else from `env`.
    """
    options = options or ModelOptions()
    if (named := _billions(model)) is not None:
        return named
    if not is_direct(model):
        return None
    endpoint = Endpoint(model, options.api_key, options.api_base)
    try:
        server = server_of(endpoint, os.environ if env is None else env)
    except (ConfigError, CredentialsError):
        return None
    if not (server.own or server.local):
        return None
    import httpx

    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    try:
        with open_client(server.address, headers, _TIMEOUT_S) as client:
            return next(filter(None, _sizes(client, server, is_ollama=endpoint.is_ollama)), None)
    except (httpx.HTTPError, httpx.InvalidURL, ConfigError) as error:
        log.debug("the server does not say how large the model is: %s", type(error).__name__)
        return None


def _billions(text: str) -> float | None:
    found = _IN_NAME.findall(text.replace("-", " ").replace("_", " ").replace(":", " "))
    if not found:
        return None
    billions = [float(number) for number, unit in found if unit.lower() == "b"]
    return max(billions) if billions else float(found[-1][0]) / 1_000


def _sizes(client: "httpx.Client", server: Server, *, is_ollama: bool) -> Iterator[float | None]:
    """Yield sizes from the server's description of the model, then from Ollama's list, which many servers have too.

    Posts only to Ollama, since other servers may count posts as requests.
    """
    if is_ollama:
        root = server.address
        shown = json_object(client.post(f"{root}/api/show", json={"model": server.model}))
        yield _from_details(shown)
        yield _in_billions(shown.get("model_info"), "general.parameter_count")
    else:
        parts = urlsplit(server.address)
        root = f"{parts.scheme}://{parts.netloc}"
        listed = entry_of(get_json(client, models_url(server.address)), server.model)
        yield _in_billions(listed.get("meta"), "n_params")
        yield _billions(str(listed.get("id") or ""))
        yield _from_file_size(listed.get("meta"))
    tags = get_json(client, f"{root}/api/tags")
    # In Ollama's list a model without a tag is its latest.
    tagged = entry_of(tags, server.model) or entry_of(tags, f"{server.model}:latest")
    yield _from_details(tagged)
    yield _from_file_size(tagged)


def _from_file_size(entry: object) -> float | None:
    """Estimate the parameters from the size of a file."""
    size = _in_billions(entry, "size")
    return round(size / _BYTES_A_PARAMETER, 1) if size else None


def _from_details(entry: Mapping[str, Any]) -> float | None:
    details = entry.get("details")
    return _billions(str(details.get("parameter_size") or "")) if isinstance(details, Mapping) else None


def _in_billions(entry: object, name: str) -> float | None:
    """Return the number under `name`, in billions."""
    value = entry.get(name) if isinstance(entry, Mapping) else None
    return value / 1e9 if isinstance(value, int | float) and value > 0 else None
