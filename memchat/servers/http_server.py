"""An application on a socket: bound before anything else is opened, served on a thread, stopped in good order."""

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
"""How soon a signal is heard, in seconds."""


def bind_socket(host: str, port: int, *, guarded: bool) -> socket.socket:
    """A socket that listens there, on any free port for 0.

    Raises UsageError where that cannot be, or must not: unless it is `guarded`, other machines must not reach it.
    """
    if not 0 <= port < 1 << 16:
        raise UsageError(f"There is no port {port}.", hint="As in: --port 8000")
    family, address = _resolved(host, port)
    if not guarded and not is_loopback(address):
        raise UsageError(
            f"On {host} others could read and write all memories: no key is set.",
            hint="Set MEMCHAT_SERVER_KEY to one, or leave --host out; --without-key serves all who reach it.",
        )
    try:
        listening = socket.create_server((address, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise UsageError(f"Nothing can listen on {host}, port {port}: {reason}.", hint="Try another --port.") from error
    # Accepted sockets inherit it. Without it the body of an answer waits up to 40 ms for the client's acknowledgement
    # of the head, and asyncio sets it only on sockets that name their protocol.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    """One address of `host`, of the older kind where it has both: it is what localhost is called by."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no address {host!r}.", hint="As in: --host 127.0.0.1") from error
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, str(address[0])


def url_of(listening: socket.socket) -> str:
    """How it is called."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class HTTPServerThread:
    """Serves `app` on `listening`, which it closes, from `start` to `stop`.

    It does so on a daemon thread, and so do the threads that requests run on: whoever stops waiting for them can end
    the program.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket, *, lifespan: bool = False) -> None:
        config = uvicorn.Config(
            app,
            # h11 is the parser that bounds what a request may have before its body.
            http=type("Connection", (BoundedConnection,), {"most": most_connections()}),
            loop="asyncio",
            ws="none",
            lifespan="on" if lifespan else "off",
            log_config=None,
            log_level="critical",  # What it would say holds the texts of errors.
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
        """Whether it still does, after so many seconds."""
        self._thread.join(for_s)
        return self._thread.is_alive()

    def stop(self, timeout_s: float, hurried: Callable[[], bool] = lambda: False) -> bool:
        """Take no more requests and let those end that are running, until `hurried`. False where some did not."""
        self._server.should_exit = True
        until = time.monotonic() + timeout_s
        while self.serves(TICK_S) and time.monotonic() < until and not hurried():
            pass
        return not self._thread.is_alive()


class _Server(uvicorn.Server):
    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(QuietErrors())
        await super().serve(sockets)
