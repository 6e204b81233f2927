"""How many parameters a model has, as far as its name or the server that runs it says."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memchat.errors import ConfigError, CredentialsError
from memchat.llm.direct_servers import Server, is_direct, server_of
from memchat.llm.endpoint import Endpoint
from memchat.llm.http_client import open_client
from memchat.llm.options import ModelOptions
from memchat.llm.server_window import entry_of, get_json, json_object

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

_IN_NAME = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)
_BYTES_A_PARAMETER = 0.7
"""Of the files that people run on their own machines: four bits and a little."""
_TIMEOUT_S = 2.0


def parameters_of(
    model: str, env: Mapping[str, str] | None = None, options: ModelOptions | None = None
) -> float | None:
    """In billions; None where neither the name ("qwen2.5:1.5b") nor a server of the person's own says.

    The key and the address of the server come from `options`, else from `env`.
    """
    options = options or ModelOptions()
    if (named := _billions(model)) is not None:
        return named
    if not is_direct(model):
        return None
    try:
        server = server_of(Endpoint(model, options.api_key, options.api_base), os.environ if env is None else env)
    except (ConfigError, CredentialsError):
        return None
    return _said_by(server, is_ollama=Endpoint(model).is_ollama) if server.own or server.local else None


def _billions(text: str) -> float | None:
    found = _IN_NAME.findall(text.replace("-", " ").replace("_", " ").replace(":", " "))
    if not found:
        return None
    billions = [float(number) for number, unit in found if unit.lower() == "b"]
    return max(billions) if billions else float(found[-1][0]) / 1_000


def _said_by(server: Server, *, is_ollama: bool) -> float | None:
    import httpx

    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    try:
        with open_client(server.address, headers, _TIMEOUT_S) as client:
            sizes = _ollama_sizes if is_ollama else _listed_sizes
            return next(filter(None, sizes(client, server)), None)
    except (httpx.HTTPError, httpx.InvalidURL, ConfigError) as error:
        log.debug("the server does not say how large the model is: %s", type(error).__name__)
        return None


def _ollama_sizes(client: "httpx.Client", server: Server) -> Iterator[float | None]:
    """What Ollama says of the model, else what the size of its file lets expect."""
    shown = json_object(client.post(f"{server.address}/api/show", json={"model": server.model}))
    yield _described(shown)
    yield _counted(shown.get("model_info"), "general.parameter_count")
    tagged = _tagged(get_json(client, f"{server.address}/api/tags"), server.model)
    yield _described(tagged)
    yield _expected(tagged)


def _listed_sizes(client: "httpx.Client", server: Server) -> Iterator[float | None]:
    """What llama.cpp and servers like it list; many of them answer Ollama's list as well.

    Nothing is posted: a server may count what is posted as questions.
    """
    parts = urlsplit(server.address)
    origin = f"{parts.scheme}://{parts.netloc}"
    listed = entry_of(get_json(client, f"{server.address if parts.path else f'{origin}/v1'}/models"), server.model)
    yield _counted(listed.get("meta"), "n_params")
    yield _billions(str(listed.get("id") or ""))
    yield _expected(listed.get("meta"))
    tagged = _tagged(get_json(client, f"{origin}/api/tags"), server.model)
    yield _described(tagged)
    yield _expected(tagged)


def _expected(entry: object) -> float | None:
    """What the size of a file lets expect."""
    size = _counted(entry, "size")
    return round(size / _BYTES_A_PARAMETER, 1) if size else None


def _tagged(listing: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """What Ollama lists of a model; one without a tag is its latest."""
    return entry_of(listing, model) or entry_of(listing, f"{model}:latest")


def _described(entry: Mapping[str, Any]) -> float | None:
    details = entry.get("details")
    return _billions(str(details.get("parameter_size") or "")) if isinstance(details, Mapping) else None


def _counted(entry: object, name: str) -> float | None:
    """The number under `name`, in billions."""
    value = entry.get(name) if isinstance(entry, Mapping) else None
    return value / 1e9 if isinstance(value, int | float) and value > 0 else None
