"""Translate every exception of a route into a response."""

import math

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
_MAX_FAULTS = 3
_MAX_FIELD_NAME = 100


def status_of(error: MemchatError) -> int:
    """Return the HTTP status for `error`."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def add_handlers(api: FastAPI) -> None:
    """Register handlers for every exception of a route."""

    @api.exception_handler(MemchatError)
    async def failed(request: Request, error: MemchatError) -> Json:
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
        return failure(request.scope, status_of(error), error.message, error.hint, headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Json:
        # Only the names of fields are quoted, never their contents.
        faults = dict.fromkeys(
            f"{'.'.join(map(str, fault['loc']))[:_MAX_FIELD_NAME]}: {fault['msg']}" for fault in error.errors()
        )
        detail = f"The request is invalid: {'; '.join(list(faults)[:_MAX_FAULTS])}."
        return failure(request.scope, 422, detail, "GET /openapi.json describes what each path accepts.")

    @api.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Json:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
            methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
            headers["Allow"] = ", ".join(sorted(methods))
        return failure(request.scope, error.status_code, f"{error.detail.rstrip('.')}.", headers=headers)

    @api.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Json:
        return failure(request.scope, 500, BUG, "The server's log has the traceback.")
