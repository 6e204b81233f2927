"""What every way to a model has in common, over the real libraries, against a provider on loopback."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from memchat.core.protocols import Cut, ModelRequest, PromptMessage, Usage
from memchat.core.types import Role
from memchat.errors import (
    BadReply,
    ContextOverflow,
    CredentialsError,
    ModelError,
    ModelLoading,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
)
from memchat.llm.provider_errors import RequestRefused
from tests.llm.adapters import ADAPTERS, HELLO, KEY, NOTHING_LISTENS, SCHEMA, Adapter, Waits, said
from tests.scripted_server import Reply, ScriptedServer


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return ADAPTERS[request.param]


pytestmark = pytest.mark.usefixtures("no_keys")


def test_a_reply_streams_in_pieces_and_ends_with_its_usage(
    adapter: Adapter, server: ScriptedServer, waits: Waits
) -> None:
    """Each piece is yielded as it came; the last delta carries the provider's own counts and no text."""
    server.enqueue(Reply("Hello to you"))
    *pieces, last = adapter.on(server, waits).stream(HELLO)
    assert [piece.text for piece in pieces] == ["Hello ", "to ", "you"]
    assert (last.text, last.usage) == ("", Usage(4, 3, None))


def test_a_reply_can_be_had_whole(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """The text and the usage come in one value."""
    server.enqueue(Reply("Hello to you"))
    completion = adapter.on(server, waits).complete(HELLO)
    assert (completion.text, completion.usage) == ("Hello to you", Usage(4, 3, None))


def test_a_reply_that_is_had_whole_is_streamed_all_the_same(
    adapter: Adapter, server: ScriptedServer, waits: Waits
) -> None:
    """A slow model that is still writing is not silent: the time-out is for the next piece, also where it learns."""
    server.enqueue(Reply("Hello to you"), Reply("Hello", hang=True))
    adapter.on(server, waits).complete(replace(HELLO, schema=SCHEMA))
    with pytest.raises(ModelTimeout, match=r"for 0\.3 s"):
        adapter.on(server, waits, timeout_s=0.3).complete(replace(HELLO, schema=SCHEMA))
    assert [request["json"]["stream"] for request in server.requests] == [True, True]


def test_a_lone_surrogate_does_not_stop_a_message(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """What UTF-8 cannot hold is replaced before it is sent."""
    adapter.on(server, waits).complete(ModelRequest([PromptMessage(Role.USER, "a\ud800b")]))
    assert server.requests[0]["json"]["messages"][0]["content"] == "a\ufffdb"


def test_replies_without_text_or_choices_are_bad_replies(
    adapter: Adapter, server: ScriptedServer, waits: Waits
) -> None:
    """A null content, an empty list of choices and an empty string are all "answered nothing", asked for once."""
    model = adapter.on(server, waits)
    for reply in (Reply(None), Reply(""), Reply(" \n"), Reply(choices=False)):
        server.enqueue(reply)
        with pytest.raises(BadReply, match="answered nothing"):
            model.complete(HELLO)
        server.enqueue(reply)
        with pytest.raises(BadReply, match="answered nothing"):
            said(model)
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    ("reply", "error", "message", "hint"),
    [
        (Reply(status=401), CredentialsError, "key for {model} was rejected", "--model"),
        (Reply(status=403), CredentialsError, "does not allow {model}", "--model"),
        (Reply(status=404), ModelNotFound, "no model {model}", "--model"),
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
            "new conversation",
        ),
        (
            Reply(status=400, error={"message": "The model `scripted` does not exist"}),
            ModelNotFound,
            "no model {model}",
            "--model",
        ),
        (Reply(body=b"<html>hi</html>", content_type="text/html"), BadReply, "not a model's reply", "address"),
        (Reply(body=b"{oops"), BadReply, "not a model's reply", "address"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_final_failure_is_explained_and_not_tried_again(
    adapter: Adapter,
    server: ScriptedServer,
    waits: Waits,
    reply: Reply,
    error: type[ModelError],
    message: str,
    hint: str,
    streamed: bool,
) -> None:
    """The error is told by its cause, in one line with a way on, after exactly one request."""
    server.enqueue(reply)
    model = adapter.on(server, waits)
    with pytest.raises(ModelError, match=message.format(model=adapter.name)) as raised:
        said(model) if streamed else model.complete(HELLO)
    assert type(raised.value) in {error, RequestRefused if error is ModelError else error}
    assert "\n" not in raised.value.message
    assert hint in (raised.value.hint or "")
    assert len(server.requests) == 1
    assert waits.notices == []


@pytest.mark.parametrize("reply", [Reply("", hang=True), Reply("some words", hang=True)])
def test_silence_ends_in_a_timeout_and_closes_the_connection(
    adapter: Adapter, server: ScriptedServer, waits: Waits, reply: Reply
) -> None:
    """Before the first byte or between two pieces: one request, and the provider sees us hang up."""
    server.enqueue(reply)
    with pytest.raises(ModelTimeout, match=r"for 0\.3 s"):
        said(adapter.on(server, waits, timeout_s=0.3))
    assert server.dropped.wait(5)
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [Reply("a b c d e", cut_after=3), Reply("a b c d e", end_without_done=True)])
def test_a_reply_that_breaks_off_is_a_bad_reply_after_its_last_piece(
    adapter: Adapter, server: ScriptedServer, waits: Waits, reply: Reply
) -> None:
    """What arrived was yielded, it is not asked for again, and the end does not pass for a complete reply."""
    server.enqueue(reply)
    arrived: list[str] = []
    with pytest.raises(BadReply, match="cut off"):
        arrived.extend(delta.text for delta in adapter.on(server, waits).stream(HELLO))
    assert "".join(arrived).startswith("a b")
    assert len(server.requests) == 1
    assert waits.notices == []


def test_a_connection_cut_before_any_text_is_tried_again(
    adapter: Adapter, server: ScriptedServer, waits: Waits
) -> None:
    """Nothing has been shown yet, so the second attempt is as good as the first."""
    server.enqueue(Reply("a b", cut_after=0), Reply("whole"))
    assert said(adapter.on(server, waits)) == "whole"
    assert [(notice.attempt, notice.wait_s) for notice in waits.notices] == [(1, 1.0)]


def test_a_plain_reply_cut_half_way_is_tried_again(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """An unfinished body is a broken connection, whatever its first half says."""
    server.enqueue(Reply("a b", cut_after=0), Reply("whole"))
    assert adapter.on(server, waits).complete(HELLO).text == "whole"
    assert len(server.requests) == 2


@pytest.mark.parametrize("streamed", [True, False])
def test_a_busy_provider_is_asked_again_after_the_wait_it_asked_for(
    adapter: Adapter, server: ScriptedServer, waits: Waits, streamed: bool
) -> None:
    """Retry-After is honoured, each wait is announced before it begins, and nobody else retries on top of us."""
    server.enqueue(Reply(status=429, headers={"Retry-After": "7"}), Reply(status=503), Reply("at last"))
    model = adapter.on(server, waits)
    assert (said(model) if streamed else model.complete(HELLO).text) == "at last"
    assert [(notice.attempt, notice.wait_s) for notice in waits.notices] == [(1, 7.0), (2, 2.0)]
    assert "accepts no more requests" in waits.notices[0].reason
    assert waits.slept == [7.0, 2.0]
    assert len(server.requests) == 3


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, ModelUnreachable), (503, ModelUnreachable)])
def test_the_retries_are_counted(
    adapter: Adapter, server: ScriptedServer, waits: Waits, status: int, error: type[ModelError], streamed: bool
) -> None:
    """Two retries make exactly three requests; LiteLLM's and the OpenAI client's own would multiply them."""
    server.respond = lambda _: Reply(status=status)
    model = adapter.on(server, waits, retries=2)
    with pytest.raises(error):
        said(model) if streamed else model.complete(HELLO)
    assert len(server.requests) == 3
    assert waits.slept == [1.0, 2.0]


def test_a_wait_of_hours_is_told_instead_of_waited(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """Beyond a minute the error comes at once and says what the provider wants."""
    server.enqueue(Reply(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited, match="asks to wait 1 h") as raised:
        adapter.on(server, waits).complete(HELLO)
    assert raised.value.retry_after_s == 3600
    assert waits.slept == []


def test_retry_after_may_be_a_date(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """A date that has passed means now."""
    server.enqueue(Reply(status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), Reply("fine"))
    assert adapter.on(server, waits).complete(HELLO).text == "fine"
    assert waits.slept == [0.0]


def test_keys_never_show_in_messages(
    adapter: Adapter, server: ScriptedServer, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Providers echo the key they were given; ours, those of the environment, and anything key-shaped are masked."""
    monkeypatch.setenv("OTHER_API_KEY", "plain-but-secret")
    server.enqueue(Reply(status=400, error={"message": f"bad {KEY}, plain-but-secret\nand sk-proj-999999****zz"}))
    with pytest.raises(ModelError) as raised:
        adapter.on(server, waits).complete(HELLO)
    assert raised.value.message == f"{adapter.name} refused the request: bad [key], [key] and [key]."


@pytest.mark.parametrize("reply", [Reply("word " * 500, chunk_delay_s=0.01), Reply("a few words", hang=True)])
def test_stopping_in_mid_stream_closes_the_connection(
    adapter: Adapter, server: ScriptedServer, waits: Waits, reply: Reply
) -> None:
    """Closing the generator hangs up at once, so that the provider stops writing and charging."""
    server.enqueue(reply)
    stream = adapter.on(server, waits).stream(HELLO)
    assert next(stream).text
    stream.close()
    assert server.dropped.wait(5)
    assert len(server.requests) == 1


@pytest.mark.parametrize("streamed", [True, False])
def test_nothing_listening_is_told_after_the_retries(adapter: Adapter, waits: Waits, streamed: bool) -> None:
    """A refused connection may come back, so it is tried again, and the address is in the message."""
    model = adapter.model(NOTHING_LISTENS, waits)
    with pytest.raises(ModelUnreachable, match=rf"{adapter.name} .* nothing is listening at 127\.0\.0\.1:9\."):
        said(model) if streamed else model.complete(HELLO)
    assert waits.slept == [1.0, 2.0, 4.0]


def test_an_unknown_host_is_told_by_its_name(adapter: Adapter, waits: Waits) -> None:
    """A name that does not resolve is no refused connection."""
    model = adapter.model("http://no-such-host.invalid/v1", waits, retries=0)
    with pytest.raises(ModelUnreachable, match=r"no-such-host\.invalid cannot be resolved"):
        model.complete(HELLO)


def test_messages_and_the_key_reach_the_provider(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """The roles and texts as given, and the key as a bearer's."""
    adapter.on(server, waits).complete(HELLO)
    sent = server.requests[0]
    assert sent["json"]["messages"][1] == {"role": "user", "content": "Hello there"}
    assert sent["headers"]["authorization"] == f"Bearer {KEY}"


def test_a_requests_settings_win_over_the_models(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """Temperature and length are the request's, else the model's; what nobody set is not sent."""
    model = adapter.on(server, waits, temperature=0.7, max_tokens=50)
    model.complete(HELLO)
    model.complete(ModelRequest(HELLO.messages, temperature=0.0, max_tokens=9))
    adapter.on(server, waits).complete(HELLO)
    first, second, third = (settings_in(request["json"]) for request in server.requests)
    assert first == {"temperature": 0.7, "max_tokens": 50}
    assert second == {"temperature": 0.0, "max_tokens": 9}
    assert third == {}


def settings_in(body: dict[str, Any]) -> dict[str, Any]:
    """Temperature and length in a request of either API."""
    given = {**body, **body.get("options", {})}
    names = {"temperature": "temperature", "max_tokens": "max_tokens", "num_predict": "max_tokens"}
    return {ours: given[name] for name, ours in names.items() if name in given}


HARMONY_END = "age|>Hello."
THINKING = [
    Reply("Hello.", thinking="a secret plan"),
    Reply(pieces=["<think>a secret", " plan</th", "ink>\n\nHel", "lo."]),
    Reply(
        pieces=[
            "<|channel|>analysis<|message|>a secret plan<|end|>",
            "<|start|>assistant<|channel|>final<|mess",
            "age|>Hello.",
        ]
    ),
]


@pytest.mark.parametrize("reply", THINKING)
def test_thinking_is_no_part_of_the_reply(adapter: Adapter, server: ScriptedServer, waits: Waits, reply: Reply) -> None:
    """In a field of its own or between marks, which may be cut in two."""
    server.enqueue(reply, reply)
    deltas = list(adapter.on(server, waits).stream(HELLO))
    completion = adapter.on(server, waits).complete(HELLO)
    assert "".join(delta.text for delta in deltas) == completion.text == "Hello."
    assert "".join(delta.thinking for delta in deltas) == completion.thinking == "a secret plan"


def test_thinking_whose_beginning_is_not_marked_is_no_part_of_a_whole_reply(
    adapter: Adapter, server: ScriptedServer, waits: Waits
) -> None:
    """Some chat templates put the opening mark into the prompt."""
    server.enqueue(Reply(pieces=["a secret", " plan\n</thi", "nk>\n\nHello."]))
    completion = adapter.on(server, waits).complete(HELLO)
    assert completion.text == "Hello."
    assert completion.thinking.strip() == "a secret plan"


@pytest.mark.parametrize(("reason", "cut"), [("length", Cut.LENGTH), ("content_filter", Cut.FILTER), ("stop", None)])
def test_a_cut_reply_says_so(
    adapter: Adapter, server: ScriptedServer, waits: Waits, reason: str, cut: Cut | None
) -> None:
    """What was cut off by a limit or a filter is yielded all the same."""
    server.enqueue(Reply("1. First", finish_reason=reason), Reply("1. First", finish_reason=reason))
    deltas = list(adapter.on(server, waits).stream(HELLO))
    completion = adapter.on(server, waits).complete(HELLO)
    assert {delta.cut for delta in deltas} == {None, cut}
    assert (completion.text, completion.cut) == ("1. First", cut)


def test_a_limit_reached_before_the_first_word_is_told(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """A model may think its whole allowance away."""
    server.enqueue(Reply("", finish_reason="length"))
    with pytest.raises(BadReply, match="reached its limit"):
        adapter.on(server, waits).complete(HELLO)


def test_an_emoji_cut_between_pieces_is_whole_again(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """JSON escapes it as two halves; half of one alone is replaced."""
    server.enqueue(Reply(pieces=["Tea \ud83c", "\udf75 ", "\ud83c"]))
    assert said(adapter.on(server, waits)) == "Tea \U0001f375 \ufffd"


REFUSALS = [
    ("temperature", {"message": "Unsupported value: 'temperature' does not support 0.0", "param": "temperature"}),
    ("max_tokens", {"message": "Unknown option", "param": "max_tokens"}),
    ("format", {"message": "This response_format is unavailable now"}),
    ("format", {"message": "failed to parse grammar"}),
    ("format", {"message": "Bad Request"}),
]


@pytest.mark.parametrize(("name", "error"), REFUSALS)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_parameter_is_left_out_from_then_on(
    adapter: Adapter, server: ScriptedServer, waits: Waits, name: str, error: dict[str, str], status: int
) -> None:
    """The call is made once more without it, no retry is announced, and the next call leaves it out at once."""

    def respond(body: dict[str, Any]) -> Reply:
        given = {*body, *body.get("options", {})}
        names = {"max_tokens": {"max_tokens", "num_predict"}, "format": {"format", "response_format"}}
        return Reply(status=status, error=error) if given & names.get(name, {name}) else Reply("fine")

    server.respond = respond
    model = adapter.on(server, waits)
    request = ModelRequest(HELLO.messages, temperature=0.0, max_tokens=9, schema=SCHEMA)
    assert [model.complete(request).text, said(model, request)] == ["fine", "fine"]
    assert len(server.requests) == 3
    assert waits.notices == []


def test_a_refusal_that_stays_is_told(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """A parameter that was not sent cannot be left out."""
    server.respond = lambda _: Reply(status=400, error={"message": "temperature is not supported"})
    with pytest.raises(RequestRefused, match="temperature is not supported"):
        adapter.on(server, waits).complete(ModelRequest(HELLO.messages, temperature=0.0))
    assert len(server.requests) == 2


def test_a_server_that_loads_its_model_is_waited_for(adapter: Adapter, server: ScriptedServer, waits: Waits) -> None:
    """However few retries are allowed, each wait announced; five minutes are the most."""
    loading = Reply(status=503, error={"message": "Loading model", "type": "unavailable_error"})
    server.enqueue(*[loading] * 6, Reply("at last"))
    assert adapter.on(server, waits, retries=0).complete(HELLO).text == "at last"
    assert waits.slept == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert "still being loaded" in waits.notices[0].reason
    server.respond = lambda _: loading
    waits.slept.clear()
    with pytest.raises(ModelLoading):
        said(adapter.on(server, waits, retries=0))
    assert 240 < sum(waits.slept) <= 300


INTERRUPTED = """
import signal, sys
from memchat.core.protocols import PromptMessage, ModelRequest
from memchat.core.types import Role
from tests.llm.adapters import ADAPTERS

# Tests that run behind a shell are started with it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
stream = ADAPTERS[sys.argv[1]].model(sys.argv[2], timeout_s=60).stream(ModelRequest([PromptMessage(Role.USER, "hi")]))
try:
    for delta in stream:
        print(delta.text, flush=True)
except KeyboardInterrupt:
    # It may come in the print, too, when nothing reads: whoever has a stream closes it.
    stream.close()
    print("interrupted", flush=True)
    sys.stdin.read()
"""


def test_an_interrupt_passes_through_and_closes_the_connection(
    adapter: Adapter, server: ScriptedServer, request: pytest.FixtureRequest
) -> None:
    """Ctrl-C while a read stalls raises in the reader, and the process need not end for the provider to notice."""
    server.enqueue(Reply("hello", hang=True))
    base = server.base_url if adapter.name.startswith("openai/") else server.origin
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, request.node.callspec.params["adapter"], base],
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
