"""What a chat does before its first prompt, and leaves for later."""

import sys

import pexpect

from tests.cli.conftest import Shell

LATER = ("chromadb", "litellm", "numpy", "rich", "memchat.recall.retriever", "memchat.recall.excerpts")
AT_PROMPT = f"""
import sys
from prompt_toolkit import PromptSession

def prompt(self, *_, **__):
    print("LOADED", [name for name in {LATER!r} if name in sys.modules])
    raise EOFError

PromptSession.prompt = prompt
"""
AT_EXIT = """
import gc, os
end = os._exit
os._exit = lambda code: (print("SEARCHED", gc.isenabled(), flush=True), end(code))
"""
START = "\nfrom memchat.__main__ import main\nmain()"


def chat(shell: Shell, code: str) -> "pexpect.spawn[str]":
    """A chat in a terminal, in a process that runs `code` first."""
    return pexpect.spawn(
        sys.executable,
        ["-c", code + START, "chat", "--model", "offline"],
        env={**shell.environ, "TERM": "xterm-256color"},
        cwd=str(shell.home.parent),
        encoding="utf-8",
        timeout=60,
    )


def test_the_first_prompt_waits_for_nothing_that_a_turn_needs(shell: Shell) -> None:
    """With memories, too: recall and its models are loaded behind it."""
    shell.add("I am vegetarian.")
    child = chat(shell, AT_PROMPT)
    child.expect_exact("1 memory")
    child.expect_exact("LOADED []")
    child.expect(pexpect.EOF)


def test_reference_cycles_are_searched_for_once_the_prompt_is_up(shell: Shell) -> None:
    """Only the start does without."""
    child = chat(shell, AT_EXIT)
    child.expect_exact("\x1b[?2004h")
    child.sendcontrol("d")
    child.expect_exact("SEARCHED True")
    child.expect(pexpect.EOF)
