"""Loading ahead of time."""

import subprocess
import sys

from memchat.llm.preload import in_background


def test_a_failure_stays_behind_the_prompt() -> None:
    """The thread ends without a word; pytest would take one for an error."""
    begun = []

    def load() -> None:
        begun.append(True)
        raise ImportError("no such library")

    in_background("broken", load).join()
    assert begun == [True]


def test_the_first_call_finds_what_it_needs_loaded() -> None:
    """OpenAI's client and what speaks HTTP are loaded behind the prompt, with no socket opened."""
    code = (
        "import socket, sys\n"
        "def refuse(*args): sys.exit('opened a socket')\n"
        "socket.socket.connect = refuse\n"
        "from memchat.llm.preload import load_litellm\n"
        "load_litellm()\n"
        "print(*sorted({'openai.resources.chat', 'httpcore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["httpcore", "openai.resources.chat"]
