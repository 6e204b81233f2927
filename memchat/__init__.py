"""memchat: a chat assistant that remembers people across conversations.

Everything in `__all__` is public and keeps its name and meaning within a major version; everything else may change.
Names are imported on first use, so that `import memchat` stays fast.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memchat.api.async_memory import AsyncMemory as AsyncMemory
    from memchat.api.memory import Memory as Memory
    from memchat.config import Settings as Settings
    from memchat.config import load_settings as load_settings
    from memchat.errors import AmbiguousId as AmbiguousId
    from memchat.errors import BadReply as BadReply
    from memchat.errors import ConfigError as ConfigError
    from memchat.errors import Conflict as Conflict
    from memchat.errors import ContextOverflow as ContextOverflow
    from memchat.errors import CredentialsError as CredentialsError
    from memchat.errors import MemchatError as MemchatError
    from memchat.errors import ModelError as ModelError
    from memchat.errors import ModelLoading as ModelLoading
    from memchat.errors import ModelNotFound as ModelNotFound
    from memchat.errors import ModelTimeout as ModelTimeout
    from memchat.errors import ModelUnreachable as ModelUnreachable
    from memchat.errors import NotFound as NotFound
    from memchat.errors import RateLimited as RateLimited
    from memchat.errors import StoreBusy as StoreBusy
    from memchat.errors import StoreError as StoreError
    from memchat.errors import StoreTooNew as StoreTooNew
    from memchat.errors import UsageError as UsageError
    from memchat.llm.options import ModelOptions as ModelOptions

__version__ = "0.1.0"

_MODULES = {
    "AsyncMemory": "memchat.api.async_memory",
    "Memory": "memchat.api.memory",
    "ModelOptions": "memchat.llm.options",
    "Settings": "memchat.config",
    "load_settings": "memchat.config",
}
"""Module that defines each public name; the errors, which are not listed, are in `memchat.errors`."""

__all__ = [
    "AmbiguousId",
    "AsyncMemory",
    "BadReply",
    "ConfigError",
    "Conflict",
    "ContextOverflow",
    "CredentialsError",
    "MemchatError",
    "Memory",
    "ModelError",
    "ModelLoading",
    "ModelNotFound",
    "ModelOptions",
    "ModelTimeout",
    "ModelUnreachable",
    "NotFound",
    "RateLimited",
    "Settings",
    "StoreBusy",
    "StoreError",
    "StoreTooNew",
    "UsageError",
    "__version__",
    "load_settings",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use. Raises AttributeError for any other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "memchat.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
