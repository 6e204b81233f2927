"""`memchat setup`, and `memchat` alone, in a terminal."""

import sys
from collections.abc import Generator

import pexpect
import pytest

from memchat.cli.setup import _save_setting, _save_variable
from memchat.llm.model_choice import local_ollama
from tests.cli.conftest import NOWHERE, Shell
from tests.scripted_server import ScriptedServer

ANOTHER_SERVER = "10"


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def terminal(shell: Shell, *arguments: str, **environ: str) -> pexpect.spawn:
    return pexpect.spawn(
        sys.executable,
        ["-m", "memchat", *arguments],
        env={**shell.environ, "TERM": "xterm", **environ},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=60,
        cwd=str(shell.home.parent),
    )


def choose_server(child: pexpect.spawn, address: str) -> None:
    child.expect("needs a key .OPENAI_API_KEY")
    child.expect("Number: ")
    child.sendline(ANOTHER_SERVER)
    child.expect("Address.*: ")
    child.sendline(address)
    child.expect("Key.*: ")
    child.sendline("sk-scripted-0123456789")
    child.expect("Model.*: ")
    child.sendline("scripted")


def test_a_server_is_chosen_tried_and_saved(shell: Shell, server: ScriptedServer) -> None:
    """One call is made; the key is shown nowhere and kept where others cannot read it; the next chat uses both."""
    child = terminal(shell, "setup")
    choose_server(child, server.base_url)
    child.expect("The model answers")
    child.expect("Saved")
    child.expect(pexpect.EOF)
    assert "sk-scripted" not in child.before
    assert len(server.requests) == 1
    assert shell.home.joinpath(".env").stat().st_mode & 0o777 == 0o600
    assert "sk-scripted" not in shell.home.joinpath("config.toml").read_text()
    asked = shell.program("ask", "Hello.", "--no-memory", "--json")
    assert asked.json["model"] == "openai/scripted"
    assert {key.lower(): value for key, value in server.requests[-1]["headers"].items()}[
        "authorization"
    ] == "Bearer sk-scripted-0123456789"


def test_a_server_says_which_models_it_has(shell: Shell, server: ScriptedServer) -> None:
    """The first is taken where nothing is typed; an address on this machine needs no http:// in front."""
    server.pages["/v1/models"] = {"data": [{"id": "small"}, {"id": "large"}]}
    for typed, name in (("", "small"), ("2", "large"), ("other", "other")):
        child = terminal(shell, "setup")
        child.expect("Number: ")
        child.sendline(ANOTHER_SERVER)
        child.expect("Address.*: ")
        child.sendline(server.base_url.removeprefix("http://"))
        child.expect("Key.*: ")
        child.sendline("")
        child.expect("large")
        child.expect("Model .number or name. .small.: ")
        child.sendline(typed)
        child.expect("Saved")
        child.expect(pexpect.EOF)
        assert f'"openai/{name}"' in shell.home.joinpath("config.toml").read_text()


def test_what_is_no_address_is_said_before_anything_else_is_asked(shell: Shell) -> None:
    """Nothing is saved."""
    child = terminal(shell, "setup")
    child.expect("Number: ")
    child.sendline(ANOTHER_SERVER)
    child.expect("Address.*: ")
    child.sendline("ftp://x")
    child.expect("not the address of a server")
    child.expect(pexpect.EOF)
    assert not shell.home.joinpath("config.toml").exists()


def test_options_of_a_chat_need_no_command(shell: Shell) -> None:
    """As memchat alone starts a chat; where there is nothing to continue, it says so."""
    child = terminal(shell, "--continue", "--user", "al", "--model", "offline")
    child.expect("There is no conversation of al to continue yet")
    child.expect("al · offline")
    child.expect("❯ ")
    child.send("\x04")
    child.expect(pexpect.EOF)


def test_what_does_not_answer_is_not_saved_unasked(shell: Shell) -> None:
    """The failure is said, and no is no."""
    child = terminal(shell, "setup")
    choose_server(child, f"{NOWHERE}/v1")
    child.expect("Save it anyway")
    child.sendline("n")
    child.expect("Nothing was saved")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 4
    assert not shell.home.joinpath("config.toml").exists()


def test_without_a_terminal_there_is_no_setup(shell: Shell) -> None:
    """There is nobody to ask."""
    assert shell.run("setup").code == 2


def test_what_stands_in_the_files_stays(shell: Shell) -> None:
    """Other settings, comments, tables, and other variables."""
    shell.home.mkdir()
    config, variables = shell.home / "config.toml", shell.home / ".env"
    config.write_text('# mine\ntop_k = 3\nmodel = "old"\n[agents.shop]\nmodel = "shop"\n')
    _save_setting(config, "model", "new")
    assert config.read_text() == '# mine\ntop_k = 3\nmodel = "new"\n[agents.shop]\nmodel = "shop"\n'
    variables.write_text("# mine\nOPENAI_API_KEY=old\nOTHER=1\n")
    _save_variable(variables, "OPENAI_API_KEY", "it's $new")
    assert variables.read_text() == "# mine\nOTHER=1\nOPENAI_API_KEY='it\\'s $new'\n"


def test_memchat_alone_is_a_chat(shell: Shell) -> None:
    """In a terminal; the first screen names the ways to a model."""
    child = terminal(shell)
    child.expect("alice · offline · 0 memories")
    child.expect("No AI model is set up yet")
    child.expect("memchat setup")
    child.expect("ollama pull")
    child.expect_exact("\x1b[?2004h")
    child.send("/quit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_models_lists_what_is_missing(shell: Shell) -> None:
    """Every provider with the variable it needs, Ollama, and other servers."""
    out = shell.run("models", env={"OPENAI_API_KEY": "sk-x"}).out
    assert "set ANTHROPIC_API_KEY" in out
    assert "set OPENAI_API_KEY" not in out
    assert "ollama pull" in out
    assert "OPENAI_API_BASE" in out


def first_screen(shell: Shell, *, ollama: str) -> str:
    """What a chat shows until its first prompt is up, on one line."""
    child = terminal(shell, OLLAMA_API_BASE=ollama)
    child.expect_exact("\x1b[?2004h")
    shown = " ".join((child.before or "").split())
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    return shown


def test_the_first_screen_names_the_models_of_a_running_ollama(shell: Shell) -> None:
    """The one that answers, and the others with the way to them; only until something is remembered."""
    with ScriptedServer(ollama=("llama3.2:latest", "qwen3:4b", "nomic-embed-text")) as ollama:
        shown = first_screen(shell, ollama=ollama.origin)
        assert "ollama_chat/llama3.2:latest" in shown
        assert "It also has: qwen3:4b. /model NAME switches" in shown
        shell.add("Likes tea.")
        assert "It also has" not in first_screen(shell, ollama=ollama.origin)


def test_the_first_screen_says_what_a_running_ollama_lacks(shell: Shell) -> None:
    """One with no chat model: which to pull comes first. Where nothing runs, nothing is said of it."""
    with ScriptedServer(ollama=("nomic-embed-text",)) as ollama:
        shown = first_screen(shell, ollama=ollama.origin)
    running = "Ollama is running on this machine, and has no chat model yet"
    assert running in shown
    assert shown.index("ollama pull llama3.2") < shown.index("memchat setup")
    assert running not in first_screen(shell, ollama=NOWHERE)


def test_another_machine_is_not_asked_for_the_first_screen() -> None:
    """Only what runs on this machine is looked for, and one that does not answer is given up soon."""
    assert local_ollama({"OLLAMA_API_BASE": "http://192.0.2.1:11434"}) is None
    assert local_ollama({"OLLAMA_API_BASE": NOWHERE}) is None
    with ScriptedServer(ollama=("qwen3:4b",)) as ollama:
        assert local_ollama({"OLLAMA_API_BASE": ollama.origin}) == ["qwen3:4b"]
