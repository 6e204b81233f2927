"""`memchat mcp`: what is remembered, for other assistants."""

import sys
from typing import Annotated

import typer

from memchat.cli.options import User, require_extra
from memchat.cli.output import print_note
from memchat.config import load_settings

Agent = Annotated[
    str | None,
    typer.Option("--agent", "-a", metavar="NAME", help="Also find this agent's own memories; else MEMCHAT_AGENT."),
]


def mcp(*, user: User = None, agent: Agent = None) -> None:
    """Let other assistants search and keep memories, over the Model Context Protocol.

    An editor or a desktop app starts this command and talks to it on standard input and output. Whose memories it
    serves is settled here; the assistant cannot ask for anybody else's.
    """
    settings = load_settings(user=user, agent=agent)
    with require_extra("mcp", "mcp"):
        from memchat.servers.mcp import serve
    if sys.stdin.isatty():
        print_note("An assistant is to start this command and talk to it. Ctrl-D or Ctrl-C ends it.")
    serve(settings)
