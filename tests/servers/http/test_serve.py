"""`memchat serve` as a command: where it listens, what it refuses, how it ends."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memchat.cli.serve import INDEX_FROM, LONG_S, ShutdownRequests, freeze_model
from memchat.config import load_settings
from memchat.signals import Signals
from tests.cli.conftest import Shell

KEY = "a-key-of-ours-4711"
BODY = b'{"user_id": "al", "message": "I live in Berlin."}'
HEAD = (
    f"POST /chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n"
).encode()
"""Of a request whose body is sent when it is asked for."""


def accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True


def started(shell: Shell) -> tuple[subprocess.Popen[str], tuple[str, int], str]:
    """A server that is ready, where it listens, and what it said."""
    command = [sys.executable, "-m", "memchat", "serve", "--port", "0"]
    env = {**shell.environ, "MEMCHAT_SERVER_KEY": KEY}
    child = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = child.stderr.readline()
    told = re.fullmatch(r"Listening on http://127\.0\.0\.1:(\d+) with model offline\. Ctrl-C stops it\.\n", said)
    assert told is not None, said
    return child, ("127.0.0.1", int(told[1])), said


@contextmanager
def half_sent(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A request under way, whose body the server waits for."""
    with socket.create_connection(address, timeout=90) as connection:
        connection.sendall(HEAD)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        yield connection


def finished(under_way: socket.socket) -> None:
    """Send the rest of it and see it answered."""
    under_way.sendall(BODY)
    assert under_way.recv(100).startswith(b"HTTP/1.1 200 ")


def test_it_serves_until_it_is_told_to_end_and_lets_what_runs_end_first(shell: Shell) -> None:
    """A request under way when SIGTERM comes is answered and learned from, a later one refused; the exit code is 0."""
    child, address, said = started(shell)
    try:
        with half_sent(address) as under_way:
            child.send_signal(signal.SIGTERM)
            while accepts(address):
                time.sleep(0.02)
            finished(under_way)
        out, err = child.communicate(timeout=120)
    finally:
        child.kill()
    assert (child.returncode, out) == (0, "")
    assert KEY not in said + err
    assert "Traceback" not in err
    assert "User lives in Berlin." in shell.run("memories", "list", "--user", "al").out


def test_a_terminal_that_is_closed_does_not_cut_requests_off(shell: Shell) -> None:
    """There is nobody left to tell that they are waited for."""
    child, address, _ = started(shell)
    try:
        with half_sent(address) as under_way:
            assert child.stderr is not None
            child.stderr.close()
            child.send_signal(signal.SIGHUP)
            time.sleep(2 * LONG_S)
            finished(under_way)
        child.communicate(timeout=120)
    finally:
        child.kill()


def test_without_the_extra_one_sentence_says_what_to_install(shell: Shell) -> None:
    """And nothing is opened."""
    without = "import sys; sys.modules['fastapi'] = None; from memchat.cli.main import run; sys.exit(run(['serve']))"
    done = shell.program(code=without)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[1:] == ["Install with: pip install 'memchat[serve]'"]
    assert not shell.home.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_not_served_without_a_key(shell: Shell, host: str) -> None:
    """It ends before it listens, and before it opens anything."""
    done = shell.run("serve", "--host", host, "--port", "0")
    assert (done.code, done.out) == (2, "")
    assert "MEMCHAT_SERVER_KEY" in done.err
    assert not shell.home.exists()


def test_a_key_and_no_key_are_not_asked_for_at_once(shell: Shell) -> None:
    """Which of the two was meant is not guessed."""
    done = shell.run("serve", "--host", "0.0.0.0", "--without-key", env={"MEMCHAT_SERVER_KEY": KEY})
    assert (done.code, done.out) == (2, "")
    assert "--without-key" in done.err


@pytest.mark.parametrize(("option", "value"), [("--port", "70000"), ("--host", "256.0.0.1"), ("--port", "x")])
def test_a_place_that_is_none_is_said_so(shell: Shell, option: str, value: str) -> None:
    """In a sentence and a hint."""
    done = shell.run("serve", option, value)
    assert (done.code, len(done.err.splitlines())) == (2, 2)


def test_a_taken_port_is_said_so(shell: Shell) -> None:
    """With the port, and without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = shell.run("serve", "--port", port)
    assert done.code == 2
    assert done.err.startswith(f"memchat: Cannot listen on 127.0.0.1, port {port}: address already in use.")


def test_the_key_is_never_shown(shell: Shell) -> None:
    """Neither as text nor as JSON, nor where it cannot be used; only that there is one, and where from."""
    shown = shell.run("config", env={"MEMCHAT_SERVER_KEY": KEY})
    as_json = shell.run("config", "--json", env={"MEMCHAT_SERVER_KEY": KEY})
    assert KEY not in shown.out + as_json.out
    assert as_json.json["server_key"] == {"value": "(hidden)", "from": "MEMCHAT_SERVER_KEY"}
    assert shell.run("config", "--json").json["server_key"]["value"] is None
    shell.home.mkdir(parents=True)
    shell.home.joinpath("config.toml").write_text("server_key = 4711\n")
    refused = shell.run("config")
    assert refused.code == 2
    assert "server_key" in refused.err
    assert "4711" not in refused.err + shell.run("doctor").out
    assert KEY not in repr(load_settings({"MEMCHAT_HOME": "/nowhere", "MEMCHAT_SERVER_KEY": KEY}))


def test_people_with_few_memories_get_no_index_of_their_own_unless_it_is_set_so(tmp_path: Path) -> None:
    """Thousands of them may share one store."""
    environ = {"MEMCHAT_HOME": str(tmp_path)}
    assert freeze_model(load_settings(environ)).index_from == INDEX_FROM
    assert freeze_model(load_settings({**environ, "MEMCHAT_INDEX_FROM": "0"})).index_from == 0
    assert freeze_model(load_settings(environ, model="offline")).model == "offline"


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As after nohup; the others are put back afterwards."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with ShutdownRequests().handled() as ending:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            assert ending.asked == 1
        with Signals().handled() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.ended is None
    finally:
        signal.signal(signal.SIGHUP, former)
    assert signal.getsignal(signal.SIGTERM) is before
