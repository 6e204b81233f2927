"""OpenAI's clients with a memory behind them: the real client over a real socket, a scripted provider behind."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai import OpenAI

from memchat import Memory
from memchat.config import Settings
from tests.api.scripted_memory import extractions, is_extraction
from tests.scripted_server import Reply, ScriptedServer
from tests.servers.http.conftest import Open

Connect = Callable[..., OpenAI]


@pytest.fixture
def connect(client: httpx.Client) -> Iterator[Connect]:
    """Makes OpenAI clients of the server; headers are those of the program that calls it."""
    made: list[OpenAI] = []

    def connect(**headers: str) -> OpenAI:
        own = httpx2.Client(trust_env=False, timeout=90)
        base = f"{client.base_url}v1" if str(client.base_url).endswith("/") else f"{client.base_url}/v1"
        made.append(OpenAI(base_url=base, api_key="unused", max_retries=0, http_client=own, default_headers=headers))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def said(text: str) -> list[Any]:
    """One message of the user."""
    return [{"role": "user", "content": text}]


def learned(client: httpx.Client, user: str, count: int) -> list[str]:
    """What is known of `user`, once it is as much as that."""
    until = time.monotonic() + 60
    while True:
        rows = client.get("/memories", params={"user_id": user}).json()["results"]
        if len(rows) >= count or time.monotonic() > until:
            return [row["memory"] for row in rows]
        time.sleep(0.05)


def answer_next(server: ScriptedServer, reply: Reply) -> None:
    """Let the next request for an answer, not one that extracts, meet this reply."""
    usual, waiting = server.respond, [reply]

    def respond(payload: dict[str, Any]) -> Reply:
        if waiting and not is_extraction(payload):
            return waiting.pop()
        return usual(payload) if usual else Reply()

    server.respond = respond


def chats(server: ScriptedServer) -> list[dict[str, Any]]:
    """The requests for answers, without those that extract."""
    bodies = [request["json"] for request in server.requests if request["path"].endswith("/chat/completions")]
    return [body for body in bodies if not is_extraction(body)]


def test_a_client_is_remembered_plain_and_streamed(connect: Connect, client: httpx.Client) -> None:
    """What one conversation told the next one knows; the stream ends with the usage."""
    api = connect()
    first = api.chat.completions.create(model="gpt-4o", messages=said("I live in Berlin"), user="al")
    assert first.choices[0].message.content
    assert first.usage is not None
    assert learned(client, "al", 1) == ["User lives in Berlin."]
    chunks = list(
        api.chat.completions.create(
            model="gpt-4o",
            messages=said("Where do I live?"),
            user="al",
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "User lives in Berlin." in text
    assert chunks[-1].usage is not None
    assert chunks[-2].choices[0].finish_reason == "stop"
    other = api.chat.completions.create(model="gpt-4o", messages=said("Where do I live?"), user="bo")
    assert "Berlin" not in (other.choices[0].message.content or "")


def test_the_clients_messages_are_the_conversation(
    connect: Connect, server: ScriptedServer, client: httpx.Client
) -> None:
    """They go out as they came, memory behind the instructions, and the last message alone is learned."""
    client.post("/memories", json={"user_id": "al", "messages": "I'm vegetarian"}).raise_for_status()
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I have a cat called Momo"},
        {"role": "assistant", "content": "Nice."},
        {"role": "user", "content": [{"type": "text", "text": "I live in Berlin. Am I vegetarian?"}]},
    ]
    connect().chat.completions.create(model="x", messages=messages, user="al", temperature=0.3)
    sent = chats(server)[-1]
    assert sent["messages"][0]["content"].startswith("Be brief.\n\n")
    assert "User is vegetarian." in sent["messages"][0]["content"]
    assert sent["messages"][1:] == messages[1:]
    assert sent["temperature"] == 0.3
    assert set(learned(client, "al", 2)) == {"User is vegetarian.", "User lives in Berlin."}


def test_nothing_is_put_in_where_nothing_is_known(connect: Connect, server: ScriptedServer) -> None:
    """The request goes out as it came."""
    connect().chat.completions.create(model="x", messages=said("Hello"), user="al")
    assert chats(server)[-1]["messages"] == said("Hello")


def test_tools_and_formats_pass_through_and_their_results_are_not_learned_twice(
    connect: Connect, server: ScriptedServer, client: httpx.Client
) -> None:
    """A call comes back as the provider made it; the request that brings its result records nothing."""
    tools: list[Any] = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    answer_next(server, Reply(body=json.dumps({**body, "usage": {}}).encode()))
    api = connect()
    asked = said("I live in Berlin. What time is it?")
    first = api.chat.completions.create(
        model="x", messages=asked, user="al", tools=tools, response_format={"type": "json_object"}
    )
    calls = first.choices[0].message.tool_calls or []
    assert [one.id for one in calls] == ["c1"]
    sent = chats(server)[-1]
    assert (sent["tools"], sent["response_format"]) == (tools, {"type": "json_object"})
    result: list[Any] = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "9"},
    ]
    assert learned(client, "al", 1) == ["User lives in Berlin."]
    extracted = len(extractions(server.requests))
    assert api.chat.completions.create(model="x", messages=asked + result, user="al").choices[0].message.content
    assert [message["role"] for message in chats(server)[-1]["messages"]][-3:] == ["user", "assistant", "tool"]
    time.sleep(0.3)
    assert len(extractions(server.requests)) == extracted


TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]
CALLED: list[Any] = [
    {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "12 degrees"},
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("given", [{"tools": TOOLS}, {"response_format": {"type": "json_object"}}])
def test_a_request_with_tools_or_a_format_is_recalled_for(
    connect: Connect, server: ScriptedServer, client: httpx.Client, given: dict[str, Any], streamed: bool
) -> None:
    """Also one with several questions, and the one that brings the results of tools."""
    client.post("/memories", json={"user_id": "al", "messages": "I live in Berlin"}).raise_for_status()
    api = connect()
    for text in ("Where do I live?", "Where do I live? What is the weather there?"):
        for results in ([], CALLED):
            answer = api.chat.completions.create(
                model="x", messages=said(text) + results, user="al", stream=streamed, **given
            )
            if streamed:
                list(answer)
            sent = chats(server)[-1]["messages"]
            assert "User lives in Berlin." in sent[0]["content"]
            assert sent[1:] == said(text) + results


@pytest.mark.parametrize(
    ("headers", "user", "owner"),
    [
        ({"X-Memchat-User": "al"}, None, "al"),
        ({"X-OpenWebUI-User-Email": "al@example.org", "X-OpenWebUI-User-Id": "17"}, None, "al@example.org"),
        ({"X-OpenWebUI-User-Id": "17"}, None, "17"),
        ({"X-Memchat-User": "bo"}, "al", "al"),
        ({}, None, Settings.__dataclass_fields__["user"].default),
    ],
)
def test_the_person_is_named_by_the_body_or_a_header(
    connect: Connect, client: httpx.Client, memory: Memory, headers: dict[str, str], user: str | None, owner: Any
) -> None:
    """Else it is the one of the settings."""
    owner = owner if isinstance(owner, str) else memory.settings.user
    connect(**headers).chat.completions.create(
        model="x", messages=said("I live in Berlin"), user=openai.omit if user is None else user
    )
    assert learned(client, owner, 1) == ["User lives in Berlin."]


@pytest.mark.parametrize(
    "messages",
    [
        said("### Task:\nGenerate a concise title for: I live in Berlin"),
        [{"role": "system", "content": "Generate a short title for this conversation."}, *said("I live in Berlin")],
        said(
            'Provide a concise, 5-word-or-less title for the conversation:\nUser: "I live in Berlin"\nAssistant: "Ah."'
        ),
    ],
)
def test_a_program_that_asks_for_a_title_is_neither_recalled_for_nor_learned_from(
    connect: Connect, server: ScriptedServer, client: httpx.Client, messages: list[Any]
) -> None:
    """The words are those of a conversation that was learned from when it was held."""
    client.post("/memories", json={"user_id": "al", "messages": "I'm vegetarian"}).raise_for_status()
    connect().chat.completions.create(model="x", messages=messages, user="al")
    assert chats(server)[-1]["messages"] == messages
    connect().chat.completions.create(model="x", messages=said("I have a cat called Momo"), user="al")
    assert set(learned(client, "al", 2)) == {"User is vegetarian.", "User has a cat called Momo."}


def test_a_person_who_asks_for_a_title_is_a_person(connect: Connect, client: httpx.Client) -> None:
    """Their request is recorded and learned from like any other."""
    text = "I live in Berlin. Suggest a title for my conversation class."
    connect().chat.completions.create(model="x", messages=said(text), user="al")
    assert learned(client, "al", 1) == ["User lives in Berlin."]


def test_failures_have_openais_shape(connect: Connect, opened: Open, server: ScriptedServer, memory: Memory) -> None:
    """The client raises its own classes, with our sentence in them."""
    api = connect()
    with pytest.raises(openai.UnprocessableEntityError, match="messages"):
        api.chat.completions.create(model="x", messages=[])
    answer_next(server, Reply(status=429, headers={"Retry-After": "7"}))
    with pytest.raises(openai.RateLimitError) as limited:
        api.chat.completions.create(model="x", messages=said("Hello"), user="al")
    assert limited.value.response.headers["retry-after"] == "7"
    answer_next(server, Reply("One two three four", cut_after=3))
    with pytest.raises(openai.APIError, match=r"broke|cut off"):
        list(api.chat.completions.create(model="x", messages=said("Hello"), user="al", stream=True))
    locked = opened(memory, "key")
    refused = locked.get("/v1/models")
    assert refused.status_code == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    assert locked.get("/v1/models", headers={"Authorization": "Bearer key"}).json()["data"][0]["id"] == memory.model


def test_a_client_that_leaves_a_stream_ends_the_call_and_what_it_said_is_learned(
    connect: Connect, server: ScriptedServer, client: httpx.Client
) -> None:
    """Nothing goes on being paid for."""
    answer_next(server, Reply("word " * 200, chunk_delay_s=0.05))
    with connect().chat.completions.create(
        model="x", messages=said("I live in Berlin"), user="al", stream=True
    ) as stream:
        next(iter(stream))
    assert server.dropped.wait(10)
    assert learned(client, "al", 1) == ["User lives in Berlin."]


def test_a_chat_streams_for_who_accepts_events(client: httpx.Client, server: ScriptedServer) -> None:
    """Pieces, then all that the plain answer holds; a failure comes as an event, or as a status before the first."""
    answer_next(server, Reply(pieces=["Hel", "lo."]))
    accept = {"Accept": "text/event-stream"}
    answer = client.post("/chat", json={"user_id": "al", "message": "Hi"}, headers=accept)
    events = [tuple(line.split(": ", 1)[1] for line in one.splitlines()) for one in answer.text.strip().split("\n\n")]
    assert [name for name, _ in events] == ["delta", "delta", "done"]
    assert [json.loads(data)["text"] for _, data in events[:2]] == ["Hel", "lo."]
    assert json.loads(events[2][1])["reply"] == "Hello."
    answer_next(server, Reply(status=500))
    assert client.post("/chat", json={"user_id": "al", "message": "Hi"}, headers=accept).status_code == 502


def test_without_a_model_the_offline_one_answers(offline: httpx.Client) -> None:
    """In the same shapes, so that a client can be tried without a key."""
    body = {"messages": said("Hello"), "user": "zed"}
    plain = offline.post("/v1/chat/completions", json=body).json()
    assert plain["choices"][0]["message"]["content"]
    streamed = offline.post("/v1/chat/completions", json={**body, "stream": True}).text
    assert streamed.endswith("data: [DONE]\n\n")


def test_the_tokens_of_a_completion_are_counted(connect: Connect, client: httpx.Client, home: Path) -> None:
    """Plain and streamed, for the user it is for; a stream that was not asked for its usage is estimated."""
    api = connect()
    plain = api.chat.completions.create(model="gpt-4o", messages=said("Hello, I like tea"), user="al")
    list(api.chat.completions.create(model="gpt-4o", messages=said("Hello"), user="al", stream=True))
    with closing(sqlite3.connect(next(home.glob("*.db")))) as database:
        rows = database.execute(
            "SELECT calls, estimated, prompt_tokens, saved_tokens FROM usage WHERE user = 'al' AND purpose = 'chat'"
        ).fetchall()
    ((calls, estimated, prompt_tokens, saved_tokens),) = rows
    assert plain.usage is not None
    assert (calls, estimated, saved_tokens) == (2, 1, 0)
    assert prompt_tokens > plain.usage.prompt_tokens
