"""Which model is talked to where nobody has said."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from memchat.core.types import OFFLINE
from memchat.llm.litellm_setup import litellm
from memchat.llm.model_choice import PROVIDERS, ModelChoice, Provider, choose_model, extraction_model, ollama_models
from tests.scripted_server import ScriptedServer


def no_ollama(address: str) -> list[str]:
    return []


def never_asked(address: str) -> list[str]:
    raise AssertionError(f"{address} was asked")


def test_a_name_given_is_the_name_taken() -> None:
    """Keys and a running Ollama do not matter then, and nothing is probed."""
    choice = choose_model({"OPENAI_API_KEY": "k"}, explicit="ollama_chat/tiny", ollama_probe=never_asked)
    assert choice == ModelChoice("ollama_chat/tiny", "ollama_chat/tiny", "chosen by name")


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.key)
def test_a_key_picks_its_provider(provider: Provider) -> None:
    """The reason names the variable, never its value."""
    choice = choose_model({provider.key: "secret"}, explicit=None, ollama_probe=never_asked)
    assert choice == ModelChoice(provider.chat, provider.extraction, f"{provider.key} is set")


def test_the_first_of_several_keys_wins() -> None:
    """The order is the table's; a blank key is no key."""
    env = {"OPENAI_API_KEY": " ", "GEMINI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    assert choose_model(env, explicit=None, ollama_probe=never_asked).name.startswith("anthropic/")


@pytest.mark.parametrize(
    ("env", "asked"),
    [({}, "http://127.0.0.1:11434"), ({"OLLAMA_API_BASE": "http://box:1234"}, "http://box:1234")],
)
def test_without_a_key_a_running_ollama_is_taken(env: Mapping[str, str], asked: str) -> None:
    """Its first model; only this machine is asked unless an address is set."""
    addresses: list[str] = []

    def probe(address: str) -> list[str]:
        addresses.append(address)
        return ["tiny:1b", "large"]

    choice = choose_model(env, explicit=None, ollama_probe=probe)
    assert (choice.name, choice.extraction) == ("ollama_chat/tiny:1b", "ollama_chat/tiny:1b")
    assert addresses == [asked]


def test_with_nothing_at_all_there_is_the_offline_model() -> None:
    """The reason says what was looked for."""
    choice = choose_model({}, explicit=None, ollama_probe=no_ollama)
    assert (choice.name, choice.extraction) == (OFFLINE, OFFLINE)
    assert choice.reason == "no key is set and Ollama is not running"


@pytest.mark.parametrize(
    ("name", "env", "expected"),
    [
        ("openai/gpt-5.4", {"OPENAI_API_KEY": "k"}, "openai/gpt-5.4-nano"),
        ("openai/gpt-5.4", {}, "openai/gpt-5.4"),
        ("openai/local", {"OPENAI_API_KEY": "k", "OPENAI_API_BASE": "http://127.0.0.1:1/v1"}, "openai/local"),
        ("openai/local", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, "openai/local"),
        ("bedrock/claude", {"OPENAI_API_KEY": "k"}, "bedrock/claude"),
    ],
)
def test_facts_are_extracted_by_the_cheap_model_where_it_can_be_reached(
    name: str, env: Mapping[str, str], expected: str
) -> None:
    """A server of one's own has only the model that was named, and another provider's key is never used instead."""
    assert extraction_model(name, env) == expected


def test_the_default_models_exist() -> None:
    """Every name in the table is one LiteLLM knows, but OpenRouter's, which it has no list of."""
    known = litellm().model_cost
    names = {name for provider in PROVIDERS for name in (provider.chat, provider.extraction)}
    unknown = {name for name in names if name not in known and name.partition("/")[2] not in known}
    assert all(name.startswith("openrouter/") for name in unknown)


def test_ollama_lists_its_chat_models() -> None:
    """Models that only embed are no answer to the question what to chat with."""
    with ScriptedServer(ollama=["nomic-embed-text:latest", "tiny:1b", "large"]) as server:
        assert ollama_models(server.origin) == ["tiny:1b", "large"]
        assert (server.probes, server.requests) == (["/api/tags"], [])


def test_a_proxy_is_not_asked_for_this_machines_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a company proxy a local Ollama is still found."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedServer(ollama=["tiny"]) as server:
        assert ollama_models(server.origin) == ["tiny"]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9", "no address", "http://", "ftp://127.0.0.1", "http://[", "http://localhost:99999"]
)
def test_no_ollama_means_no_models(address: str) -> None:
    """Nothing listening and nonsense in the address are both simply "not running"."""
    assert ollama_models(address) == []


def test_something_else_on_the_port_means_no_models() -> None:
    """A server that answers otherwise is not Ollama."""
    with ScriptedServer() as server:
        assert ollama_models(server.base_url) == []


def test_choosing_imports_no_vendor() -> None:
    """A command that only shows the choice starts fast."""
    code = (
        "import sys; from memchat.llm.model_choice import choose_model;"
        "choose_model({'XAI_API_KEY': 'k'}, explicit=None);"
        "print({'litellm', 'httpx', 'openai', 'numpy'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
