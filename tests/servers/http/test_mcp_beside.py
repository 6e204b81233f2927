"""The Model Context Protocol within the HTTP server: the same memories behind the same key."""

from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from memchat import Memory
from memchat.app import utc_now
from memchat.config import Settings
from memchat.core.types import Owner
from memchat.servers.mcp import http_app
from memchat.servers.mcp_tools import MemoryTools
from memchat.servers.tokens import Tokens
from tests.servers.http.conftest import Open
from tests.servers.mcp.conftest import run

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


def test_what_mcp_keeps_the_other_paths_find(opened: Open, tmp_path: Path) -> None:
    """And the other way round; with a token it is its user's. Without a key nobody gets in."""
    settings = Settings(tmp_path / "home", "alice", model="offline")
    with Memory(settings) as memory, MemoryTools(settings) as tools:
        client = opened(memory, "key", mcp=http_app(tools))
        text, _ = Tokens(settings.home).add(Owner.user("bob"), utc_now())
        url = f"{client.base_url}mcp" if str(client.base_url).endswith("/") else f"{client.base_url}/mcp"

        async def add_and_list(key: str, text: str) -> list[str]:
            http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"})
            async with http, Client(streamable_http_client(url, http_client=http)) as session:
                await session.call_tool("add_memory", {"text": text})
                listed: Any = (await session.call_tool("list_memories", {})).structured_content
                return [one["text"] for one in listed["memories"]]

        client.headers["X-API-Key"] = "key"
        raw = {"user_id": "alice", "messages": "User has a cat.", "infer": False}
        client.post("/memories", json=raw).raise_for_status()
        assert run(lambda: add_and_list("key", "User likes tea.")) == ["User likes tea.", "User has a cat."]
        assert run(lambda: add_and_list(text, "User plays chess.")) == ["User plays chess."]
        found = client.post("/search", json={"user_id": "alice", "query": "tea"}).json()["results"]
        assert [row["memory"] for row in found] == ["User likes tea."]
        assert 'route="/mcp",status="200"' in client.get("/metrics").text
        headers = {"Accept": "application/json, text/event-stream"}
        assert client.post("/mcp", json=INITIALIZE, headers=headers).status_code == 200
        assert client.post("/mcp", json=INITIALIZE, headers=headers | {"X-API-Key": "wrong"}).status_code == 401
        assert (
            client.post("/mcp", json=INITIALIZE, headers=headers | {"Origin": "http://evil.example"}).status_code == 403
        )


def test_without_mcp_there_is_no_such_path(opened: Open, tmp_path: Path) -> None:
    """All else is served."""
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        client = opened(memory)
        assert client.post("/mcp", json=INITIALIZE).status_code == 404
        assert client.get("/health").status_code == 200
