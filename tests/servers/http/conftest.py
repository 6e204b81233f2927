"""A real server on loopback over a real `Memory`, with the library's provider at the model's end of the wire."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import ASGIApp

from memchat import Memory
from memchat.config import Settings
from memchat.servers.http import create_app
from memchat.servers.http_server import HTTPServerThread, bind_socket, url_of
from tests.api.conftest import home, memory, server
from tests.cli.conftest import shell

__all__ = ["home", "memory", "server", "shell"]

Open = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def opened() -> Iterator[Open]:
    """Opens servers, closed with the module; each call returns a client of one over a memory, with a key or without."""
    with ExitStack() as open_ones:

        def open_one(
            memory: Memory, key: str | None = None, *, everybody: bool = False, mcp: ASGIApp | None = None
        ) -> httpx.Client:
            sock = open_ones.enter_context(bind_socket("127.0.0.1", 0, guarded=key is not None))
            url = url_of(sock)
            app = create_app(memory, key, everybody=everybody, mcp=mcp)
            listener = HTTPServerThread(app, sock, lifespan=mcp is not None)
            listener.start()
            open_ones.callback(lambda: listener.stop(20))
            return open_ones.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=90))

        yield open_one


@pytest.fixture
def client(opened: Open, memory: Memory) -> httpx.Client:
    """Of a server with a memory of this test's own, behind which the provider answers."""
    return opened(memory)


@pytest.fixture(scope="module")
def offline(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of one server for all tests that hardly get past its door."""
    with Memory(Settings(tmp_path_factory.mktemp("offline") / "home", "nobody", model="offline")) as memory:
        yield opened(memory)
