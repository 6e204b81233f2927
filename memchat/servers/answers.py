"""Responses of the server: JSON in ASCII, and failures in the format that clients of the path expect.

That is `{"detail": sentence, "hint": sentence or null}`, or OpenAI's format under OpenAI's paths.
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Scope

OPENAI_PATHS = ("/v1/chat/", "/v1/models")
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class Json(JSONResponse):
    """JSON in ASCII: an error may quote a lone surrogate from the request, which cannot be encoded as UTF-8."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def answer(status: int, detail: str, hint: str | None = None, headers: Mapping[str, str] | None = None) -> Json:
    """Build the response to a failure in memchat's own format."""
    return Json({"detail": detail, "hint": hint}, status, headers)


def failure(
    scope: Scope, status: int, detail: str, hint: str | None = None, headers: Mapping[str, str] | None = None
) -> Json:
    """Build the response to a failure in the format that clients of the request's path expect."""
    if not str(scope["path"]).startswith(OPENAI_PATHS):
        return answer(status, detail, hint, headers)
    return Json(openai_error(status, detail, hint), status, headers)


def openai_error(status: int, detail: str, hint: str | None = None) -> dict[str, Any]:
    """Build the body of a failure in OpenAI's format."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    message = " ".join(filter(None, (detail, hint)))
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
