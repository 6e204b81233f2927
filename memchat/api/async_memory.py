"""`AsyncMemory`: `Memory` for programs with an event loop; each call runs on a thread."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from memchat.api.memory import Memory
from memchat.config import Settings
from memchat.llm.options import ModelOptions
from memchat.mem0.rows import Row

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class AsyncMemory:
    """`Memory` with coroutine methods, which take the same arguments and return the same values.

    A cancelled call still runs to its end on its thread. Call `close`, or use an `async with` block.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        models: Mapping[str, ModelOptions] | None = None,
        owns_index: bool = False,
    ) -> None:
        self._memory = Memory(settings, models=models, owns_index=owns_index)

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> "AsyncMemory":
        """Open a store configured in mem0's format. Raises ConfigError."""
        memory = cls.__new__(cls)
        memory._memory = Memory.from_config(config_dict)
        return memory

    async def __aenter__(self) -> "AsyncMemory":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, timeout_s: float | None = None) -> None:
        """As `Memory.close`."""
        await asyncio.to_thread(self._memory.close, timeout_s)

    async def add(self, messages: Any, **given: Any) -> Row:
        """As `Memory.add`."""
        return await self._run(self._memory.add, messages, **given)

    async def chat(self, message: str, user_id: Any, **given: Any) -> Row:
        """As `Memory.chat`."""
        return await self._run(self._memory.chat, message, user_id, **given)

    async def search(self, query: str, **given: Any) -> Row:
        """As `Memory.search`."""
        return await self._run(self._memory.search, query, **given)

    async def get_all(self, **given: Any) -> Row:
        """As `Memory.get_all`."""
        return await self._run(self._memory.get_all, **given)

    async def get(self, memory_id: Any) -> Row:
        """As `Memory.get`."""
        return await self._run(self._memory.get, memory_id)

    async def update(self, memory_id: Any, text: str | None = None, **given: Any) -> Row:
        """As `Memory.update`."""
        return await self._run(self._memory.update, memory_id, text, **given)

    async def delete(self, memory_id: Any) -> Row:
        """As `Memory.delete`."""
        return await self._run(self._memory.delete, memory_id)

    async def delete_all(self, user_id: Any = None, agent_id: Any = None, run_id: Any = None) -> Row:
        """As `Memory.delete_all`."""
        return await self._run(self._memory.delete_all, user_id, agent_id, run_id)

    async def history(self, memory_id: Any) -> list[Row]:
        """As `Memory.history`."""
        return await self._run(self._memory.history, memory_id)

    async def reset(self) -> None:
        """As `Memory.reset`."""
        await self._run(self._memory.reset)

    async def _run(self, call: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        return await asyncio.to_thread(call, *args, **kwargs)
