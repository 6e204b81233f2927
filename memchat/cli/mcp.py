"""`memchat mcp`: share memories with other assistants over the Model Context Protocol."""

import sys
from typing import Annotated

import typer

from memchat.cli import completion
from memchat.cli.options import User, require_extra
from memchat.cli.output import print_note
from memchat.config import load_settings

Agent = Annotated[str | None, completion.agent_option(help="Include this agent's memories (default: MEMCHAT_AGENT).")]
Http = Annotated[
    int | None,
    typer.Option("--http", min=0, metavar="PORT", help="Serve over HTTP on this local port; 0 takes any free one."),
]


def mcp(*, user: User = None, agent: Agent = None, http: Http = None) -> int:
    """Let other assistants search and add memories, over the Model Context Protocol.

    An editor or a desktop app starts this command and talks to it on standard input and output. --user decides whose
    memories it serves; the assistant has no access to those of other users. With --http it serves any number of clients
    on this machine, at http://127.0.0.1:PORT/mcp. If MEMCHAT_SERVER_KEY is set or tokens exist (memchat tokens),
    clients must send one; the token of a user gives access to that user's memories.
    """
    settings = load_settings(user=user, agent=agent)
    with require_extra("mcp", "mcp"):
        from memchat.servers.mcp import http_app, serve
        from memchat.servers.mcp_tools import MemoryTools
    if http is None:
        if sys.stdin.isatty():
            print_note("This command is meant to be started by an MCP client, for example an editor. Ctrl-C stops it.")
        serve(settings)
        return 0
    from memchat.cli.serve import GRACE_S, ShutdownRequests

    with require_extra("serve", "fastapi", "starlette", "uvicorn"):
        from memchat.servers import http_server
        from memchat.servers.access import AccessMiddleware
        from memchat.servers.keys import Keys
    keys = Keys.of(settings.server_key, settings.home)
    with (
        ShutdownRequests().handled() as ending,
        http_server.bind_socket("127.0.0.1", http, guarded=keys.guarded) as sock,
        MemoryTools(settings, several=True) as tools,
    ):
        tools.warm_up()
        app = AccessMiddleware(http_app(tools), keys)
        listener = http_server.HTTPServerThread(app, sock, lifespan=True)
        listener.start()
        print_note(f"Listening on {http_server.url_of(sock)}/mcp. Ctrl-C stops it.")
        while not ending.asked and listener.serves(http_server.TICK_S):
            pass
        listener.stop(GRACE_S, ending.hurried)
    return 0 if ending.asked else 1
