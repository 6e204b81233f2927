"""`memchat serve`: chat and memories for other programs, over HTTP."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli.options import Model, require_extra
from memchat.cli.output import print_note
from memchat.config import LogFormat, load_settings
from memchat.errors import UsageError
from memchat.signals import ENDING, signal_handlers

if TYPE_CHECKING:
    import socket

    from memchat.api.memory import Memory
    from memchat.config import Settings

log = logging.getLogger(__name__)

Host = Annotated[
    str, typer.Option("--host", metavar="NAME", help="Address to listen on; other machines need MEMCHAT_SERVER_KEY.")
]
Port = Annotated[int, typer.Option("--port", min=0, metavar="NUMBER", help="Port to listen on; 0 takes any free one.")]
WithoutKey = Annotated[
    bool,
    typer.Option("--without-key", help="Accept requests without a key from any machine; for private networks."),
]

LogAs = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format", metavar="FORMAT", help="text or json, one line per request (default: MEMCHAT_LOG_FORMAT)."
    ),
]

INDEX_FROM = 1_000
"""Memories of a user from which an index is built: each takes 3 MB, and thousands of users may share this store."""
LONG_S = 1.0
"""Time to wait for requests before a note says so, in seconds."""
GRACE_S = 15.0
"""Time that running requests have to end after shutdown is requested, in seconds; a turn takes as long as its model."""
SETTLE_S = 5.0
"""Time that learning has after that, in seconds. The sum stays below the 30 s that Kubernetes allows."""


def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    without_key: WithoutKey = False,
    log_format: LogAs = None,
    model: Model = None,
) -> int:
    """Serve chat and memories to other programs over HTTP, until you press Ctrl-C.

    POST /chat takes {"user_id", "message"}. The other paths are those of mem0's server; /openapi.json lists them all.
    """
    with require_extra("serve", "fastapi", "starlette", "uvicorn"):
        from memchat.servers import http, http_server
        from memchat.servers.keys import Keys

    settings = freeze_model(load_settings(model=model, log_format=log_format))
    keys = Keys.of(settings.server_key, settings.home)
    if keys.guarded and without_key:
        raise UsageError("A key or token is set, so --without-key cannot be used.", hint="Leave out one of them.")
    with (
        ShutdownRequests().handled() as ending,
        http_server.bind_socket(host, port, guarded=keys.guarded or without_key) as sock,
    ):
        _serve_until_asked(settings, sock, ending, partial(http.create_app, everybody=without_key))
    return 0 if ending.asked else 1


def _serve_until_asked(
    settings: "Settings", sock: "socket.socket", ending: "ShutdownRequests", create_app: Callable[..., Any]
) -> None:
    """Serve on `sock` until shutdown is requested, or until the server fails; then close it."""
    from memchat.api.memory import Memory
    from memchat.servers import http_server
    from memchat.servers.json_logs import log_as_json

    tell: Callable[[str], None] = _print_if_possible
    if settings.log_format is LogFormat.JSON:
        log_as_json(sys.stderr)
        tell = log.info
    memory = Memory(settings, owns_index=True)
    try:
        memory.warm_up()
        with _mcp_app(settings, memory) as mcp:
            app = create_app(memory, settings.server_key, mcp=mcp)
            listener = http_server.HTTPServerThread(app, sock, lifespan=mcp is not None)
            listener.start()
            tell(f"Listening on {http_server.url_of(sock)} with model {settings.model}. Ctrl-C stops it.")
            while not ending.asked and listener.serves(http_server.TICK_S):
                pass
            if not listener.stop(LONG_S, ending.hurried):
                tell("Waiting for running requests to end. Press Ctrl-C again to cut them off.")
                if not listener.stop(GRACE_S, ending.hurried):
                    tell("Cut off the requests that were still running. Their messages are saved.")
    finally:
        memory.close(0.0 if ending.hurried() else SETTLE_S)


@contextmanager
def _mcp_app(settings: "Settings", memory: "Memory") -> Generator[Any]:
    """Yield the ASGI application for the Model Context Protocol, or None if the extra is not installed."""
    try:
        from memchat.servers.mcp import http_app
        from memchat.servers.mcp_tools import MemoryTools
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        yield None
        return
    with MemoryTools(settings, learner=memory.learner) as tools:
        yield http_app(tools)


class ShutdownRequests:
    """Counts requests to shut down: Ctrl-C, SIGTERM, and SIGHUP unless it is ignored, as under nohup."""

    def __init__(self) -> None:
        self.asked = 0

    def hurried(self) -> bool:
        """Return whether shutdown was requested again, so that nothing should be waited for."""
        return self.asked > 1

    @contextmanager
    def handled(self) -> "Generator[ShutdownRequests]":
        def count(number: int, frame: FrameType | None) -> None:
            self.asked += 1

        with signal_handlers(dict.fromkeys((signal.SIGINT, *ENDING), count)):
            yield self


def freeze_model(settings: "Settings") -> "Settings":
    """Return `settings` with the model chosen now, which stays the same while the server runs."""
    from memchat.llm.model_choice import choose_model

    index_from = settings.index_from if "index_from" in settings.origins else INDEX_FROM
    return replace(settings, model=choose_model(os.environ, explicit=settings.model).name, index_from=index_from)


def _print_if_possible(text: str) -> None:
    """Print a note; ignore a terminal that is gone, since closing it may be what ends the server."""
    with suppress(OSError):
        print_note(text)
