"""How many parameters a model has, as far as its name or Ollama says."""

import logging
import os
import re
from collections.abc import Mapping
from functools import cache

from memchat.llm.providers import ollama_address

log = logging.getLogger(__name__)

_IN_NAME = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)
_TIMEOUT_S = 2.0


def parameters_of(model: str, env: Mapping[str, str] | None = None) -> float | None:
    """In billions; None where neither the name ("qwen2.5:1.5b") nor Ollama says."""
    if (named := _billions(model)) is not None:
        return named
    provider, _, name = model.partition("/")
    if provider not in {"ollama", "ollama_chat"} or not name:
        return None
    return _ollama_says(ollama_address(os.environ if env is None else env), name)


def _billions(text: str) -> float | None:
    found = _IN_NAME.findall(text.replace("-", " ").replace("_", " ").replace(":", " "))
    if not found:
        return None
    billions = [float(number) for number, unit in found if unit.lower() == "b"]
    return max(billions) if billions else float(found[-1][0]) / 1_000


@cache
def _ollama_says(address: str, name: str) -> float | None:
    import httpx

    try:
        local = re.search(r"//(?:127\.|localhost|\[::1)", address) is not None
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=not local) as client:
            shown = client.post(f"{address.rstrip('/')}/api/show", json={"model": name}).raise_for_status().json()
        details = shown.get("details") if isinstance(shown, dict) else None
        return _billions(str(details.get("parameter_size", ""))) if isinstance(details, dict) else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        log.debug("Ollama does not say how large the model is: %s", type(error).__name__)
        return None
