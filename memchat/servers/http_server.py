"""Serve an application on a socket: bind it first, serve it on a thread, and stop it cleanly."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from memchat.errors import UsageError
from memchat.servers.access import is_loopback
from memchat.servers.connections import BoundedConnection, QuietErrors, most_connections

TICK_S = 0.1
"""Interval at which a shutdown request is checked, in seconds."""


def bind_socket(host: str, port: int, *, guarded: bool) -> socket.socket:
    """Create a listening socket; port 0 means any free port.

    Raises UsageError if that is not possible, or if other machines could reach a server that is not `guarded`.
    """
    if not 0 <= port < 1 << 16:
        raise UsageError(f"There is no port {port}.", hint="Example: --port 8000")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no address {host!r}.", hint="Example: --host 127.0.0.1") from error
    # IPv4 is preferred, because clients often resolve localhost to it.
    family, _, _, _, (address, *_) = min(found, key=lambda one: one[0] != socket.AF_INET)
    if not guarded and not is_loopback(str(address)):
        raise UsageError(
            f"Other machines could read and write all memories on {host}, because no key is set.",
            hint="Set MEMCHAT_SERVER_KEY, or leave out --host; --without-key allows access without a key.",
        )
    try:
        listening = socket.create_server((address, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise UsageError(f"Cannot listen on {host}, port {port}: {reason}.", hint="Try another --port.") from error
    # Accepted sockets inherit TCP_NODELAY. Without it the body of a response waits up to 40 ms for the client to
    # acknowledge the head; asyncio sets it only on sockets that name their protocol.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class HTTPServerThread:
    """Serves `app` on the socket `listening` from `start` to `stop`, and closes the socket.

    All its threads are daemon threads, so that the program can exit without waiting for them.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket, *, lifespan: bool = False) -> None:
        config = uvicorn.Config(
            app,
            # h11 is the parser that limits the size of a request's header.
            http=type("Connection", (BoundedConnection,), {"most": most_connections()}),
            loop="asyncio",
            ws="none",
            lifespan="on" if lifespan else "off",
            log_config=None,
            log_level="critical",  # Its messages contain the texts of errors.
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")],
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="http", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def serves(self, for_s: float) -> bool:
        """Wait up to `for_s` seconds for the server to end, and return whether it is still running."""
        self._thread.join(for_s)
        return self._thread.is_alive()

    def stop(self, timeout_s: float, hurried: Callable[[], bool] = lambda: False) -> bool:
        """Accept no more requests and wait for running ones, until `hurried`. Returns whether all have ended."""
        self._server.should_exit = True
        until = time.monotonic() + timeout_s
        while self.serves(TICK_S) and time.monotonic() < until and not hurried():
            pass
        return not self._thread.is_alive()


class _Server(uvicorn.Server):
    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(QuietErrors())
        await super().serve(sockets)
