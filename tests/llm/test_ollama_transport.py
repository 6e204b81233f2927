"""What only Ollama's own API shows: windows, schemas, its errors."""

import os
from typing import Any

import pytest

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.errors import ModelError, ModelNotFound
from tests.llm.adapters import HELLO, NOTHING_LISTENS, OLLAMA, SCHEMA, said
from tests.scripted_server import Reply, ScriptedServer

LONG = ModelRequest([PromptMessage(Role.USER, "word " * 12_000)])


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests has no say in them."""
    for name in list(os.environ):
        if name.startswith("OLLAMA_"):
            monkeypatch.delenv(name)


def asked_window(server: ScriptedServer) -> int:
    window: int = server.requests[-1]["json"]["options"]["num_ctx"]
    return window


def test_a_window_and_a_schema_are_asked_for(server: ScriptedServer) -> None:
    """Without `num_ctx` it would cut long prompts silently."""
    OLLAMA.on(server, context_tokens=4096).complete(ModelRequest(HELLO.messages, schema=SCHEMA))
    assert server.requests[0]["path"] == "/api/chat"
    assert server.requests[0]["json"]["format"] == SCHEMA
    assert asked_window(server) == 4096


@pytest.mark.parametrize(
    ("shown", "window", "asked", "asked_for_long"),
    [
        ({"model_info": {"llama.context_length": 131072}}, 32768, 8192, 32768),
        ({"model_info": {"gemma3.context_length": 2048, "general.architecture": "gemma3"}}, 2048, 2048, 2048),
        ({"model_info": {"q.context_length": 40960}, "parameters": "stop x\nnum_ctx   4096\n"}, 4096, 4096, 4096),
        ({}, 8192, 8192, 8192),
    ],
)
def test_the_window_is_the_models_and_grows_with_the_prompt(
    server: ScriptedServer, shown: dict[str, Any], window: int, asked: int, asked_for_long: int
) -> None:
    """A window takes memory, so a larger one is asked for only where it is needed, as far as the model has it."""
    server.pages["/api/show"] = shown
    model = OLLAMA.on(server)
    assert model.context_tokens == window
    model.complete(HELLO)
    assert asked_window(server) == asked
    model.complete(LONG)
    assert asked_window(server) == asked_for_long
    assert server.probes == ["/api/show"]


def test_ollama_may_not_be_running_yet() -> None:
    """Then the window is a guess."""
    assert OLLAMA.model(NOTHING_LISTENS).context_tokens == 8192


def test_a_missing_model_comes_with_the_command_that_gets_it(server: ScriptedServer) -> None:
    """Ollama's own 404 is told apart from a wrong address."""
    server.enqueue(Reply(status=404, body=b'{"error":"model \\"tiny\\" not found, try pulling it first"}'))
    with pytest.raises(ModelNotFound) as raised:
        said(OLLAMA.on(server, name="ollama_chat/tiny"))
    assert "`ollama pull tiny`" in (raised.value.hint or "")


def test_an_error_in_mid_stream_is_told(server: ScriptedServer) -> None:
    """It comes as a line of its own, under a status of success."""
    lines = b'{"message": {"content": "Hel"}, "done": false}\n{"error": "an error was encountered"}\n'
    server.enqueue(Reply(body=lines, content_type="application/x-ndjson"))
    arrived: list[str] = []
    with pytest.raises(ModelError, match="an error was encountered"):
        arrived.extend(delta.text for delta in OLLAMA.on(server).stream(HELLO))
    assert "".join(arrived) == "Hel"
    assert len(server.requests) == 1


def test_a_server_before_schemas_is_asked_for_json(server: ScriptedServer) -> None:
    """Ollama took the word `json` alone before version 0.5."""
    complaint = "json: cannot unmarshal object into Go struct field ChatRequest.format of type string"
    server.respond = lambda body: (
        Reply(status=400, body=f'{{"error": "{complaint}"}}'.encode())
        if isinstance(body.get("format"), dict)
        else Reply("{}")
    )
    OLLAMA.on(server).complete(ModelRequest(HELLO.messages, schema=SCHEMA))
    assert server.requests[-1]["json"]["format"] == "json"
