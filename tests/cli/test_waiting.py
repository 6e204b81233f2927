"""What `memchat ask` shows while the model is waited for, and when it is stopped."""

import sys
from collections.abc import Generator

import pexpect
import pytest

from tests.cli.conftest import Shell
from tests.repl.person import hear_ctrl_c
from tests.scripted_server import Reply, ScriptedServer

SIGN = r"\x1b\[2m…[^\r\n]*Ctrl-C stops\x1b\[0m"
WIPE = "\r\x1b[K"


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def asking(shell: Shell, server: ScriptedServer, *options: str, **environ: str) -> "pexpect.spawn[str]":
    """`memchat ask` at a terminal, learning nothing, with a model that is the scripted server."""
    settings = {"MEMCHAT_MODEL": "openai/scripted", "MEMCHAT_RETRIES": "1", "TERM": "xterm-256color"}
    return pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "ask", "Hello?", "--private", *options],
        env={**shell.environ, **server.environment(), **settings, **environ},
        cwd=str(shell.home.parent),
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=90,
        preexec_fn=hear_ctrl_c,
    )


def ended(child: "pexpect.spawn[str]") -> tuple[str, int | None]:
    """What is written until the program ends, and its exit code."""
    rest = child.read()
    child.close()
    return rest, child.exitstatus


def test_a_sign_of_life_is_wiped_before_the_first_word(shell: Shell, server: ScriptedServer) -> None:
    """It counts the seconds and says how to stop; nothing of it is left."""
    server.enqueue(Reply("There you are.", delay_s=4.0))
    child = asking(shell, server)
    child.expect(SIGN)
    child.expect(r"… [1-4] s · Ctrl-C stops\x1b\[0m")
    child.expect_exact(f"{WIPE}There")
    rest, code = ended(child)
    assert (rest.split(), code) == (["you", "are."], 0)


def test_no_sign_of_life_on_a_terminal_that_cannot_wipe(shell: Shell, server: ScriptedServer) -> None:
    """TERM=dumb gets the answer alone, without an escape byte."""
    server.enqueue(Reply("There you are.", delay_s=2.0))
    shown, code = ended(asking(shell, server, TERM="dumb"))
    assert "There you are." in shown
    assert "\x1b" not in shown
    assert "Ctrl-C" not in shown
    assert code == 0


def test_no_sign_of_life_in_a_pipe(shell: Shell, server: ScriptedServer) -> None:
    """Standard error that is no terminal stays empty."""
    server.enqueue(Reply("There you are.", delay_s=2.0))
    env = {**server.environment(), "MEMCHAT_MODEL": "openai/scripted"}
    done = shell.program("ask", "Hello?", "--private", env=env)
    assert (done.out, done.err) == ("There you are.\n", "")


def test_json_is_waited_for_with_a_sign_of_life_too(shell: Shell, server: ScriptedServer) -> None:
    """It stays until the whole answer is there, and is wiped before the JSON."""
    server.enqueue(Reply("one two three", delay_s=1.5, chunk_delay_s=0.5))
    child = asking(shell, server, "--json")
    child.expect(SIGN)
    child.expect_exact(f"{WIPE}{{")
    assert '"one two three"' in ended(child)[0]


@pytest.mark.parametrize(
    "reply",
    [Reply("", hang=True), Reply("Here is a first word of many. " * 5, hang=True)],
    ids=["before", "after"],
)
def test_after_ctrl_c_the_prompt_of_the_shell_begins_a_line(shell: Shell, server: ScriptedServer, reply: Reply) -> None:
    """Stopped while waiting, or in the middle of a reply: the last line is whole and says so."""
    server.enqueue(reply)
    child = asking(shell, server)
    child.expect("first" if reply.text else SIGN)
    child.sendintr()
    rest, code = ended(child)
    assert rest.splitlines()[-1].endswith("Stopped.\x1b[0m")
    assert rest.endswith("\r\n")
    assert code == 130


def test_an_attempt_that_is_waited_for_is_counted_down(shell: Shell, server: ScriptedServer) -> None:
    """What went wrong stands on a line of its own, the countdown goes."""
    server.enqueue(Reply(status=503, error={"message": "overloaded"}), Reply("There you are."))
    child = asking(shell, server)
    child.expect_exact("overloaded")
    child.expect(r"trying again in \d+ s · Ctrl-C stops")
    child.expect_exact(f"{WIPE}There")
    assert ended(child)[1] == 0


def test_ctrl_c_at_a_question_ends_the_line(shell: Shell) -> None:
    """The prompt of the shell does not stand behind ^C."""
    shell.add("Likes tea.")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "forget", "--all"],
        env={**shell.environ, "TERM": "xterm-256color"},
        encoding="utf-8",
        timeout=90,
        preexec_fn=hear_ctrl_c,
    )
    child.expect_exact("[y/N] ")
    child.sendintr()
    rest, code = ended(child)
    assert rest == "^C\r\n"
    assert code == 130
