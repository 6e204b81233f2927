"""Strict parsing of request bodies: repeated keys are rejected, and lone surrogates become U+FFFD."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from memchat.text.normalize import fix_surrogates_within


class StrictRoute(APIRoute):
    """A route whose handler gets a `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            headers = request.headers
            has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if (request.method in {"POST", "PUT"} or has_body) and media_type != "application/json":
                raise HTTPException(415, "The body must be JSON: send it with Content-Type: application/json.")
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class StrictRequest(Request):
    """A request whose body is read by `read_json`."""

    async def json(self) -> Any:
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """Parse `body`. Raises JSONDecodeError, or HTTPException for an object with a repeated key."""
    return fix_surrogates_within(json.loads(body, object_pairs_hook=_unique))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise HTTPException(400, "An object in the body has the same key twice.")
    return found
