"""Loading ahead of time."""

import os
import subprocess
import sys

from memchat.preload import in_background
from tests.scripted_server import ScriptedServer


def test_a_failure_stays_behind_the_prompt() -> None:
    """The thread ends without a word; pytest would take one for an error."""
    begun = []

    def load() -> None:
        begun.append(True)
        raise ImportError("no such library")

    in_background("broken", load).join()
    assert begun == [True]


FIRST_CALL = """
import socket, sys
def refuse(*args): sys.exit("opened a socket")
connect, socket.socket.connect = socket.socket.connect, refuse
from memchat.preload import load_litellm
load_litellm()
socket.socket.connect = connect
from tests.llm.adapters import LITELLM
from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
loaded = set(sys.modules)
reply = LITELLM.model(sys.argv[1]).stream(ModelRequest([PromptMessage(Role.USER, "Hello")]))
assert "".join(delta.text for delta in reply) == "ok"
print(*sorted(set(sys.modules) - loaded))
"""
FEW = 8
"""LiteLLM 1.106 to 1.110 load three to five of their own at the first call; without preparation it is up to fifty."""


def test_the_first_call_finds_what_it_needs_loaded() -> None:
    """Behind the prompt, with no socket opened; OpenAI's client and what speaks HTTP are among it."""
    with ScriptedServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_CALL, server.base_url],
            env={**os.environ, **server.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    late = done.stdout.split()
    assert len(late) <= FEW, late
    assert not [name for name in late if name.startswith(("openai", "httpcore", "httpx"))]
