"""List the models of a server that speaks OpenAI's protocol."""

import logging

from memchat.errors import ConfigError
from memchat.llm.server_window import get_json, models_url

log = logging.getLogger(__name__)


def server_models(address: str, key: str, timeout_s: float = 3.0) -> list[str]:
    """Return the models that the server lists, in its own order; none if it does not answer in time, or lists none."""
    import httpx

    from memchat.llm.http_client import open_client

    base = address.rstrip("/")
    try:
        with open_client(base, {"Authorization": f"Bearer {key}"}, timeout_s) as client:
            entries = get_json(client, models_url(base)).get("data")
    except (httpx.HTTPError, httpx.InvalidURL, ConfigError, ValueError) as error:
        log.debug("the server's models are not known: %s", type(error).__name__)
        return []
    listed = entries if isinstance(entries, list) else []
    return [entry["id"] for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
