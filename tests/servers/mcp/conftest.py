"""A keeper for each test, over a store of its own, and an official client to call its tools with."""

from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from memchat.config import Settings, load_settings
from memchat.servers.mcp import create_server
from memchat.servers.mcp_tools import MemoryTools

Opened = Callable[..., MemoryTools]
Answer = TypeVar("Answer")


@pytest.fixture
def settings(home: Path) -> Settings:
    """alice's, with nothing of the machine's own in them."""
    return load_settings({"MEMCHAT_HOME": str(home)}, user="alice")


@pytest.fixture
def opened(home: Path) -> Iterator[Opened]:
    """Opens a keeper with settings of the command line; alice's unless they name another."""
    with ExitStack() as stack:

        def open_(**given: object) -> MemoryTools:
            return stack.enter_context(
                MemoryTools(load_settings({"MEMCHAT_HOME": str(home)}, **{"user": "alice", **given}))
            )

        yield open_


@pytest.fixture
def keeper(opened: Opened) -> MemoryTools:
    return opened()


def run(main: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """What `main` returns, from a thread of its own: asyncio drops the loop that LiteLLM may have left on this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(anyio.run, main).result()


def call(keeper: MemoryTools, tool: str, **arguments: object) -> CallToolResult:
    """What a client gets from calling `tool`."""

    async def calling() -> CallToolResult:
        async with Client(create_server(keeper)) as client:
            return await client.call_tool(tool, arguments)

    return run(calling)


def done(keeper: MemoryTools, tool: str, **arguments: object) -> dict[str, Any]:
    """The structured result of a call that succeeds."""
    result = call(keeper, tool, **arguments)
    assert not result.is_error, words(result)
    structured: dict[str, Any] | None = result.structured_content
    assert structured is not None
    return structured


def refused(keeper: MemoryTools, tool: str, **arguments: object) -> str:
    """The words of a call that fails."""
    result = call(keeper, tool, **arguments)
    assert result.is_error, words(result)
    return words(result)


def words(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
