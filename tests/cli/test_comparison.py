"""What `memories add` replaces where a language model decides it: at once, later, and in another process."""

import subprocess
import sys
import threading
from collections.abc import Generator

import pytest

from tests.api.scripted_memory import Script, extractions
from tests.cli.conftest import Outcome, Shell
from tests.scripted_server import Reply, ScriptedServer

TOLD = "The flat in Lisbon is home these days."
UPDATED = f"{TOLD} (was: User lives in Berlin.)"
SCRIPT = Script({"flat in Lisbon": "User lives in Lisbon."}, {"flat in Lisbon": "Berlin"})


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer(SCRIPT) as running:
        yield running


def behind(server: ScriptedServer) -> dict[str, str]:
    return {**server.environment(), "MEMCHAT_MODEL": "openai/gpt-4o-mini"}


def pending(shell: Shell) -> list[str | None]:
    """The memories that wait to be compared."""
    return [job["memory"] for job in shell.run("status", "--json").json["pending"]]


def told(shell: Shell, server: ScriptedServer, *options: str) -> Outcome:
    """Tell something about which another memory is known."""
    shell.add("User lives in Berlin.")
    done = shell.run("memories", "add", TOLD, *options, env=behind(server))
    assert done.code == 0, done.err
    return done


def test_the_decision_can_be_waited_for(shell: Shell, server: ScriptedServer) -> None:
    """It is said as where rules decide."""
    done = told(shell, server, "--wait")
    assert done.out.startswith("Updated ")
    assert UPDATED in done.out
    assert "not decided yet" not in done.err
    assert pending(shell) == []


def test_the_decision_can_be_left_to_later(shell: Shell, server: ScriptedServer) -> None:
    """The memory is kept at once, no model is asked, and what is pending is said; status shows it and does it."""
    done = told(shell, server, "--no-wait")
    assert done.out.startswith("Remembered ")
    assert "memchat status --retry" in done.err
    assert server.requests == []
    assert "1 added memory" in shell.run("status").out
    decided = shell.run("status", "--retry", env=behind(server))
    assert f"Updated: {UPDATED}" in decided.err
    assert pending(shell) == []
    assert [memory["text"] for memory in shell.run("memories", "list", "--json").json] == [TOLD]


def test_programs_hear_whether_it_is_pending(shell: Shell, server: ScriptedServer) -> None:
    """Beside the memory, as JSON."""
    (kept,) = told(shell, server, "--no-wait", "--json").json
    assert kept["pending"] is True
    assert pending(shell) == [kept["id"]]


def test_the_next_conversation_decides_it(shell: Shell, server: ScriptedServer) -> None:
    """And says so."""
    told(shell, server, "--no-wait")
    done = shell.program("ask", "Hello.", env=behind(server))
    assert f"Updated: {UPDATED}" in done.err
    assert pending(shell) == []


def test_a_failure_is_said_and_tried_again(shell: Shell, server: ScriptedServer) -> None:
    """The memory is kept; the reason is beside it."""
    server.respond = lambda payload: Reply(status=401)
    done = told(shell, server, "--wait")
    assert "Could not decide yet what it replaces" in done.out
    assert len(pending(shell)) == 1
    server.respond = SCRIPT
    assert f"Updated: {UPDATED}" in shell.run("status", "--retry", env=behind(server)).err


def test_a_process_killed_while_the_model_decides_loses_nothing(shell: Shell, server: ScriptedServer) -> None:
    """The next one asks once more, and what it says is applied once."""
    shell.add("User lives in Berlin.")
    asked = threading.Event()

    def hang(_: object) -> Reply:
        asked.set()
        return Reply(text="", hang=True)

    server.respond = hang
    command = [sys.executable, "-m", "memchat", "memories", "add", "--wait", TOLD]
    environ = {**shell.environ, **behind(server)}
    with subprocess.Popen(command, env=environ, cwd=shell.home.parent, stderr=subprocess.DEVNULL) as child:
        assert asked.wait(120)
        child.kill()
    assert len(pending(shell)) == 1
    server.respond = SCRIPT
    assert f"Updated: {UPDATED}" in shell.run("status", "--retry", env=behind(server)).err
    assert (pending(shell), len(extractions(server.requests))) == ([], 2)
    assert "Nothing is pending." in shell.run("status", "--retry", env=behind(server)).err
