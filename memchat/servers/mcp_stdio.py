"""MCP on standard input and output with a response to every line: the SDK's transport ignores invalid ones."""

import json
from contextlib import suppress
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import SessionMessage
from mcp.types import ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError

from memchat.text.normalize import fix_surrogates_within

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
"""Error codes of JSON-RPC."""


async def run_stdio(server: MCPServer[Any]) -> None:
    """Serve until the input ends."""
    async with stdio_server() as (read, write), anyio.create_task_group() as tasks:
        forward, answered = create_context_streams[SessionMessage | Exception](0)

        async def answer_every_line() -> None:
            async with forward:
                async for item in read:
                    understood = item if isinstance(item, SessionMessage) else read_again(item)
                    if isinstance(understood, SessionMessage):
                        await forward.send(understood)
                    else:
                        await write.send(SessionMessage(understood))

        tasks.start_soon(answer_every_line)
        # The SDK's own run_stdio_async does the same with the streams of the transport.
        low = server._lowlevel_server
        await low.run(answered, write, low.create_initialization_options())
        tasks.cancel_scope.cancel()


def read_again(error: Exception) -> SessionMessage | JSONRPCError:
    """Parse a line that the SDK rejected, replacing lone surrogates by U+FFFD; returns an error if it is invalid."""
    line = ""
    if isinstance(error, ValidationError):
        given = error.errors(include_url=False)[0]["input"]
        line = given if isinstance(given, str) else json.dumps(given)
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return _refusal(PARSE_ERROR, "This is not valid JSON.", None)
    value = fix_surrogates_within(value)
    with suppress(ValidationError):
        return SessionMessage(jsonrpc_message_adapter.validate_python(value, by_name=False))
    named = value.get("id") if isinstance(value, dict) else None
    named = named if isinstance(named, str | int) and not isinstance(named, bool) else None
    return _refusal(INVALID_REQUEST, "This is not a JSON-RPC request.", named)


def _refusal(code: int, message: str, request_id: str | int | None) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))
