"""LiteLLM, imported late and kept quiet. Nothing else in memchat imports it."""

import functools
import importlib
import logging
import os
from typing import Any

from memchat.library_warnings import ignore_library_warnings
from memchat.llm.endpoint import strip_pasted
from memchat.llm.http_proxy import make_environment_readable

_ENVIRONMENT = {
    # Prices and request headers would otherwise be fetched from GitHub during the import.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    # In any other mode it reads a `.env` from the current directory.
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
}
_LOGGERS = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx", "openai")


@functools.cache
@ignore_library_warnings()
def litellm() -> Any:
    """Return the module, set up. The first call takes 2 to 4 s, needs no network, and may be made from any thread."""
    os.environ.update(_ENVIRONMENT)
    # LiteLLM takes keys and addresses from the environment as they are, even with blanks around them.
    for name, value in list(os.environ.items()):
        if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL")) and value != (stripped := strip_pasted(value)):
            os.environ[name] = stripped
    make_environment_readable()
    module: Any = importlib.import_module("litellm")
    module.suppress_debug_info = True
    module.disable_hf_tokenizer_download = True
    module.telemetry = False
    # For embeddings it takes `max_retries=0` for "not given"; memchat retries by itself, in the open.
    module.DEFAULT_MAX_RETRIES = 0
    # Its success handlers would run in a pool of their own for every chunk, for no use.
    module.disable_streaming_logging = True
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return module


def preload() -> None:
    """Load what the first call would otherwise wait a second for: it touches no network.

    That is OpenAI's client, by which most providers are reached, what speaks HTTP, and the table tokens are counted by.
    A reply that LiteLLM makes up itself loads the rest, which differs from release to release.
    """
    for name in ("openai.resources.chat", "openai.resources.embeddings", "httpcore"):
        importlib.import_module(name)
    module = litellm()
    module.token_counter(model="", text="ready")
    hello = [{"role": "user", "content": "hello"}]
    for _ in module.completion(model="openai/ready", messages=hello, mock_response="ready", stream=True):
        pass
