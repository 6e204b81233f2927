"""Every exception of a route as an answer."""

import math
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match

from memchat.errors import (
    Conflict,
    ContextOverflow,
    MemchatError,
    ModelError,
    NotFound,
    RateLimited,
    StoreBusy,
    UsageError,
)
from memchat.servers.answers import Json, failure

STATUS: tuple[tuple[type[MemchatError], int], ...] = (
    (Conflict, 409),
    (UsageError, 400),
    (NotFound, 404),
    (RateLimited, 429),
    (ContextOverflow, 400),
    (ModelError, 502),
    (StoreBusy, 503),
    (MemchatError, 500),
)
"""HTTP status by exception class; the first match wins."""

BUG = "This is a bug in memchat."
_SHOWN = 3
_LONGEST = 100


def status_of(error: MemchatError) -> int:
    """The HTTP status that goes with `error`."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def add_handlers(api: FastAPI) -> None:
    """Answer every exception of a route."""

    @api.exception_handler(MemchatError)
    async def failed(request: Request, error: MemchatError) -> Json:
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
        return failure(request.scope, status_of(error), error.message, error.hint, headers)

    @api.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Json:
        detail = f"The request cannot be used: {_faults(error.errors())}."
        return failure(request.scope, 422, detail, "GET /openapi.json says what each path takes.")

    @api.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Json:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(request)
        return failure(request.scope, error.status_code, f"{error.detail.rstrip('.')}.", headers=headers)

    @api.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Json:
        return failure(request.scope, 500, BUG, "The server's own output says where it is.")


def _allowed(request: Request) -> str:
    """The methods that any route takes under this path."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in getattr(route, "methods", None) or ()}))


def _faults(errors: Iterable[Any]) -> str:
    """What is wrong by the names of the fields, without what is in them."""
    found = dict.fromkeys(f"{_place(error['loc'])}: {error['msg']}" for error in errors)
    return "; ".join(list(found)[:_SHOWN])


def _place(parts: Iterable[object]) -> str:
    return ".".join(map(str, parts))[:_LONGEST]
