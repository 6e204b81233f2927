"""The same server over HTTP, and what it answers to lines that are no requests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import CallToolResult

from memchat.app import utc_now
from memchat.core.types import Owner
from memchat.servers.access import AccessMiddleware
from memchat.servers.http_server import HTTPServerThread, bind_socket, url_of
from memchat.servers.keys import Keys
from memchat.servers.mcp import create_server, http_app
from memchat.servers.mcp_stdio import INVALID_REQUEST, PARSE_ERROR
from memchat.servers.mcp_tools import MemoryTools
from memchat.servers.tokens import Tokens
from tests.cli.conftest import Shell, shell
from tests.servers.mcp.conftest import done, refused, run

__all__ = ["shell"]


@pytest.fixture
def url(keeper: MemoryTools, home: Path) -> Iterator[str]:
    """Where the tools are served over HTTP."""
    with bind_socket("127.0.0.1", 0, guarded=False) as sock:
        listener = HTTPServerThread(AccessMiddleware(http_app(keeper), Keys.of(None, home)), sock, lifespan=True)
        listener.start()
        yield f"{url_of(sock)}/mcp"
        listener.stop(10)


def test_clients_over_http_share_the_memories(url: str) -> None:
    """What one adds the next one finds; there is a resource and a prompt with it."""

    async def add() -> None:
        async with Client(url) as client:
            await client.call_tool("add_memory", {"text": "User is vegetarian."})

    async def look() -> tuple[str, str, str]:
        async with Client(url) as client:
            found = await client.call_tool("search_memories", {"query": "vegetarian"})
            resource = await client.read_resource("memchat://memories")
            prompt = await client.get_prompt("recall", {"request": "Am I vegetarian?"})
        return str(found.structured_content), str(resource), str(prompt)

    run(add)
    assert all("User is vegetarian." in text for text in run(look))


def test_over_http_a_token_says_whose_memories_are_meant(keeper: MemoryTools, url: str, home: Path) -> None:
    """Not those of the command's user, of whom nothing can be found or changed."""
    (known,) = [done(keeper, "add_memory", text="User is vegetarian.")]
    headers = {"X-API-Key": Tokens(home).add(Owner.user("bob"), utc_now())[0]}
    agents = {"X-API-Key": Tokens(home).add(Owner.agent("shop"), utc_now())[0]}

    async def calls(headers: dict[str, str]) -> list[CallToolResult]:
        http = create_mcp_http_client(headers=headers)
        async with http, Client(streamable_http_client(url, http_client=http)) as client:
            await client.call_tool("add_memory", {"text": "User plays chess."})
            return [
                await client.call_tool("list_memories", {}),
                await client.call_tool("search_memories", {"query": "Am I vegetarian?"}),
                await client.call_tool("update_memory", {"id": known["id"], "text": "User eats meat."}),
                await client.call_tool("forget_memory", {"id": known["id"]}),
            ]

    listed, found, updated, forgotten = run(lambda: calls(headers))
    assert listed.structured_content is not None
    assert [one["text"] for one in listed.structured_content["memories"]] == ["User plays chess."]
    assert "vegetarian" not in str(found.structured_content)
    assert updated.is_error
    assert forgotten.is_error
    assert all(result.is_error for result in run(lambda: calls(agents)))
    assert [one["text"] for one in done(keeper, "list_memories")["memories"]] == ["User is vegetarian."]


def test_an_argument_that_is_not_known_is_refused(keeper: MemoryTools) -> None:
    """Nobody else's memories seem to have been searched; the schema says so, too."""
    assert "user_id" in refused(keeper, "search_memories", query="x", user_id="bob")

    async def schemas() -> list[object]:
        async with Client(create_server(keeper)) as client:
            return [tool.input_schema["additionalProperties"] for tool in (await client.list_tools()).tools]

    assert run(schemas) == [False] * 5


def test_every_line_is_answered(shell: Shell) -> None:
    """Half a surrogate pair, what is no JSON, and what is no request, each under its id."""
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    query = '{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "search_memories", '
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        query + '"arguments": {"query": "a \\ud83d"}}}',
        "no json",
        json.dumps({"jsonrpc": "2.0", "id": 3}),
        json.dumps([1]),
        json.dumps({"jsonrpc": "2.0", "id": 4, "method": "ping"}),
    ]
    command = [sys.executable, "-m", "memchat", "mcp"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": shell.environ, "cwd": shell.home.parent}
    with subprocess.Popen(command, **pipes) as program:  # type: ignore[call-overload]
        program.stdin.write("\n".join([*lines, ""]).encode())
        program.stdin.flush()
        answers = [json.loads(program.stdout.readline()) for _ in range(len(lines) - 1)]
        program.stdin.close()
    by_id = {answer.get("id"): answer for answer in answers}
    assert by_id[2]["result"]["structuredContent"]["memories"] == []
    assert by_id[3]["error"]["code"] == INVALID_REQUEST
    assert by_id[4]["result"] == {}
    assert {answer["error"]["code"] for answer in answers if answer.get("id") is None} == {PARSE_ERROR, INVALID_REQUEST}
