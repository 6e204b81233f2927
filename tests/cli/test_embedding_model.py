"""An embedding model of LiteLLM's: when it is asked, when it is not, and what goes on without it."""

import sys
from collections.abc import Generator
from pathlib import Path

import pexpect
import pytest

from memchat.llm.builtin_embedder import BuiltinEmbedder
from tests.cli.conftest import NOWHERE, Shell
from tests.scripted_server import Reply, ScriptedServer

NAME = "openai/text-embedding-3-small"
REFUSAL = Reply(status=401)


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    builtin = BuiltinEmbedder()
    with ScriptedServer(embed=lambda texts: builtin.embed(texts).tolist()) as running:
        yield running


def behind(address: str) -> dict[str, str]:
    """The environment in which the embedding model is at `address` and everything else is built in."""
    return {
        "MEMCHAT_MODEL": "offline",
        "MEMCHAT_EMBEDDING_MODEL": NAME,
        "OPENAI_API_KEY": "sk-scripted-0123456789",
        "OPENAI_API_BASE": address,
        "MEMCHAT_RETRIES": "0",
    }


def looked_at_and_left(shell: Shell, env: dict[str, str]) -> str:
    """What is on the screen of a chat in which nothing is said."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "chat", "--user", "alice"],
        env={**shell.environ, **env, "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect_exact("\x1b[?2004h")  # The prompt is up: pastes are bracketed.
    shown = str(child.before)
    child.send("/quit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    return shown + str(child.before)


@pytest.mark.parametrize("stored", [(), ("Lives in Berlin.",)])
def test_nothing_goes_over_the_network_before_something_is_said(
    shell: Shell, server: ScriptedServer, stored: tuple[str, ...]
) -> None:
    """A chat that is opened and left asks no embedder, with memories and without, and shows no traceback."""
    if stored:
        assert shell.run("memories", "add", *stored, env=behind(server.base_url)).code == 0
    before = len(server.requests)
    server.enqueue_embedding(*[REFUSAL] * 9)
    assert "Traceback" not in looked_at_and_left(shell, behind(server.base_url))
    assert len(server.requests) == before


def test_a_warm_up_that_fails_is_not_seen(shell: Shell, tmp_path: Path) -> None:
    """With an ONNX Runtime that cannot be loaded the prompt stays clean; the first turn will say it."""
    (tmp_path / "broken" / "onnxruntime").mkdir(parents=True)
    (tmp_path / "broken" / "onnxruntime" / "__init__.py").write_text("raise ImportError('no such library')")
    path = f"{tmp_path / 'broken'}:{shell.environ['PYTHONPATH']}"
    assert "Traceback" not in looked_at_and_left(shell, {"PYTHONPATH": path})


@pytest.mark.parametrize(
    "command",
    [
        ("memories", "list"),
        ("memories", "export"),
        ("sessions", "list"),
        ("status",),
        ("config",),
        ("doctor",),
        ("chat",),
    ],
)
def test_reading_asks_no_embedder(shell: Shell, server: ScriptedServer, command: tuple[str, ...]) -> None:
    """On an empty home, where nothing tells the dimension; and a chat starts."""
    server.enqueue_embedding(*[REFUSAL] * 9)
    done = shell.run(*command, env=behind(server.base_url))
    assert done.code == 0, done.err
    assert server.requests == []


def test_what_is_erased_or_left_unlearned_asks_no_embedder(shell: Shell, server: ScriptedServer) -> None:
    """Neither forgetting by id nor an exchange that taught nothing has anything to embed."""
    (memory,) = shell.run("memories", "add", "Lives in Berlin.", "--json", env=behind(server.base_url)).json
    before = len(server.requests)
    assert shell.run("forget", memory["id"], "--yes", env=behind(server.base_url)).code == 0
    assert len(server.requests) == before


def test_the_dimension_is_learned_with_the_first_vectors(shell: Shell, server: ScriptedServer) -> None:
    """In one chat: what its first turn teaches is found by its meaning in a later one, as in a later process."""
    env = behind(server.base_url)
    chat = "I am vegetarian.\nCan you suggest a restaurant near me for tonight?\n"
    assert "You are vegetarian." not in shell.run("chat", "--private", stdin=chat, env=env).out
    assert shell.run("chat", stdin="I am vegetarian.\n", env=env).code == 0
    found = shell.run("memories", "search", "suggest a place to eat", "--json", env=env).json
    assert [hit["text"] for hit in found] == ["User is vegetarian."]
    texts = [request["json"]["input"] for request in server.requests]
    assert ["dimension"] not in texts
    assert ["warm"] not in texts


def test_recall_goes_on_with_words_alone(shell: Shell, server: ScriptedServer) -> None:
    """The embedder is gone: every line is answered, and one line says why and which setting is meant."""
    assert shell.run("memories", "add", "Alice lives in Berlin.", env=behind(server.base_url)).code == 0
    done = shell.run("chat", "--private", stdin="Is Berlin big?\nDo I live in Berlin?\n", env=behind(NOWHERE))
    assert done.code == 0
    assert done.out.count("Alice lives in Berlin.") == 2
    assert done.err.count(NAME) == done.err.count("MEMCHAT_EMBEDDING_MODEL") == 1
    assert "--model" not in done.err
    answer = shell.run("ask", "Is Berlin big?", "--private", "--json", env=behind(NOWHERE))
    assert [memory["text"] for memory in answer.json["memories"]] == ["Alice lives in Berlin."]
    assert answer.err.count(NAME) == 1
    search = shell.run("memories", "search", "Berlin", env=behind(NOWHERE))
    assert "Alice lives in Berlin." in search.out


def test_what_cannot_be_embedded_stays_pending(shell: Shell, server: ScriptedServer) -> None:
    """With its reason, and is learned once the embedder is back."""
    done = shell.run("ask", "I live in Berlin.", env=behind(NOWHERE))
    assert done.code == 0, done.err
    (waiting,) = shell.run("status", "--json", env=behind(NOWHERE)).json["pending"]
    assert NAME in waiting["error"]
    assert shell.run("memories", "list", env=behind(NOWHERE)).out == ""
    assert shell.run("status", "--retry", env=behind(server.base_url)).code == 0
    assert "User lives in Berlin." in shell.run("memories", "list", env=behind(NOWHERE)).out


def test_a_failure_of_the_embedder_is_told_as_its_own(shell: Shell, server: ScriptedServer) -> None:
    """The hint names the setting of the embedding model, not the option of the chat model."""
    # One for the search for what it may replace, one for what is to be kept.
    server.enqueue_embedding(REFUSAL)
    server.enqueue_embedding(REFUSAL)
    for address, code in ((server.base_url, 3), (NOWHERE, 4)):
        done = shell.run("memories", "add", "Lives in Berlin.", env=behind(address))
        assert done.code == code
        assert "MEMCHAT_EMBEDDING_MODEL" in done.err
        assert "--model" not in done.err
