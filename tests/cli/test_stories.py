"""The stories people tell of memory, from the command line: offline by rules, and through a scripted provider."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.cli.conftest import NOWHERE, Outcome, Shell
from tests.scripted_server import Reply, ScriptedServer

ORDER = (
    "My order #4821 still has not arrived. I contacted support last week and got no update. "
    "Also, I was checking this while making coffee this morning."
)


def say(shell: Shell, user: str, words: str, **env: str) -> Outcome:
    """One turn: offline in a process of its own, with a provider in this one, where LiteLLM is loaded already."""
    run = shell.run if env else shell.program
    done = run("chat", "--user", user, stdin=f"{words}\n".encode(), env=env)
    assert done.code == 0, done.err
    return done


def texts(shell: Shell, user: str, *options: str) -> list[str]:
    return [memory["text"] for memory in shell.run("memories", "list", "--user", user, "--json", *options).json]


def test_a_move_keeps_one_home_and_the_former_one_in_its_history(shell: Shell) -> None:
    """A new process uses diet and home; after the move there is one home, the other is superseded and shown."""
    say(shell, "alice", "I'm vegetarian and I live in Berlin.")
    answer = say(shell, "alice", "Can you suggest a restaurant near me for tonight?").out
    assert "vegetarian" in answer
    assert "Berlin" in answer
    say(shell, "alice", "I just moved to Amsterdam.")
    assert [text for text in texts(shell, "alice") if "lives in" in text] == ["User lives in Amsterdam."]
    assert "User lives in Berlin." in texts(shell, "alice", "--include-superseded")
    (home,) = [m for m in shell.run("memories", "list", "--json").json if "Amsterdam" in m["text"]]
    shown = shell.run("memories", "show", home["id"]).out
    assert "Berlin" in shown
    assert "I just moved to Amsterdam" in shown


def test_an_order_is_remembered_without_the_coffee_and_for_nobody_else(shell: Shell) -> None:
    """The order and the contact are known in a new process, the arrival changes the answer, bob sees nothing of it."""
    say(shell, "cust", ORDER)
    assert not any("coffee" in text for text in texts(shell, "cust"))
    before = say(shell, "cust", "Hi, any update on my delayed order?").out
    assert "#4821" in before
    assert "contacted support" in before
    say(shell, "cust", "Order #4821 arrived today.")
    after = say(shell, "cust", "Hi, any update on my delayed order?").out
    assert "arrived on" in after
    assert "has not arrived" not in after
    asked = say(shell, "bob", "Hi, any update on my delayed order?").out
    for arguments in (("list",), ("search", "order"), ("export",)):
        assert "4821" not in shell.run("memories", *arguments, "--user", "bob").out
    assert "4821" not in asked + shell.run("sessions", "list", "--user", "bob").out
    (stranger, *_) = shell.run("memories", "list", "--user", "cust", "--json").json
    assert shell.run("memories", "show", stranger["id"], "--user", "bob").code == 1


def fact(text: str, quote: str, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"category": "other", "scope": "user", "cues": [], "valid_from": None, "valid_to": None}
    return {"text": text, "quote": quote, **usual, "standing": False, "replaces": [], "mistaken": False, **more}


class Provider:
    """Says "Of course.", and extracts what `facts` holds for a message; `replaces` there names a known text in part."""

    def __init__(self) -> None:
        self.facts: dict[str, list[dict[str, Any]]] = {}
        self.chats: list[dict[str, Any]] = []
        self.extractions: list[dict[str, Any]] = []

    def __call__(self, request: dict[str, Any]) -> Reply:
        if request["model"] == "reader":
            self.extractions.append(request)
            given = json.loads(request["messages"][-1]["content"])
            rest: dict[str, list[Any]] = {"confirmed": [], "ended": [], "outdated": [], "forget": []}
            facts = [self._numbered(entry, given["known"]) for entry in self.facts.get(given["user"], [])]
            return Reply(text=json.dumps({"facts": facts, **rest}))
        self.chats.append(request)
        return Reply(text="Of course.")

    @staticmethod
    def _numbered(entry: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = [old["n"] for old in known if any(part in old["text"] for part in entry["replaces"])]
        return {**entry, "replaces": numbers}


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def real(provider: Provider) -> Generator[dict[str, str]]:
    """The environment in which openai/talker answers and openai/reader extracts, both on loopback."""
    with ScriptedServer(provider) as server:
        models = {"MEMCHAT_MODEL": "openai/talker", "MEMCHAT_EXTRACTION_MODEL": "openai/reader"}
        yield {**server.environment(), **models, "MEMCHAT_RETRIES": "0"}


def test_what_is_sent_holds_the_few_memories_that_matter(
    shell: Shell, provider: Provider, real: dict[str, str]
) -> None:
    """Dated, fenced, at most k, of nobody else; extraction is its own call to its own model at temperature 0."""
    words = "I'm vegetarian and I live in Berlin."
    cues = ["restaurant, menu, where to eat tonight"]
    provider.facts[words] = [
        fact("User is vegetarian.", "I'm vegetarian", cues=cues, category="preference"),
        fact("User lives in Berlin.", "I live in Berlin", cues=cues, category="place"),
    ]
    shell.add("Bob eats snails.", user="bob", options=("--category", "preference"))
    say(shell, "alice", words, **real)
    say(shell, "alice", "Can you suggest a restaurant near me for tonight?", **real)
    system = provider.chats[-1]["messages"][0]["content"]
    block = system.partition("<memories>")[2].partition("</memories>")[0]
    lines = [line for line in block.splitlines() if line.startswith("- ")]
    assert {line.split(" (noted 20")[0] for line in lines} == {"- User is vegetarian.", "- User lives in Berlin."}
    assert "snails" not in system
    assert "memories" not in provider.chats[0]["messages"][0]["content"]
    first = provider.extractions[0]
    assert first["temperature"] == 0
    assert first["model"] == "reader"
    assert json.loads(first["messages"][-1]["content"])["known"] == []
    assert [known["n"] for known in json.loads(provider.extractions[1]["messages"][-1]["content"])["known"]] == [1, 2]
    say(shell, "alice", "Where could we eat tonight, or cook?", **real, MEMCHAT_TOP_K="1")
    assert provider.chats[-1]["messages"][0]["content"].count("\n- User") == 1


def test_an_arrival_supersedes_the_delay(shell: Shell, provider: Provider, real: dict[str, str]) -> None:
    """The model names the known memory by number; the history says so, the former words stay."""
    provider.facts[ORDER] = [
        fact("User's order #4821 has not arrived.", "My order #4821 still has not arrived", category="support"),
        fact("User contacted support.", "I contacted support last week", category="support"),
    ]
    say(shell, "cust", ORDER, **real)
    arrived = "Order #4821 arrived today."
    provider.facts[arrived] = [
        fact("User's order #4821 arrived.", "Order #4821 arrived", replaces=["4821"], category="support"),
        fact("User likes jazz.", "the assistant said so"),
    ]
    say(shell, "cust", arrived, **real)
    assert sorted(texts(shell, "cust")) == ["User contacted support.", "User's order #4821 arrived."]
    (now,) = [m for m in shell.run("memories", "list", "--user", "cust", "--json").json if "4821" in m["text"]]
    history = shell.run("memories", "history", now["id"], "--user", "cust").out
    assert "has not arrived" in history


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(status=401, error={"message": "bad", "code": "invalid_api_key"}), 3, "key"),
        (Reply(status=404, error={"message": "no such model", "code": "model_not_found"}), 4, "model"),
        (Reply(text="one two three four", cut_after=3), 4, "cut off"),
        (None, 4, "listening"),
    ],
)
def test_a_failure_is_one_line_and_a_next_step_and_loses_nothing(
    shell: Shell, reply: Reply | None, code: int, said: str
) -> None:
    """Wrong key, unknown model, a cut stream, nothing listening: the turn is kept and waits to be learned."""
    with ScriptedServer(lambda request: reply or Reply()) as server:
        env = {**server.environment(), "MEMCHAT_MODEL": "openai/talker", "MEMCHAT_RETRIES": "0"}
        if reply is None:
            env["OPENAI_API_BASE"] = env["OPENAI_BASE_URL"] = f"{NOWHERE}/v1"
        done = shell.run("ask", "I live in Berlin.", env=env)
    assert done.code == code
    assert "Traceback" not in done.err
    assert said in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("memchat: ")]) == 1
    assert shell.run("sessions", "search", "Berlin").code == 0
    (waiting,) = shell.run("status", "--json").json["pending"]
    assert waiting["number"]


def test_garbage_from_the_reader_leaves_the_work_waiting_with_its_reason(shell: Shell) -> None:
    """The reply is shown, nothing is learned, and status says why."""
    with ScriptedServer(lambda request: Reply(text="I'd rather talk about the weather.")) as server:
        env = {**server.environment(), "MEMCHAT_MODEL": "openai/talker", "MEMCHAT_RETRIES": "0"}
        done = shell.run("ask", "I live in Berlin.", env=env)
        assert (done.code, done.out.strip()) == (0, "I'd rather talk about the weather.")
        extractions = [r for r in server.requests if "long-term memory" in r["json"]["messages"][0]["content"]]
    assert len(extractions) == 2
    assert texts(shell, "alice") == []
    (waiting,) = shell.run("status", "--json").json["pending"]
    assert "JSON" in waiting["error"]
