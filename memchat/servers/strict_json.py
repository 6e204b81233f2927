"""Request bodies read without surprises: a key given twice is refused, half a surrogate pair becomes U+FFFD."""

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
            if _has_body(request) and _media_type(request) != "application/json":
                raise HTTPException(415, "A body must be JSON: send it with Content-Type: application/json.")
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class StrictRequest(Request):
    """A request whose body is read by `read_json`."""

    async def json(self) -> Any:
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """`body` as a value. Raises JSONDecodeError, or HTTPException for an object with the same key twice."""
    return fix_surrogates_within(json.loads(body, object_pairs_hook=_unique))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise HTTPException(400, "An object in the body has the same key twice.")
    return found


def _has_body(request: Request) -> bool:
    """Whether a body is sent, or must be."""
    length = request.headers.get("content-length", "0")
    return request.method in {"POST", "PUT"} or "transfer-encoding" in request.headers or length != "0"


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
