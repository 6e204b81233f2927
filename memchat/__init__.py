"""memchat: a chat assistant that remembers people across conversations."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memchat.api import Memory as Memory

__version__ = "0.1.0"
__all__ = ["Memory", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Memory":
        from memchat.api import Memory

        return Memory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
