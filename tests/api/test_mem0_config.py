"""mem0's configuration dictionaries in memchat's terms."""

import logging
from pathlib import Path
from typing import Any

import pytest

from memchat import Memory
from memchat.config import load_settings
from memchat.errors import ConfigError
from memchat.mem0.config import Mem0Config, from_mem0
from tests.scripted_server import ScriptedServer


def read(**config: Any) -> Mem0Config:
    return from_mem0(config, load_settings())


def section(provider: str | None, **config: Any) -> dict[str, Any]:
    return {"config": config} if provider is None else {"provider": provider, "config": config}


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        (None, "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("anthropic", "claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("ollama", "llama3.1:8b", "ollama_chat/llama3.1:8b"),
        ("gemini", "gemini-2.5-flash", "gemini/gemini-2.5-flash"),
        ("groq", "openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"),
        ("mistral", "mistral-small-latest", "mistral/mistral-small-latest"),
        ("deepseek", "deepseek-chat", "deepseek/deepseek-chat"),
        ("together", "meta-llama/Llama-3-70b", "together_ai/meta-llama/Llama-3-70b"),
        ("xai", "grok-4.3", "xai/grok-4.3"),
        ("litellm", "cohere/command-r", "cohere/command-r"),
    ],
)
def test_a_provider_and_model_become_a_litellm_name(provider: str | None, model: str, name: str) -> None:
    """For extraction and for chat."""
    settings = read(llm=section(provider, model=model)).settings
    assert (settings.model, settings.extraction_model) == (name, name)


def test_azure_is_reached_by_its_deployment() -> None:
    """`azure_kwargs` give the name, the address and the key."""
    azure = {"azure_deployment": "mini", "azure_endpoint": "https://x.azure.com", "api_key": "k"}
    found = read(llm=section("azure_openai", azure_kwargs=azure))
    assert found.settings.model == "azure/mini"
    assert found.models["azure/mini"].api_base == "https://x.azure.com"
    assert found.models["azure/mini"].api_key == "k"


def test_without_a_model_the_providers_usual_one_is_taken() -> None:
    """Where there is none, the setting is named."""
    assert read(llm={"provider": "anthropic"}).settings.model == "anthropic/claude-haiku-4-5"
    with pytest.raises(ConfigError, match="together needs a model"):
        read(llm={"provider": "together"})


@pytest.mark.parametrize("key", ["openai_base_url", "base_url", "api_base"])
def test_key_address_and_limits_go_to_the_adapter(key: str) -> None:
    """They belong to that model alone, and a key is in no representation."""
    config = {"model": "m", "api_key": "sk-secret", "temperature": 0.3, "max_tokens": 500, key: "http://here/v1"}
    found = read(llm=section("openai", **config))
    access = found.models["openai/m"]
    assert (access.api_key, access.api_base) == ("sk-secret", "http://here/v1")
    assert (access.temperature, access.max_tokens) == (0.3, 500)
    assert "sk-secret" not in repr(found)


@pytest.mark.parametrize(
    ("provider", "config", "name"),
    [
        ("openai", {"model": "text-embedding-3-small"}, "openai/text-embedding-3-small"),
        ("openai", {}, "openai/text-embedding-3-small"),
        ("ollama", {"model": "nomic-embed-text"}, "ollama/nomic-embed-text"),
        ("huggingface", {"model": "sentence-transformers/all-MiniLM-L6-v2"}, None),
        ("huggingface", {}, None),
        ("huggingface", {"model": "BAAI/bge-m3", "huggingface_base_url": "http://tei"}, "huggingface/BAAI/bge-m3"),
    ],
)
def test_an_embedder_becomes_an_embedding_model(provider: str, config: dict[str, Any], name: str | None) -> None:
    """None is the built-in one."""
    assert read(embedder=section(provider, **config)).settings.embedding_model == name


def test_embedding_dims_save_the_first_call() -> None:
    """The dimension is the model's."""
    found = read(embedder=section("openai", model="m", embedding_dims=64))
    assert found.models["openai/m"].dimension == 64


def test_a_path_moves_the_home(tmp_path: Path) -> None:
    """The store is memchat's own, in that folder."""
    found = read(vector_store=section("chroma", path=str(tmp_path / "here"), collection_name="x"))
    assert found.settings.home == tmp_path / "here" / "collections" / "x"
    assert found.holds_index
    assert read(vector_store=section("chroma", path=str(tmp_path))).settings.home == tmp_path
    assert not read(vector_store=section("qdrant", host="localhost")).holds_index


def test_collections_are_kept_apart_whatever_their_names() -> None:
    """Each has a folder of its own, from which no name leads out; mem0's default is the usual one."""

    def home(name: str) -> Path:
        return read(vector_store=section("qdrant", collection_name=name)).settings.home

    usual = read().settings.home
    names = ("a", "A", "..", "../..", "a/b", "a%2Fb", "/etc", ".")
    assert home("mem0") == usual
    assert all(home(name).parent == usual / "collections" for name in names)
    assert len({home(name).resolve() for name in names}) == len(names)


def test_a_server_that_is_not_used_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """Where others would look for the memories, there are none."""
    with caplog.at_level(logging.WARNING, "memchat"):
        read(vector_store=section("pgvector", host="db.example", port=5432))
    assert "vector_store.config.host" in caplog.text


def test_what_has_no_effect_is_noted_and_no_secret_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """Names of settings go to the log, values do not."""
    with caplog.at_level(logging.INFO, "memchat"):
        read(
            vector_store=section("pgvector", host="db", password="hunter2"),
            history_db_path="/tmp/history.db",
            version="v1.1",
        )
    assert "vector_store.config.password" in caplog.text
    assert "history_db_path" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("key", ["custom_instructions", "custom_fact_extraction_prompt"])
def test_instructions_are_kept(key: str) -> None:
    """Either name of them."""
    assert read(**{key: "Keep orders only."}).settings.instructions == "Keep orders only."


@pytest.mark.parametrize(
    ("config", "message", "hint"),
    [
        ({"lllm": {}}, "lllm", "'llm'"),
        ({"embeder": {}}, "embeder", "'embedder'"),
        ({"top_k": 5}, "top_k", "memchat config"),
        ({"llm": {"provider": "opneai"}}, "opneai", "'openai'"),
        ({"llm": {"provider": "zzz"}}, "zzz", "MEMCHAT_MODEL"),
        ({"llm": {"provider": "openai", "cofnig": {}}}, "cofnig", "'config'"),
        ({"llm": {"provider": "openai", "config": {"modle": "x"}}}, "modle", "'model'"),
        ({"llm": {"provider": "openai", "config": {"temperature": "hot"}}}, "number", None),
        ({"llm": {"provider": "openai", "config": {"max_tokens": float("inf")}}}, "number", None),
        ({"llm": {"provider": "azure_openai", "config": {"azure_kwargs": "x"}}}, "azure_kwargs", None),
        ({"llm": "gpt-4o"}, "dictionary", None),
        ({"embedder": {"provider": "zzz"}}, "zzz", "MEMCHAT_EMBEDDING_MODEL"),
        ({"embedder": {"provider": "huggingface", "config": {"model": "x/y"}}}, "x/y", "MEMCHAT_EMBEDDING_MODEL"),
        ({"vector_store": {"provider": "qdrnt"}}, "qdrnt", "'qdrant'"),
        ({"vector_store": {"provider": "zzz"}}, "zzz", "MEMCHAT_HOME"),
        ({"graph_store": {"provider": "neo4j"}}, "graph", "graph_store"),
    ],
)
def test_what_cannot_be_honoured_is_an_error_with_a_way_out(
    config: dict[str, Any], message: str, hint: str | None
) -> None:
    """It names the slip, and the nearest right name or the setting to use instead."""
    with pytest.raises(ConfigError, match=message) as caught:
        Memory.from_config(config)
    if hint:
        assert hint in (caught.value.hint or "")


def test_key_and_address_in_the_configuration_reach_the_provider(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Without anything in the environment, and without leaving the key on the disk."""
    for name in server.environment():
        if name.startswith("OPENAI"):
            monkeypatch.delenv(name)
    access = {"api_key": "sk-from-the-config-0123456789", "openai_base_url": server.base_url}
    config = {
        "llm": section("openai", model="gpt-4o-mini", max_tokens=321, **access),
        "embedder": section("openai", model="text-embedding-3-small", **access),
    }
    with Memory.from_config(config) as memory:
        added = memory.add("I live in Berlin", user_id="alice")
        assert [item["memory"] for item in added["results"]] == ["User lives in Berlin."]
    assert {request["headers"]["authorization"] for request in server.requests} == {f"Bearer {access['api_key']}"}
    chats = [request["json"] for request in server.requests if request["path"].endswith("/chat/completions")]
    assert [(chat["max_tokens"], chat["temperature"]) for chat in chats] == [(321, 0)]
    assert access["api_key"].encode() not in b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())


def test_chroma_is_held_where_it_is_asked_for(server: ScriptedServer, tmp_path: Path) -> None:
    """With `vector_store: chroma` recall answers the same, over the index in that folder."""
    config = {"vector_store": section("chroma", path=str(tmp_path / "chroma"))}
    with Memory.from_config(config) as memory:
        memory.add("I have a cat called Momo. I live in Berlin.", user_id="alice")
        found = memory.search("What is my cat called?", user_id="alice", top_k=1)["results"]
        assert [item["memory"] for item in found] == ["User has a cat called Momo."]
    assert (tmp_path / "chroma" / "memchat.db").is_file()
