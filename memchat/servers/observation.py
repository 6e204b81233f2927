"""Metrics and log records of requests."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memchat.servers.metrics import Metrics

log = logging.getLogger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
"""Methods that are told apart: a client may send any other word."""
UNKNOWN = "unknown"
"""Route label of a request that matches no route."""
_ID = re.compile(r"[0-9A-Fa-f-]{16,64}")
"""Request ids of clients and proxies that are accepted: hexadecimal ones, which cannot contain a name."""


class TemplateRoute(Route):
    """A route that adds itself to the scope, as FastAPI's routes do, so that its path template can be logged."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return match, child if match is Match.NONE else {**child, "route": self}


class Observed:
    """Counts and logs the requests to `app`, without their paths, queries and bodies."""

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
