"""`memchat stats`: counts in words, as a picture and as JSON."""

from collections.abc import Generator

import pytest

from tests.cli.conftest import Shell
from tests.scripted_server import Reply, ScriptedServer


def test_memories_are_counted_by_category_and_month(shell: Shell) -> None:
    """For the user alone, without the superseded."""
    shell.add("I am vegetarian.", "My knee hurts.", options=("--category", "health"))
    shell.add("Lives in Lille.", options=("--category", "place"))
    shell.add("Lives in Lyon.", user="bob")
    found = shell.run("stats", "--json").json
    assert (found["memories"], found["categories"]) == (3, {"health": 2, "place": 1})
    assert list(found["months"].values()) == [3]
    assert (found["conversations"], found["messages"], found["pending"]) == (0, 0, 0)
    assert shell.run("stats").out.splitlines()[:3] == [
        "3 memories, 0 conversations, 0 messages",
        "health\t2",
        "place\t1",
    ]


def test_a_terminal_shows_bars_that_fit(shell: Shell) -> None:
    """Twice as many, twice as long; at forty columns, too."""
    shell.add("I am vegetarian.", "My knee hurts.", options=("--category", "health"))
    shell.add("Lives in Lille.", options=("--category", "place"))
    for columns in (40, 80):
        shown = shell.at_terminal("stats", size=(columns, 24)).out
        bars = {line.split()[0]: line.count("█") for line in shown.splitlines() if "█" in line}
        assert bars["place"] > 0
        assert abs(bars["health"] - 2 * bars["place"]) <= 1
        assert max(map(len, shown.splitlines())) <= columns + len("\x1b[1m\x1b[0m")


def test_nothing_heavy_is_loaded(shell: Shell) -> None:
    """SQLite is enough."""
    shell.add("Likes tea.")
    code = (
        "import sys; from memchat.cli.main import run; run(['stats'])\n"
        "print(*sorted({'chromadb', 'litellm', 'onnxruntime', 'numpy'} & set(sys.modules)), 'loaded')"
    )
    assert shell.program(code=code).out.splitlines()[-1].strip() == "loaded"


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as running:
        running.respond = lambda payload: Reply("Noted.")
        yield running


def ask(shell: Shell, server: ScriptedServer, question: str, *options: str) -> None:
    """Ask once, and leave it to another time to learn from it."""
    answered = shell.run("ask", question, "--private", "--model", "openai/scripted", *options, env=server.environment())
    assert answered.code == 0, answered.err


def test_tokens_spent_and_saved_are_shown(shell: Shell, server: ScriptedServer) -> None:
    """With thousands apart for people, as plain numbers in a pipe; nothing about them before the first call."""
    assert shell.run("stats", "--json").json["tokens"] == {
        "since": None,
        "chat": {"calls": 0, "estimated_calls": 0, "prompt": 0, "completion": 0},
        "learn": {"calls": 0, "estimated_calls": 0, "prompt": 0, "completion": 0},
        "saved": 0,
    }
    assert "TOKENS" not in shell.at_terminal("stats").out
    ask(shell, server, "word " * 3_000)
    tokens = shell.run("stats", "--json").json["tokens"]
    words = sum(len(message["content"].split()) for message in server.requests[-1]["json"]["messages"])
    assert tokens["chat"] == {"calls": 1, "estimated_calls": 0, "prompt": words, "completion": 1}
    assert words > 3_000
    assert shell.run("stats").lines[-2:] == [f"chatting\t{words}\t1", f"saved\t{tokens['saved']}\t"]
    for columns in (40, 80):
        shown = shell.at_terminal("stats", size=(columns, 24)).out
        assert f"Since {tokens['since']}" in shown
        assert f"{words:,}" in shown
        assert max(map(len, shown.splitlines())) <= columns + len("\x1b[1m\x1b[0m")


def test_estimated_tokens_are_told_from_reported_ones(shell: Shell, server: ScriptedServer) -> None:
    """Where a provider does not say how many there were."""
    server.respond = lambda payload: Reply("Noted.", usage=False)
    ask(shell, server, "Are you there?")
    found = shell.run("stats")
    assert "those are estimated" in found.err
    assert shell.run("stats", "--json").json["tokens"]["chat"]["estimated_calls"] == 1
    assert "about " in shell.at_terminal("stats").out


def test_memory_that_took_more_than_it_saved_says_so(shell: Shell, server: ScriptedServer) -> None:
    """As at first, when there is no history to send."""
    shell.add("I am vegetarian.")
    ask(shell, server, "Which food do vegetarians eat: am I vegetarian?")
    assert "memory has taken about" in shell.at_terminal("stats").out
