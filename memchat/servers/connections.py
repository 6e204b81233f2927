"""Connections with a time limit, so that clients that never finish a request cannot hold them open."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

REQUEST_S = 20.0
"""Time in which a request must arrive, header and body, in seconds."""
QUIET_S = 60.0
"""Seconds between two log lines about missing file descriptors: asyncio reports each connection it cannot accept."""


class BoundedConnection(H11Protocol):
    """An HTTP connection that is closed if a request takes longer than `request_s` to arrive.

    If more than `most` connections are open, the one that has waited longest for its client is closed.
    """

    request_s = REQUEST_S
    most = 512

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self.waiting_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most:
            waiting = [
                one
                for one in self.connections
                if isinstance(one, BoundedConnection) and one.waiting_since and one is not self
            ]
            (min(waiting, key=lambda one: one.waiting_since) if waiting else self).abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unwatch()
        # Part of a pipelined request may have arrived.
        if self.conn.trailing_data[0] or (self.cycle is not None and not self.cycle.response_complete):
            self._watch()
        else:
            self.waiting_since = time.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection open until a complete request is answered, as a client that half-closes expects."""
        if self.waits_for_client or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    @property
    def waits_for_client(self) -> bool:
        """Return whether the server cannot continue until more bytes arrive."""
        idle = self.cycle is None or self.cycle.response_complete
        return idle or self.conn.their_state is h11.SEND_BODY

    def abort(self) -> None:
        """Close the connection without a response."""
        self._unwatch()
        self.transport.abort()

    def _watch(self) -> None:
        """Start the timer of an arriving request, or stop it for a complete one. More bytes do not restart it."""
        if not self.waits_for_client:
            self._unwatch()
        elif self._deadline is None:
            self.waiting_since = time.monotonic()
            self._deadline = self.loop.call_later(self.request_s, self.abort)

    def _unwatch(self) -> None:
        self.waiting_since = 0.0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def most_connections() -> int:
    """Return half of this process's limit of open files; the database needs some for each running request."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            return max(min(soft // 2, BoundedConnection.most), 16)
    return BoundedConnection.most


class QuietErrors:
    """An asyncio exception handler that logs missing file descriptors once in QUIET_S, without a traceback."""

    def __init__(self) -> None:
        self._said = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError):
            log.error("%s", context.get("message", "an error in the event loop"))
        elif time.monotonic() - self._said > QUIET_S:
            self._said = time.monotonic()
            log.warning("a connection failed: %s", context["exception"].strerror)
