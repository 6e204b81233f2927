"""`memchat serve`: memory for other programs, over HTTP."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
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

    from memchat.config import Settings
    from memchat.servers.http_server import HTTPServerThread

log = logging.getLogger(__name__)

Host = Annotated[
    str, typer.Option("--host", metavar="NAME", help="Where to listen; MEMCHAT_SERVER_KEY opens it to other machines.")
]
Port = Annotated[int, typer.Option("--port", min=0, metavar="NUMBER", help="The port; 0 takes any that is free.")]
WithoutKey = Annotated[
    bool,
    typer.Option("--without-key", help="Serve whoever reaches it, without a key: for a private network."),
]

LogAs = Annotated[
    LogFormat | None,
    typer.Option("--log-format", metavar="FORMAT", help="text, or json for a line a request; else MEMCHAT_LOG_FORMAT."),
]

INDEX_FROM = 1_000
"""An open collection takes 3 MB, and thousands of people may share this store."""
LONG_S = 1.0
"""When waiting for requests is worth a word, in seconds."""
GRACE_S = 15.0
"""How long requests may still run when it ends, in seconds; a turn takes as long as its model."""
SETTLE_S = 5.0
"""How long learning may then, before what is left stays for next time. Together less than the 30 s Kubernetes gives."""


def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    without_key: WithoutKey = False,
    log_format: LogAs = None,
    model: Model = None,
) -> int:
    """Serve chat and memories to other programs over HTTP, until Ctrl-C.

    POST /chat takes {"user_id", "message"}; the other paths are those of mem0's server, and /openapi.json lists all.
    """
    with require_extra("serve", "fastapi", "starlette", "uvicorn"):
        from memchat.servers import http_server
        from memchat.servers.keys import Keys

    settings = freeze_model(load_settings(model=model, log_format=log_format))
    keys = Keys.of(settings.server_key, settings.home)
    if keys.guarded and without_key:
        raise UsageError("A key or token is set, so --without-key makes no sense.", hint="Leave one of the two out.")
    with (
        ShutdownRequests().handled() as ending,
        http_server.bind_socket(host, port, guarded=keys.guarded or without_key) as sock,
    ):
        _serve_until_asked(settings, sock, ending, everybody=without_key)
    return 0 if ending.asked else 1


def _serve_until_asked(
    settings: "Settings", sock: "socket.socket", ending: "ShutdownRequests", *, everybody: bool
) -> None:
    """Serve on `sock`, which is closed then; returns earlier only where the server has failed."""
    from memchat.api import Memory
    from memchat.servers import http, http_server
    from memchat.servers.json_logs import log_as_json

    tell: Callable[[str], None] = _tell
    if settings.log_format is LogFormat.JSON:
        log_as_json(sys.stderr)
        tell = log.info
    memory = Memory(settings, owns_index=True)
    try:
        memory.warm_up()
        with _mcp_app(settings) as mcp:
            app = http.create_app(memory, settings.server_key, everybody=everybody, mcp=mcp)
            listener = http_server.HTTPServerThread(app, sock, lifespan=mcp is not None)
            listener.start()
            tell(f"Listening on {http_server.url_of(sock)}, where {settings.model} answers. Ctrl-C stops it.")
            while not ending.asked and listener.serves(http_server.TICK_S):
                pass
            _stop(listener, ending, tell)
    finally:
        memory.close(0.0 if ending.hurried() else SETTLE_S)


@contextmanager
def _mcp_app(settings: "Settings") -> Generator[Any]:
    """The ASGI application for the Model Context Protocol; None without the extra for it."""
    try:
        from memchat.servers.mcp import MemoryTools, http_app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        yield None
        return
    with MemoryTools(settings) as tools:
        yield http_app(tools)


class ShutdownRequests:
    """How often it was asked to end: by Ctrl-C, SIGTERM or SIGHUP, as far as those are not ignored (nohup)."""

    def __init__(self) -> None:
        self.asked = 0

    def hurried(self) -> bool:
        return self.asked > 1

    @contextmanager
    def handled(self) -> "Generator[ShutdownRequests]":
        with signal_handlers(dict.fromkeys((signal.SIGINT, *ENDING), self._ask)):
            yield self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1


def freeze_model(settings: "Settings") -> "Settings":
    """`settings` as they hold for as long as it runs, with the model that answers now."""
    from memchat.llm.providers import choose_model

    index_from = settings.index_from if "index_from" in settings.origins else INDEX_FROM
    return replace(settings, model=choose_model(os.environ, explicit=settings.model).name, index_from=index_from)


def _stop(listener: "HTTPServerThread", ending: ShutdownRequests, tell: Callable[[str], None]) -> None:
    if listener.stop(LONG_S, ending.hurried):
        return
    tell("Waiting for requests to end. Ctrl-C again cuts them off.")
    if not listener.stop(GRACE_S, ending.hurried):
        tell("Requests that were still running are cut off; what was said in them is kept.")


def _tell(text: str) -> None:
    """The terminal may be gone, whose closing is what ends it; the requests must not go with it."""
    with suppress(OSError):
        print_note(text)
