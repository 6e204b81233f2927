"""Load in the background what the first turn needs. Nothing here uses the network."""

import importlib
import logging
import threading
from collections.abc import Callable

from memchat.library_warnings import ignore_library_warnings

log = logging.getLogger(__name__)

_MODULES_OF_A_TURN = (
    "memchat.chat.prompt",
    "memchat.llm.vocabulary",
    "memchat.recall.excerpts",
    "memchat.recall.recent_embeddings",
    "memchat.recall.request_cues",
    "memchat.recall.scoring",
)


def in_background(name: str, load: Callable[[], object]) -> threading.Thread:
    """Call `load` on a daemon thread and ignore its failure."""
    thread = threading.Thread(target=ignore_failures, args=(name, load), name=name, daemon=True)
    thread.start()
    return thread


@ignore_library_warnings()
def ignore_failures(name: str, load: Callable[[], object]) -> None:
    """Call `load` and ignore its failure, which is reported when the loaded part is first used."""
    try:
        load()
    except Exception:
        log.debug("could not be loaded ahead of time: %s", name, exc_info=True)


def load_litellm() -> None:
    """Import LiteLLM with what its first call needs, which takes seconds, and numpy before it."""
    from memchat.llm.litellm_setup import litellm, preload
    from memchat.text.embedding import load_numpy

    load_numpy()
    litellm()
    preload()


def load_httpx() -> None:
    """Import the HTTP client for the providers that need no LiteLLM."""
    importlib.import_module("httpx")
    importlib.import_module("httpcore")


def load_redaction() -> None:
    """Import the masking of secrets, whose patterns take a while to compile."""
    importlib.import_module("memchat.text.redaction")


def load_turn() -> None:
    """Import recall and the prompt of a turn."""
    for name in _MODULES_OF_A_TURN:
        importlib.import_module(name)
