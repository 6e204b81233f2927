"""What is known of every request afterwards: its counters, and its line in the log."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memchat.servers.metrics import METHODS, Metrics

log = logging.getLogger(__name__)

UNKNOWN = "unknown"
"""The route of a request that has none."""
_ID = re.compile(r"[0-9A-Fa-f-]{16,64}")
"""A request id of a client or proxy that is taken over: hexadecimal, so that nobody's name is in it."""


class TemplateRoute(Route):
    """A route that leaves itself in the scope, as FastAPI's do, so that its template is known afterwards."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return match, child if match is Match.NONE else {**child, "route": self}


class Observed:
    """Runs `app`, counts its requests and logs each without its path, query and body."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, new_id: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._app = app
        self._metrics = metrics
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else self._new_id()
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route, seconds = getattr(scope.get("route"), "path", UNKNOWN), time.perf_counter() - began
            self._metrics.request(method, route, status, seconds)
            fields: dict[str, Any] = {
                "method": method,
                "route": route,
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                "request_id": request_id,
            }
            log.info("request", extra={"fields": fields})
