"""What only OpenAI's API over HTTP shows: addresses, forms of answers, windows, prices, nothing imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memchat.core.protocols import ModelRequest
from memchat.errors import BadReply, ContextOverflow, CredentialsError, ModelError, ModelNotFound
from memchat.llm.chat_model import CallPolicy
from memchat.llm.dialect import DialectMemory
from memchat.llm.models import Models
from memchat.llm.options import ModelOptions
from tests.llm.adapters import HELLO, HTTP, SCHEMA, Waits, said
from tests.scripted_server import Reply, ScriptedServer

pytestmark = pytest.mark.usefixtures("no_keys")


def sent(server: ScriptedServer) -> list[dict[str, Any]]:
    return [request["json"] for request in server.requests]


def test_an_address_without_its_version_is_tried_with_it_first(server: ScriptedServer) -> None:
    """A server that has its routes at the root is found as well, once for all."""
    assert said(HTTP.model(server.origin)) == "ok"
    assert server.requests[-1]["path"] == "/v1/chat/completions"
    server.enqueue(Reply(status=404, error={"message": "Not Found"}), Reply("at the root"), Reply("again"))
    model = HTTP.model(server.origin)
    assert [said(model), said(model)] == ["at the root", "again"]
    assert [request["path"] for request in server.requests[-2:]] == ["/chat/completions"] * 2


def test_a_missing_model_is_no_wrong_route(server: ScriptedServer) -> None:
    """It is told at once."""
    server.enqueue(Reply(status=404, error={"message": "The model `scripted` does not exist"}))
    with pytest.raises(ModelNotFound):
        said(HTTP.model(server.origin))
    assert len(server.requests) == 1


def test_a_whole_reply_is_taken_where_a_stream_was_asked_for(server: ScriptedServer) -> None:
    """Some servers do not stream; their JSON may be spread over lines."""
    body = {"choices": [{"message": {"role": "assistant", "content": "whole"}}], "usage": {"prompt_tokens": 2}}
    for indent in (None, 2):
        server.enqueue(Reply(body=json.dumps(body, indent=indent).encode()))
        completion = HTTP.on(server).complete(HELLO)
        assert completion.text == "whole"
        assert completion.usage is not None
        assert completion.usage.prompt_tokens == 2


def test_a_server_that_cannot_stream_is_asked_without(server: ScriptedServer) -> None:
    """It says so, and is not asked for a stream again."""
    refusal = Reply(status=400, error={"message": "Streaming is not supported"})
    server.respond = lambda body: refusal if body.get("stream") else Reply("whole")
    model = HTTP.on(server)
    assert [said(model), said(model)] == ["whole", "whole"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}],
        ["Hel", "lo."],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Hello."}],
        [{"type": "output_text", "text": {"value": "Hello."}}],
    ],
)
def test_content_may_be_a_list_of_parts(server: ScriptedServer, content: list[Any]) -> None:
    """Streamed or whole; thinking among them is no text."""
    message = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    server.enqueue(Reply(pieces=[content]), Reply(body=json.dumps(message).encode()))
    assert [said(HTTP.on(server)), said(HTTP.on(server))] == ["Hello."] * 2


@pytest.mark.parametrize("chunk", ['{"choices": "x"}', '{"choices": [5]}', "[1]", '{"choices": [{"delta": "x"}]}', "5"])
def test_an_odd_answer_is_no_reply(server: ScriptedServer, chunk: str) -> None:
    """JSON of another form is no traceback."""
    server.enqueue(Reply(body=f"data: {chunk}\n\n".encode(), content_type="text/event-stream"))
    with pytest.raises(BadReply, match="not a model's reply"):
        said(HTTP.on(server))


def test_line_ends_of_unicode_do_not_cut_an_event(server: ScriptedServer) -> None:
    """They may stand in JSON as they are; events may also end with CR LF, and carry comments."""
    event = json.dumps({"choices": [{"delta": {"content": "a\u2028b\u0085c"}}]}, ensure_ascii=False)
    body = f": ping\r\nevent: message\r\ndata: {event}\r\n\r\ndata: [DONE]\r\n\r\n"
    server.enqueue(Reply(body=body.encode(), content_type="text/event-stream"))
    assert said(HTTP.on(server)) == "a\u2028b\u0085c"


def test_a_refusal_in_words_is_the_reply(server: ScriptedServer) -> None:
    """OpenAI puts it in a field beside the content."""
    message = {"choices": [{"message": {"content": None, "refusal": "I can't."}, "finish_reason": "stop"}]}
    server.enqueue(Reply(body=json.dumps(message).encode()))
    assert said(HTTP.on(server)) == "I can't."


@pytest.mark.parametrize("status", [400, 200])
def test_an_error_in_place_of_a_reply_is_told(server: ScriptedServer, status: int) -> None:
    """Under whatever status it comes, and within a stream."""
    server.enqueue(Reply(status=status, body=b'{"error": "the prompt is upside down"}'))
    with pytest.raises(ModelError, match="the prompt is upside down"):
        said(HTTP.on(server))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=400, body=b'{"error": {"message": "API key not valid."}}'), CredentialsError),
        (Reply(status=400, body=b'{"detail": "Input is too long for requested model"}'), ContextOverflow),
        (Reply(status=400, body=b'{"error": {"type": "exceed_context_size_error"}}'), ContextOverflow),
        (Reply(status=500, body=b'{"error": "the request exceeds the available context size"}'), ContextOverflow),
    ],
)
def test_the_cause_is_found_in_bodies_of_other_forms(
    server: ScriptedServer, reply: Reply, error: type[ModelError]
) -> None:
    """A rejected key and a prompt that is too long, under the statuses of several servers."""
    server.enqueue(reply)
    with pytest.raises(error) as raised:
        said(HTTP.on(server))
    assert error is CredentialsError or "MEMCHAT_CONTEXT_TOKENS" in (raised.value.hint or "")


PAGES: list[tuple[dict[str, Any], int]] = [
    ({"/v1/models": {"data": [{"id": "scripted", "max_model_len": 32768}]}}, 32768),
    ({"/v1/models": {"data": [{"id": "a.gguf", "meta": {"n_ctx_train": 131072, "n_ctx": 16384}}]}}, 16384),
    (
        {
            "/v1/models": {"data": [{"id": "a.gguf", "meta": {"n_ctx_train": 131072}}]},
            "/props": {"default_generation_settings": {"n_ctx": 4096}},
        },
        4096,
    ),
    ({"/v1/models": {"data": [{"id": "a.gguf", "meta": {"n_ctx_train": 2048}}]}}, 2048),
    (
        {
            "/v1/models": {"data": [{"id": "scripted"}, {"id": "other"}]},
            "/api/v0/models": {"data": [{"id": "scripted", "max_context_length": 9000, "loaded_context_length": 6000}]},
        },
        6000,
    ),
    ({"/v1/models": {"data": [{"id": "scripted", "context_length": 10000}]}}, 10000),
    ({"/v1/models": {"data": [{"id": "other", "max_model_len": 1}, {"id": "more"}]}}, 8192),
    ({"/v1/models": {"data": "odd"}}, 8192),
]


@pytest.mark.parametrize(("pages", "window"), PAGES)
def test_the_server_says_how_large_its_window_is(server: ScriptedServer, pages: dict[str, Any], window: int) -> None:
    """vLLM, llama.cpp, LM Studio and servers like them: what is in force before what is possible; else a guess."""
    server.pages = pages
    assert HTTP.on(server).context_tokens == window
    assert HTTP.on(server, context_tokens=1000).context_tokens == 1000


def test_a_server_that_is_not_there_leaves_the_window_to_a_guess() -> None:
    """The call will tell."""
    assert HTTP.model("http://127.0.0.1:9/v1").context_tokens == 8192


def test_the_price_and_the_window_of_a_known_model_are_in_the_table(server: ScriptedServer) -> None:
    """As LiteLLM has them; no server is asked."""
    model = HTTP.on(server, name="openai/gpt-5.4-mini")
    usage = model.complete(HELLO).usage
    assert usage is not None
    assert usage.cost_usd is not None
    assert usage.cost_usd > 0
    assert model.context_tokens > 100_000
    assert server.probes == []


def test_a_key_is_left_out_where_a_server_of_ones_own_needs_none(server: ScriptedServer) -> None:
    """And named where it refuses to go without."""
    assert said(HTTP.on(server, api_key=None)) == "ok"
    assert "authorization" not in server.requests[0]["headers"]
    server.enqueue(Reply(status=401))
    with pytest.raises(CredentialsError, match="no API key") as raised:
        said(HTTP.on(server, api_key=None))
    assert "`export OPENAI_API_KEY=…`" in (raised.value.hint or "")


def test_a_rejected_key_of_the_environment_is_told_by_its_variable(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint says where the key was found."""
    monkeypatch.setenv("OPENAI_API_KEY", " sk-of-the-environment\n")
    server.enqueue(Reply(status=401))
    with pytest.raises(CredentialsError, match="was rejected") as raised:
        said(HTTP.on(server, api_key=None))
    assert "OPENAI_API_KEY" in (raised.value.hint or "")
    assert server.requests[0]["headers"]["authorization"] == "Bearer sk-of-the-environment"


def test_a_schema_is_asked_for_strictly_where_it_allows_that(server: ScriptedServer) -> None:
    """OpenAI refuses strict mode for objects that leave a field optional."""
    nested = {"type": "array", "items": {"type": "object", "properties": {"quote": {"type": "string"}}}}
    HTTP.on(server).complete(ModelRequest(HELLO.messages, schema=SCHEMA))
    HTTP.on(server).complete(ModelRequest(HELLO.messages, schema={**SCHEMA, "properties": {"facts": nested}}))
    closed, opened = (body["response_format"]["json_schema"] for body in sent(server))
    assert closed == {"name": "reply", "schema": SCHEMA, "strict": True}
    assert opened["strict"] is False


@pytest.mark.parametrize(
    ("complaint", "then"),
    [
        ("This response_format type is unavailable now", {"type": "json_object"}),
        ("'json_schema' is not supported with this model", {"type": "json_object"}),
        ("Unrecognized request argument supplied: response_format", None),
    ],
)
def test_a_server_without_schemas_is_asked_for_json(
    server: ScriptedServer, complaint: str, then: dict[str, str] | None
) -> None:
    """Where it knows the parameter and not the type; else without."""
    server.respond = lambda body: (
        Reply(status=400, error={"message": complaint}) if "json_schema" in str(body) else Reply("{}")
    )
    HTTP.on(server).complete(ModelRequest(HELLO.messages, schema=SCHEMA))
    assert sent(server)[-1].get("response_format") == then


def test_the_other_name_of_the_limit_is_taken_where_the_server_names_it(server: ScriptedServer) -> None:
    """OpenAI's newer models know only the newer."""
    message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    server.respond = lambda body: Reply(status=400, error={"message": message}) if "max_tokens" in body else Reply("ok")
    HTTP.on(server).complete(ModelRequest(HELLO.messages, max_tokens=7))
    assert sent(server)[-1]["max_completion_tokens"] == 7


def test_what_a_server_refuses_is_known_to_the_next_process(server: ScriptedServer, tmp_path: Path) -> None:
    """By model and address; an unreadable file is none."""
    file = tmp_path / "servers.json"
    refusal = Reply(status=400, error={"message": "Unrecognized request argument supplied: stream_options"})
    server.respond = lambda body: refusal if "stream_options" in body else Reply("ok")
    for requests in (2, 3):
        models = Models(CallPolicy(), DialectMemory(file))
        assert said(models.open("openai/scripted", ModelOptions("k", server.base_url))) == "ok"
        assert len(server.requests) == requests
    file.write_text("[oops")
    assert said(Models(CallPolicy(), DialectMemory(file)).open("openai/x", ModelOptions("k", server.base_url))) == "ok"


def test_what_only_seemed_to_be_refused_is_not_kept(server: ScriptedServer, tmp_path: Path) -> None:
    """A bare 400 names nothing: the schema was left out on a guess, for this process alone."""
    file = tmp_path / "servers.json"
    server.respond = lambda body: Reply(status=400) if "response_format" in body else Reply("{}")
    model = Models(CallPolicy(), DialectMemory(file)).open("openai/scripted", ModelOptions("k", server.base_url))
    model.complete(ModelRequest(HELLO.messages, schema=SCHEMA))
    assert not file.exists()


COLD = """
import sys
from memchat.llm.chat_model import CallPolicy
from memchat.llm.models import Models
from memchat.llm.options import ModelOptions
from tests.llm.adapters import HELLO
model = Models(CallPolicy()).open(sys.argv[1], ModelOptions("k", sys.argv[2]))
assert model.context_tokens and model.count_tokens("hello")
assert "".join(delta.text for delta in model.stream(HELLO)) == "ok"
print(*(name for name in ("litellm", "openai", "tiktoken") if name in sys.modules))
"""


@pytest.mark.parametrize("name", ["openai/scripted", "ollama_chat/scripted", "groq/gemma", "lm_studio/x"])
def test_a_call_loads_no_client_library(server: ScriptedServer, name: str) -> None:
    """That is what it is for: importing LiteLLM takes seconds."""
    base = server.origin if name.startswith("ollama") else server.base_url
    command = [sys.executable, "-c", COLD, name, base]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_a_model_of_another_api_goes_through_litellm() -> None:
    """Some of OpenAI's have no chat API; on a server of one's own any name is a chat model."""
    models = Models(CallPolicy())
    assert models.needs_litellm("anthropic/claude-haiku-4-5")
    assert models.needs_litellm("openai/gpt-5-pro")
    assert not models.needs_litellm("openai/gpt-5.4-mini")
    assert not models.needs_litellm("openai/gpt-5-pro", ModelOptions(api_base="http://localhost:1"))


def test_waiting_for_a_limit_is_told_in_peoples_units(server: ScriptedServer) -> None:
    """Seconds, minutes, hours or days."""
    for seconds, told in (
        ("90", "90 s"),
        ("600", "10 min"),
        ("7200", "2 h"),
        ("5400.5", "1 h 31 min"),
        ("259200", "3 days"),
    ):
        server.enqueue(Reply(status=429, headers={"Retry-After": seconds}))
        with pytest.raises(ModelError, match=f"asks to wait {told}"):
            said(HTTP.on(server, Waits(), retries=0))
