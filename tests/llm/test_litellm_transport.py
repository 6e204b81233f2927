"""What differs between the providers that LiteLLM reaches, and LiteLLM's import."""

import json
import subprocess
import sys
from typing import Any

import pytest

from memchat.core.protocols import ModelRequest
from memchat.errors import BadReply, CredentialsError, ModelNotFound, RateLimited
from tests.llm.adapters import HELLO, LITELLM, SCHEMA, Waits, said
from tests.scripted_server import Reply, ScriptedServer

pytestmark = pytest.mark.usefixtures("no_keys")


def test_the_price_and_the_window_are_litellms(server: ScriptedServer) -> None:
    """A model of its table has both; an unknown one has no price, which is not the same as free."""
    known = LITELLM.on(server, name="openai/gpt-5.4-mini")
    usage = known.complete(HELLO).usage
    assert usage is not None
    assert usage.cost_usd is not None
    assert usage.cost_usd > 0
    assert known.context_tokens > 100_000
    unknown = LITELLM.on(server)
    usage = unknown.complete(HELLO).usage
    assert usage is not None
    assert usage.cost_usd is None
    assert unknown.context_tokens == 8192


def test_a_schema_is_asked_for_where_the_provider_has_structured_output(server: ScriptedServer) -> None:
    """Also of models that LiteLLM's table does not know."""
    request = ModelRequest(HELLO.messages, schema=SCHEMA)
    LITELLM.on(server, name="openai/gpt-5.4-mini").complete(request)
    LITELLM.on(server).complete(request)
    for sent in server.requests:
        assert sent["json"]["response_format"]["json_schema"] == {"name": "reply", "schema": SCHEMA, "strict": True}


def test_a_missing_key_names_the_variable_to_set(server: ScriptedServer) -> None:
    """Nothing is sent, and the hint can be pasted into a shell."""
    with pytest.raises(CredentialsError, match="no API key for anthropic/claude-haiku-4-5") as raised:
        said(LITELLM.on(server, name="anthropic/claude-haiku-4-5", api_key=None))
    assert "`export ANTHROPIC_API_KEY=…`" in (raised.value.hint or "")
    assert server.requests == []


def test_a_name_without_a_provider_is_an_unknown_model(server: ScriptedServer) -> None:
    """The hint shows how names are made."""
    with pytest.raises(ModelNotFound) as raised:
        LITELLM.on(server, name="nonsense", api_base=None).complete(HELLO)
    assert "openai/nonsense" in (raised.value.hint or "")


def test_a_providers_wait_is_found_under_a_failed_stream(server: ScriptedServer) -> None:
    """LiteLLM opens Gemini's streams late, wraps the failure and loses the headers on the outside."""
    waits = Waits()
    server.respond = lambda _: Reply(status=429, headers={"Retry-After": "3"})
    with pytest.raises(RateLimited):
        said(LITELLM.on(server, waits, "gemini/gemini-2.5-flash", retries=1))
    assert waits.slept == [3.0]
    assert len(server.requests) == 2


ANTHROPIC_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "role": "assistant", "usage": {"input_tokens": 5}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]
ANTHROPIC_STREAM = b"".join(
    b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in ANTHROPIC_EVENTS
)
OLLAMA_PIECES: list[tuple[str, dict[str, Any]]] = [
    ("Hel", {"done": False}),
    ("lo", {"done": False}),
    ("", {"done": True, "done_reason": "stop"}),
]
OLLAMA_STREAM = b"".join(
    json.dumps({"model": "tiny", "message": {"role": "assistant", "content": text}, **end}).encode() + b"\n"
    for text, end in OLLAMA_PIECES
)


@pytest.mark.parametrize(
    ("name", "body", "lines"),
    [("anthropic/claude-haiku-4-5", ANTHROPIC_STREAM, 9), ("ollama_chat/tiny", OLLAMA_STREAM, 2)],
)
def test_other_providers_stream_end_and_break_off_alike(
    server: ScriptedServer, name: str, body: bytes, lines: int
) -> None:
    """LiteLLM has a path of its own for each; a stream without its end is a bad reply on all of them."""
    model = LITELLM.on(server, name=name)
    server.enqueue(Reply(body=body, content_type="text/event-stream"))
    assert said(model) == "Hello"
    unfinished = b"".join(body.splitlines(keepends=True)[:lines])
    server.enqueue(Reply(body=unfinished, content_type="text/event-stream"))
    with pytest.raises(BadReply, match="cut off"):
        said(model)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("name", "body"), [("anthropic/claude-haiku-4-5", ANTHROPIC_STREAM), ("ollama_chat/tiny", OLLAMA_STREAM)]
)
def test_stopping_hangs_up_on_other_providers_too(server: ScriptedServer, name: str, body: bytes) -> None:
    """Their streams have no close of their own, or hide the response that has."""
    server.enqueue(Reply("held", body=body[:-60], hang=True, content_type="text/event-stream"))
    stream = LITELLM.on(server, name=name).stream(HELLO)
    assert next(stream).text
    stream.close()
    assert server.dropped.wait(5)


def test_importing_litellm_looks_up_no_host_and_prints_nothing() -> None:
    """A socket that leaves the machine would end the child; so would a banner on either stream."""
    code = (
        "import sys\n"
        "def audit(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): raise SystemExit(f'{event} {args}')\n"
        "sys.addaudithook(audit)\n"
        "from memchat.llm.litellm_setup import litellm\n"
        "assert 'litellm' not in sys.modules\n"
        "litellm().token_counter(model='groq/llama-3.1-8b', text='hello')\n"
    )
    child = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")
