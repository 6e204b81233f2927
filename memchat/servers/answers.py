"""What every part of the server answers with: JSON in ASCII, failures in the shape that the path's clients read.

That is `{"detail": sentence, "hint": sentence or null}`, or OpenAI's shape under OpenAI's paths.
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Scope

OPENAI_PATHS = ("/v1/chat/", "/v1/models")
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class Json(JSONResponse):
    """JSON in ASCII: half a surrogate pair, which JSON can carry into the name that a failure is about, is no UTF-8."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def answer(status: int, detail: str, hint: str | None = None, headers: Mapping[str, str] | None = None) -> Json:
    """How every failure is answered."""
    return Json({"detail": detail, "hint": hint}, status, headers)


def failure(
    scope: Scope, status: int, detail: str, hint: str | None = None, headers: Mapping[str, str] | None = None
) -> Json:
    """The answer to a request that failed, in the shape that clients of its path expect."""
    if not str(scope["path"]).startswith(OPENAI_PATHS):
        return answer(status, detail, hint, headers)
    return Json(openai_error(status, detail, hint), status, headers)


def openai_error(status: int, detail: str, hint: str | None = None) -> dict[str, Any]:
    """A failure as OpenAI's clients read it."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    message = " ".join(filter(None, (detail, hint)))
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
