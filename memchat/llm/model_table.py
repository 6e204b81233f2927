"""Read LiteLLM's table of models from its file, without importing LiteLLM: 25 ms instead of 3 s."""

import json
import logging
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_FILE = "model_prices_and_context_window_backup.json"


class ModelTable:
    """Windows and prices by model name, as `openai/gpt-5.4-mini`; empty if the file cannot be read."""

    def __init__(self) -> None:
        self._found: dict[str, Mapping[str, Any]] = {}

    def window(self, model: str) -> int | None:
        found = self._entry(model).get("max_input_tokens")
        return found if isinstance(found, int) and found > 0 else None

    def speaks_chat(self, model: str) -> bool:
        """Return False if the model is known to use another API than that of chats."""
        return str(self._entry(model).get("mode", "chat")) == "chat"

    def cost_usd(self, model: str, prompt: int, completion: int, cached: int = 0) -> float | None:
        """Return the price of a call; None if it is unknown, or depends on more than the number of tokens."""
        entry = self._entry(model)
        per_prompt, per_completion = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
        tiered = any("_above_" in name for name in entry) and prompt > 100_000
        if per_prompt is None or per_completion is None or tiered:
            return None
        per_cached = entry.get("cache_read_input_token_cost", per_prompt)
        return float((prompt - cached) * per_prompt + cached * per_cached + completion * per_completion)

    def _entry(self, model: str) -> Mapping[str, Any]:
        """Return the entry of `model`. A search through the file takes milliseconds, so it is made once."""
        if model not in self._found:
            provider, _, bare = model.partition("/")
            self._found[model] = {}
            # A name that does not occur needs no reading of it all.
            if any(f'"{name}":'.encode() in self._raw for name in (model, bare)):
                found = self._entries.get(bare, {})
                same_provider = found.get("litellm_provider") == provider
                self._found[model] = self._entries.get(model, found if same_provider else {})
        return self._found[model]

    @cached_property
    def _entries(self) -> dict[str, dict[str, Any]]:
        try:
            loaded: dict[str, dict[str, Any]] = json.loads(self._raw)
        except ValueError:
            log.debug("LiteLLM's table of models is no JSON")
            return {}
        return loaded

    @cached_property
    def _raw(self) -> bytes:
        try:
            spec = find_spec("litellm")
            folders = list(spec.submodule_search_locations or ()) if spec else []
            return Path(folders[0], _FILE).read_bytes()
        except (OSError, IndexError):
            log.debug("LiteLLM's table of models cannot be read", exc_info=True)
            return b""
