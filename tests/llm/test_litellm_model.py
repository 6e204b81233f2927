"""Chat models through the real LiteLLM, against a provider on loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from memchat.core.protocols import ModelRequest, PromptMessage, Usage
from memchat.core.types import Role
from memchat.errors import (
    BadReply,
    ContextOverflow,
    CredentialsError,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
)
from memchat.llm.litellm_model import LiteLLMModel
from memchat.llm.retry import RetryNotice
from tests.scripted_server import Reply, ScriptedServer

KEY = "sk-secret-abcdef123456"
HELLO = ModelRequest([PromptMessage(Role.SYSTEM, "Be brief."), PromptMessage(Role.USER, "Hello there")])
SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
NOTHING_LISTENS = "http://127.0.0.1:9/v1"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests has no say in them."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL")):
            monkeypatch.delenv(name)


class Waits:
    """Records every announced wait and every sleep, and sleeps through none."""

    def __init__(self) -> None:
        self.notices: list[RetryNotice] = []
        self.slept: list[float] = []


@pytest.fixture
def waits() -> Waits:
    return Waits()


def model_on(server: ScriptedServer, waits: Waits, name: str = "openai/scripted", **options: Any) -> LiteLLMModel:
    base = server.base_url if name.startswith("openai/") else server.origin
    settings = {"api_key": KEY, "api_base": base, "timeout_s": 20.0, **options}
    return LiteLLMModel(name, on_retry=waits.notices.append, sleep=waits.slept.append, **settings)


def said(model: LiteLLMModel, request: ModelRequest = HELLO) -> str:
    return "".join(delta.text for delta in model.stream(request))


def test_a_reply_streams_in_pieces_and_ends_with_its_usage(server: ScriptedServer, waits: Waits) -> None:
    """Each piece is yielded as it came; the last delta carries the provider's own counts and no text."""
    server.enqueue(Reply("Hello to you"))
    *pieces, last = model_on(server, waits).stream(HELLO)
    assert [piece.text for piece in pieces] == ["Hello ", "to ", "you"]
    assert (last.text, last.usage) == ("", Usage(4, 3, None))


def test_a_reply_can_be_had_whole(server: ScriptedServer, waits: Waits) -> None:
    """The text and the usage come in one value."""
    server.enqueue(Reply("Hello to you"))
    completion = model_on(server, waits).complete(HELLO)
    assert (completion.text, completion.usage) == ("Hello to you", Usage(4, 3, None))


def test_the_price_is_known_where_the_model_is(server: ScriptedServer, waits: Waits) -> None:
    """A model of LiteLLM's table has a cost; an unknown one has none, which is not the same as free."""
    usage = model_on(server, waits, "openai/gpt-5.4-mini").complete(HELLO).usage
    assert usage is not None
    assert usage.cost_usd is not None
    assert usage.cost_usd > 0


def test_messages_and_settings_reach_the_provider(server: ScriptedServer, waits: Waits) -> None:
    """A request's own settings win over those of the model; what nobody set is not sent."""
    model = model_on(server, waits, temperature=0.7, max_tokens=50)
    model.complete(HELLO)
    model.complete(ModelRequest(HELLO.messages, temperature=0.0, max_tokens=9))
    first, second = (request["json"] for request in server.requests)
    assert first["messages"][1] == {"role": "user", "content": "Hello there"}
    assert (first["temperature"], first["max_tokens"]) == (0.7, 50)
    assert (second["temperature"], second["max_tokens"]) == (0.0, 9)
    assert "response_format" not in first
    assert server.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"


def test_a_lone_surrogate_does_not_stop_a_message(server: ScriptedServer, waits: Waits) -> None:
    """What UTF-8 cannot hold is replaced before it is sent."""
    model_on(server, waits).complete(ModelRequest([PromptMessage(Role.USER, "a\ud800b")]))
    assert server.requests[0]["json"]["messages"][0]["content"] == "a\ufffdb"


def test_a_schema_is_sent_to_models_that_take_one(server: ScriptedServer, waits: Waits) -> None:
    """A schema that is closed throughout is asked for strictly; unknown models are not sent any."""
    request = ModelRequest(HELLO.messages, schema=SCHEMA)
    model_on(server, waits, "openai/gpt-5.4-mini").complete(request)
    model_on(server, waits, "openai/scripted").complete(request)
    known, unknown = (request["json"] for request in server.requests)
    assert known["response_format"]["json_schema"] == {"name": "reply", "schema": SCHEMA, "strict": True}
    assert "response_format" not in unknown


def test_an_open_schema_is_not_asked_for_strictly(server: ScriptedServer, waits: Waits) -> None:
    """OpenAI refuses strict mode for objects that leave a field optional."""
    nested = {"type": "array", "items": {"type": "object", "properties": {"quote": {"type": "string"}}}}
    schema = {**SCHEMA, "properties": {"facts": nested}}
    model_on(server, waits, "openai/gpt-5.4-mini").complete(ModelRequest(HELLO.messages, schema=schema))
    assert server.requests[0]["json"]["response_format"]["json_schema"]["strict"] is False


def test_ollama_is_given_a_window_and_a_schema(server: ScriptedServer, waits: Waits) -> None:
    """Without `num_ctx` it would cut long prompts silently."""
    answer = {"model": "tiny", "message": {"role": "assistant", "content": "hi"}, "done": True, "done_reason": "stop"}
    server.enqueue(Reply(body=json.dumps(answer).encode()))
    model = model_on(server, waits, "ollama_chat/tiny", context_tokens=4096)
    assert model.complete(ModelRequest(HELLO.messages, schema=SCHEMA)).text == "hi"
    sent = server.requests[0]
    assert sent["path"] == "/api/chat"
    assert sent["json"]["options"]["num_ctx"] == 4096
    assert sent["json"]["format"] == SCHEMA


def test_replies_without_text_or_choices_are_bad_replies(server: ScriptedServer, waits: Waits) -> None:
    """A null content, an empty list of choices and an empty string are all "answered nothing", asked for once."""
    model = model_on(server, waits)
    for reply in (Reply(None), Reply(""), Reply(" \n"), Reply(choices=False)):
        server.enqueue(reply)
        with pytest.raises(BadReply, match="answered nothing"):
            model.complete(HELLO)
    for reply in (Reply(None), Reply("")):
        server.enqueue(reply)
        with pytest.raises(BadReply, match="answered nothing"):
            said(model)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("reply", "error", "message", "hint"),
    [
        (Reply(status=401), CredentialsError, "key for openai/scripted was rejected", "--model"),
        (Reply(status=403), CredentialsError, "does not allow openai/scripted", "--model"),
        (Reply(status=404), ModelNotFound, "no model openai/scripted", "memchat models"),
        (Reply(status=400), ModelError, "refused the request: scripted failure 400", "--model"),
        (Reply(status=402), ModelError, "no credit left", "Top it up"),
        (
            Reply(status=429, error={"message": "You exceeded your current quota", "code": "insufficient_quota"}),
            ModelError,
            "no credit left",
            "Top it up",
        ),
        (
            Reply(status=400, error={"message": "way too long", "code": "context_length_exceeded"}),
            ContextOverflow,
            "prompt is too long",
            "new session",
        ),
        (
            Reply(status=400, error={"message": "The model `scripted` does not exist"}),
            ModelNotFound,
            "no model openai/scripted",
            "Check its name",
        ),
        (Reply(body=b"<html>hi</html>", content_type="text/html"), BadReply, "not a model's reply", "address"),
        (Reply(body=b"{oops"), BadReply, "not a model's reply", "address"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_final_failure_is_explained_and_not_tried_again(
    server: ScriptedServer, waits: Waits, reply: Reply, error: type[ModelError], message: str, hint: str, streamed: bool
) -> None:
    """The error is told by its cause, in one line with a way on, after exactly one request."""
    server.enqueue(reply)
    model = model_on(server, waits)
    with pytest.raises(ModelError, match=message) as raised:
        said(model) if streamed else model.complete(HELLO)
    assert type(raised.value) is error
    assert "\n" not in raised.value.message
    assert hint in (raised.value.hint or "")
    assert len(server.requests) == 1
    assert waits.notices == []


@pytest.mark.parametrize("streamed", [True, False])
def test_a_missing_key_names_the_variable_to_set(waits: Waits, streamed: bool) -> None:
    """Nothing is sent, and the hint can be pasted into a shell."""
    with ScriptedServer() as server:
        for name, variable in (("openai/scripted", "OPENAI"), ("anthropic/claude-haiku-4-5", "ANTHROPIC")):
            model = model_on(server, waits, name, api_key=None)
            with pytest.raises(CredentialsError, match=f"no API key for {name}") as raised:
                said(model) if streamed else model.complete(HELLO)
            assert f"`export {variable}_API_KEY=…`" in (raised.value.hint or "")
        assert server.requests == []
    assert waits.notices == []


def test_a_rejected_key_of_the_environment_is_told_by_its_variable(
    server: ScriptedServer, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint says where the key was found."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.enqueue(Reply(status=401))
    with pytest.raises(CredentialsError) as raised:
        model_on(server, waits, api_key=None).complete(HELLO)
    assert "OPENAI_API_KEY" in (raised.value.hint or "")


def test_a_name_without_a_provider_is_an_unknown_model(waits: Waits) -> None:
    """The hint shows how names are made."""
    with pytest.raises(ModelNotFound) as raised:
        LiteLLMModel("nonsense", sleep=waits.slept.append).complete(HELLO)
    assert "openai/nonsense" in (raised.value.hint or "")


def test_a_model_ollama_does_not_have_comes_with_the_command_that_gets_it(server: ScriptedServer, waits: Waits) -> None:
    """Ollama's own 404 is told apart from a wrong address."""
    server.enqueue(Reply(status=404, body=b'{"error":"model \\"tiny\\" not found, try pulling it first"}'))
    with pytest.raises(ModelNotFound) as raised:
        said(model_on(server, waits, "ollama_chat/tiny"))
    assert "`ollama pull tiny`" in (raised.value.hint or "")


@pytest.mark.parametrize("streamed", [True, False])
def test_nothing_listening_is_told_after_the_retries(waits: Waits, streamed: bool) -> None:
    """A refused connection may come back, so it is tried again, and the address is in the message."""
    model = LiteLLMModel(
        "openai/scripted",
        api_key=KEY,
        api_base=NOTHING_LISTENS,
        on_retry=waits.notices.append,
        sleep=waits.slept.append,
    )
    with pytest.raises(ModelUnreachable, match=r"openai/scripted .* nothing is listening at 127\.0\.0\.1:9\."):
        said(model) if streamed else model.complete(HELLO)
    assert waits.slept == [1.0, 2.0, 4.0]


def test_an_unknown_host_is_told_by_its_name(waits: Waits) -> None:
    """A name that does not resolve is no refused connection."""
    base = "http://no-such-host.invalid/v1"
    model = LiteLLMModel("openai/scripted", api_key=KEY, api_base=base, retries=0, sleep=waits.slept.append)
    with pytest.raises(ModelUnreachable, match=r"no-such-host\.invalid cannot be resolved"):
        model.complete(HELLO)


@pytest.mark.parametrize("reply", [Reply("", hang=True), Reply("some words", hang=True)])
def test_silence_ends_in_a_timeout_and_closes_the_connection(
    server: ScriptedServer, waits: Waits, reply: Reply
) -> None:
    """Before the first byte or between two pieces: one request, and the provider sees us hang up."""
    server.enqueue(reply)
    with pytest.raises(ModelTimeout, match=r"for 0\.3 s"):
        said(model_on(server, waits, timeout_s=0.3))
    assert server.dropped.wait(5)
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [Reply("a b c d e", cut_after=3), Reply("a b c d e", end_without_done=True)])
def test_a_reply_that_breaks_off_is_a_bad_reply_after_its_last_piece(
    server: ScriptedServer, waits: Waits, reply: Reply
) -> None:
    """What arrived was yielded, it is not asked for again, and the end does not pass for a complete reply."""
    server.enqueue(reply)
    arrived: list[str] = []
    with pytest.raises(BadReply, match="cut off"):
        arrived.extend(delta.text for delta in model_on(server, waits).stream(HELLO))
    assert "".join(arrived).startswith("a b")
    assert len(server.requests) == 1
    assert waits.notices == []


def test_a_connection_cut_before_any_text_is_tried_again(server: ScriptedServer, waits: Waits) -> None:
    """Nothing has been shown yet, so the second attempt is as good as the first."""
    server.enqueue(Reply("a b", cut_after=0), Reply("whole"))
    assert said(model_on(server, waits)) == "whole"
    assert [(notice.attempt, notice.wait_s) for notice in waits.notices] == [(1, 1.0)]


def test_a_plain_reply_cut_half_way_is_tried_again(server: ScriptedServer, waits: Waits) -> None:
    """An unfinished body is a broken connection, whatever its first half says."""
    server.enqueue(Reply("a b", cut_after=0), Reply("whole"))
    assert model_on(server, waits).complete(HELLO).text == "whole"
    assert len(server.requests) == 2


@pytest.mark.parametrize("streamed", [True, False])
def test_a_busy_provider_is_asked_again_after_the_wait_it_asked_for(
    server: ScriptedServer, waits: Waits, streamed: bool
) -> None:
    """Retry-After is honoured, each wait is announced before it begins, and nobody else retries on top of us."""
    server.enqueue(Reply(status=429, headers={"Retry-After": "7"}), Reply(status=503), Reply("at last"))
    model = model_on(server, waits)
    assert (said(model) if streamed else model.complete(HELLO).text) == "at last"
    assert [(notice.attempt, notice.wait_s) for notice in waits.notices] == [(1, 7.0), (2, 2.0)]
    assert "takes no more requests" in waits.notices[0].reason
    assert waits.slept == [7.0, 2.0]
    assert len(server.requests) == 3


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, ModelUnreachable), (503, ModelUnreachable)])
def test_the_retries_are_counted(
    server: ScriptedServer, waits: Waits, status: int, error: type[ModelError], streamed: bool
) -> None:
    """Two retries make exactly three requests; LiteLLM's and the OpenAI client's own would multiply them."""
    server.respond = lambda _: Reply(status=status)
    model = model_on(server, waits, retries=2)
    with pytest.raises(error):
        said(model) if streamed else model.complete(HELLO)
    assert len(server.requests) == 3
    assert waits.slept == [1.0, 2.0]


def test_a_wait_of_hours_is_told_instead_of_waited(server: ScriptedServer, waits: Waits) -> None:
    """Beyond a minute the error comes at once and says what the provider wants."""
    server.enqueue(Reply(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited, match="asks to wait 3600 s") as raised:
        model_on(server, waits).complete(HELLO)
    assert raised.value.retry_after_s == 3600
    assert waits.slept == []


def test_retry_after_may_be_a_date(server: ScriptedServer, waits: Waits) -> None:
    """A date that has passed means now."""
    server.enqueue(Reply(status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), Reply("fine"))
    assert model_on(server, waits).complete(HELLO).text == "fine"
    assert waits.slept == [0.0]


def test_a_providers_wait_is_found_under_a_failed_stream_of_another_provider(
    server: ScriptedServer, waits: Waits
) -> None:
    """LiteLLM opens Gemini's streams late, wraps the failure and loses the headers on the outside."""
    server.respond = lambda _: Reply(status=429, headers={"Retry-After": "3"})
    with pytest.raises(RateLimited):
        said(model_on(server, waits, "gemini/gemini-2.5-flash", retries=1))
    assert waits.slept == [3.0]
    assert len(server.requests) == 2


def test_keys_never_show_in_messages(server: ScriptedServer, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers echo the key they were given; ours, those of the environment, and anything key-shaped are masked."""
    monkeypatch.setenv("OTHER_API_KEY", "plain-but-secret")
    server.enqueue(Reply(status=400, error={"message": f"bad {KEY}, plain-but-secret\nand sk-proj-999999****zz"}))
    with pytest.raises(ModelError) as raised:
        model_on(server, waits).complete(HELLO)
    assert raised.value.message == "openai/scripted refused the request: bad [key], [key] and [key]."


@pytest.mark.parametrize("reply", [Reply("word " * 500, chunk_delay_s=0.01), Reply("a few words", hang=True)])
def test_stopping_in_mid_stream_closes_the_connection(server: ScriptedServer, waits: Waits, reply: Reply) -> None:
    """Closing the generator hangs up at once, so that the provider stops writing and charging."""
    server.enqueue(reply)
    stream = model_on(server, waits).stream(HELLO)
    assert next(stream).text
    stream.close()
    assert server.dropped.wait(5)
    assert len(server.requests) == 1


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
    server: ScriptedServer, waits: Waits, name: str, body: bytes, lines: int
) -> None:
    """LiteLLM has a path of its own for each; a stream without its end is a bad reply on all of them."""
    model = model_on(server, waits, name)
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
def test_stopping_hangs_up_on_other_providers_too(server: ScriptedServer, waits: Waits, name: str, body: bytes) -> None:
    """Their streams have no close of their own, or hide the response that has."""
    server.enqueue(Reply("held", body=body[:-60], hang=True, content_type="text/event-stream"))
    stream = model_on(server, waits, name).stream(HELLO)
    assert next(stream).text
    stream.close()
    assert server.dropped.wait(5)


INTERRUPTED = """
import signal, sys
from memchat.core.protocols import PromptMessage, ModelRequest
from memchat.core.types import Role
from memchat.llm.litellm_model import LiteLLMModel

# Tests that run behind a shell are started with it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
stream = LiteLLMModel("openai/scripted", timeout_s=60).stream(ModelRequest([PromptMessage(Role.USER, "hi")]))
try:
    for delta in stream:
        print(delta.text, flush=True)
except KeyboardInterrupt:
    # It may come in the print, too, when nothing reads: whoever has a stream closes it.
    stream.close()
    print("interrupted", flush=True)
    sys.stdin.read()
"""


def test_an_interrupt_passes_through_and_closes_the_connection(server: ScriptedServer) -> None:
    """Ctrl-C while a read stalls raises in the reader, and the process need not end for the provider to notice."""
    server.enqueue(Reply("hello", hang=True))
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **server.environment()},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "hello\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert server.dropped.wait(5)
        child.communicate("")
    assert child.returncode == 0


def test_tokens_are_counted_without_the_network(waits: Waits) -> None:
    """Also for names whose own tokenizer would have to be downloaded, and for text with control tokens in it."""
    for name in ("openai/scripted", "ollama_chat/llama3", "groq/llama-3.1-8b", "anthropic/claude-haiku-4-5"):
        model = LiteLLMModel(name)
        assert 3 <= model.count_tokens("hello there my friend") <= 8
        assert model.count_tokens("") == 0
        assert model.count_tokens("<|endoftext|>\ud800") > 0


def test_the_window_is_the_models_the_callers_or_a_cautious_guess() -> None:
    """Ollama is not asked: it may not be running yet."""
    assert LiteLLMModel("anthropic/claude-haiku-4-5").context_tokens == 200_000
    assert LiteLLMModel("anthropic/claude-haiku-4-5", context_tokens=1000).context_tokens == 1000
    assert LiteLLMModel("openai/scripted").context_tokens == 8192
    assert LiteLLMModel("ollama_chat/tiny", api_base=NOTHING_LISTENS).context_tokens == 8192


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
