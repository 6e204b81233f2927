"""`Memory` over HTTP: the routes, what is refused, and how failures are answered."""

import json
import logging
import re
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from memchat import Memory
from memchat.errors import (
    BadReply,
    ConfigError,
    CredentialsError,
    MemchatError,
    ModelError,
    NotFound,
    RateLimited,
    StoreBusy,
    StoreError,
    UsageError,
)
from memchat.mem0.arguments import Id
from memchat.servers.body_size import MAX_BODY
from tests.scripted_server import Reply, ScriptedServer
from tests.servers.http.conftest import Open

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
SECRET = "The diary lies under the stairs"


def remembered(client: httpx.Client, **entity: str) -> list[str]:
    """What is known, newest first."""
    return [item["memory"] for item in client.get("/memories", params=entity).json()["results"]]


# What it serves.


def test_a_shop_sends_a_message_and_shows_the_reply_with_the_memories_behind_it(client: httpx.Client) -> None:
    """POST /chat with a user and a message, as PHP's client posts them."""
    client.post("/memories", json={"user_id": "7", "messages": "I'm vegetarian"}).raise_for_status()
    answer = client.post("/chat", json={"user_id": "7", "message": "Am I vegetarian?"})
    assert answer.status_code == 200
    assert answer.json().keys() == {"reply", "memories_used", "excerpts_used", "session_id", "usage"}
    assert answer.json()["reply"].startswith("You told me: User is vegetarian.")
    assert [item["memory"] for item in answer.json()["memories_used"]] == ["User is vegetarian."]


def test_a_shop_in_the_next_container_calls_it_by_its_name(opened: Open, memory: Memory) -> None:
    """Where everybody is served without a key, under whatever name; a web page of another origin is not."""
    client = opened(memory, everybody=True)
    said = {"user_id": "7", "message": "I'm vegetarian"}
    elsewhere = {"Host": "memory-service:8000"}
    assert client.post("/chat", json=said, headers=elsewhere).json()["reply"]
    assert client.post("/chat", json=said, headers=elsewhere | {"Origin": "http://evil.example"}).status_code == 403


def test_all_that_a_chat_takes_reaches_it(client: httpx.Client, server: ScriptedServer) -> None:
    """The system prompt is sent, the metadata kept, the run is its own conversation."""
    said = {"user_id": "al", "message": "I live in Berlin", "run_id": "r1", "agent_id": "shop"}
    more = {"system": "You are a pirate.", "prompt": "Keep places.", "metadata": {"order": 4821}}
    assert client.post("/chat", json={**said, **more}).json()["session_id"].startswith("r1@")
    assert server.requests[0]["json"]["messages"][0]["content"].startswith("You are a pirate.")
    until = time.monotonic() + 60
    while not (found := client.get("/memories", params={"user_id": "al"}).json()["results"]):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert found[0]["metadata"] == {"order": 4821}
    assert found[0]["agent_id"] == "shop"


def test_the_paths_of_mem0s_server_do_what_they_do_there(client: httpx.Client) -> None:
    """Add, list, search, read, change, history, delete, delete all."""
    messages = [{"role": "user", "content": "I live in Berlin", "name": "Al"}, {"role": "assistant", "content": "Ah."}]
    (added,) = client.post("/memories", json={"user_id": "al", "messages": messages}).json()["results"]
    one = f"/memories/{added['id']}"
    found = client.post("/search", json={"query": "Where do I live?", "user_id": "al", "limit": 1}).json()["results"]
    assert [item["id"] for item in found] == [added["id"]]
    assert client.get(one).json()["memory"] == "User lives in Berlin."
    changed = client.put(one, json={"text": "User lives in Rome.", "metadata": {"sure": True}})
    assert changed.json() == {"message": "Memory updated successfully!"}
    assert remembered(client, user_id="al") == ["User lives in Rome."]
    assert len(client.get(f"{one}/history").json()) >= 2
    (current,) = client.get("/memories", params={"user_id": "al"}).json()["results"]
    assert client.delete(f"/memories/{current['id']}").status_code == 200
    assert client.get(f"/memories/{current['id']}").status_code == 404
    raw = {"user_id": "al", "messages": "Raw.", "infer": False, "expiration_date": "2999-12-31"}
    client.post("/memories", json=raw).raise_for_status()
    assert remembered(client, user_id="al") == ["Raw."]
    assert client.delete("/memories", params={"user_id": "al"}).status_code == 200
    assert remembered(client, user_id="al") == []


def test_a_limit_is_kept_to(client: httpx.Client) -> None:
    """GET /memories?limit=1 gives the newest."""
    for text in ("One.", "Two."):
        client.post("/memories", json={"user_id": "al", "messages": text, "infer": False}).raise_for_status()
    assert remembered(client, user_id="al", limit="1") == ["Two."]


def test_a_turn_is_recorded_and_learned_from_though_the_client_has_hung_up(
    client: httpx.Client, server: ScriptedServer
) -> None:
    """A request runs to its end."""
    server.enqueue(Reply("Noted.", delay_s=0.5))
    body = json.dumps({"user_id": "al", "message": "I live in Berlin"})
    head = f"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as impatient:
        impatient.sendall(f"{head}\r\n\r\n{body}".encode())
        until = time.monotonic() + 60
        while not server.requests:
            assert time.monotonic() < until
            time.sleep(0.02)
    while remembered(client, user_id="al") != ["User lives in Berlin."]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_json_can_carry_and_utf8_cannot_is_answered(offline: httpx.Client) -> None:
    """Half a surrogate pair is no failure of the server's, neither where it is kept nor where it is complained of."""

    def status(path: str, body: str) -> int:
        headers = {"Content-Type": "application/json"}
        return offline.post(path, content=body, headers=headers).status_code

    assert (
        status("/memories", '{"user_id": "jo", "messages": "x", "infer": false, "metadata": {"k": "\\ud800"}}') == 200
    )
    assert offline.get("/memories", params={"user_id": "jo"}).status_code == 200
    assert status("/search", '{"user_id": "jo", "query": "x", "filters": {"\\ud800": null}}') == 400


# What it refuses.


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/chat", {"usr_id": "al", "user_id": "al", "message": SECRET}),
        ("POST", "/chat", {"user_id": "al"}),
        ("POST", "/chat", {"user_id": 7, "message": [SECRET]}),
        ("POST", "/chat", {"user_id": "al", "message": ""}),
        ("POST", "/chat", SECRET),
        ("POST", "/memories", {"user_id": "al", "messages": [{"role": {}, "content": SECRET}]}),
        ("POST", "/memories", {"user_id": "al", "messages": [{"role": "user", "contnet": SECRET}]}),
        ("POST", "/search", {"user_id": "al", "query": SECRET, "limit": SECRET}),
        ("PUT", "/memories/x", {"txt": SECRET}),
        ("GET", "/memories?user_id=al&agnt_id=shop", None),
        ("DELETE", "/memories?user_id=al&agnt_id=shop", None),
    ],
)
def test_what_does_not_fit_is_refused_without_being_repeated(
    offline: httpx.Client, method: str, path: str, body: Any
) -> None:
    """A misspelt name does not pass, least of all where it would widen what is erased."""
    offline.post("/memories", json={"user_id": "al", "messages": "I live in Berlin."}).raise_for_status()
    refused = offline.request(method, path, **({} if body is None else {"json": body}))
    assert refused.status_code == 422
    assert refused.json().keys() == {"detail", "hint"}
    assert SECRET not in refused.text
    assert remembered(offline, user_id="al") == ["User lives in Berlin."]


@pytest.mark.parametrize(("raw", "status"), [(b'{"user_id":', 422), (b"\xff\xfe", 422), (b"[" * 100_000, 400)])
def test_what_is_no_json_is_refused(offline: httpx.Client, raw: bytes, status: int) -> None:
    """In the same shape as all else."""
    refused = offline.post("/chat", content=raw, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json().keys()) == (status, {"detail", "hint"})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_bounded(offline: httpx.Client, chunked: bool) -> None:
    """Whether or not its length is told before."""
    body = json.dumps({"user_id": "al", "message": "x" * MAX_BODY}).encode()
    content = iter([body[:1000], body[1000:]]) if chunked else body
    refused = offline.post("/chat", content=content, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413
    assert str(MAX_BODY) in refused.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[127.0.0.1"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:3000"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_no_web_page_of_another_origin_gets_in(offline: httpx.Client, headers: dict[str, str], status: int) -> None:
    """Neither under a name that was turned to this machine, nor with a request that browsers send without asking."""
    body = b'{"user_id": "al", "query": "x"}'
    sent = offline.post("/search", content=body, headers={"Content-Type": "application/json", **headers})
    assert sent.status_code == status
    assert "access-control-allow-origin" not in sent.headers


def test_a_browser_that_asks_whether_it_may_is_told_no(offline: httpx.Client) -> None:
    """There is no CORS."""
    asks = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert offline.options("/chat", headers=asks).status_code == 403


def test_the_key_is_asked_for_everywhere_but_for_the_health(opened: Open, memory: Memory) -> None:
    """In either of two headers, in any letters; the Host is no concern then."""
    client = opened(memory, "voilà")
    path = "/memories?user_id=al"
    right: list[dict[str, str]] = [{"Authorization": "Bearer voilà"}, {"X-API-Key": "voilà"}]
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer voila"},
        {"Authorization": "Basic voilà"},
        {"X-API-Key": ""},
        {"X-API-Key": "voil"},
    ]

    def status(headers: dict[str, str]) -> int:
        raw = {name: value.encode() for name, value in {"Host": "memory-service:8000", **headers}.items()}
        return client.get(path, headers=raw).status_code  # type: ignore[arg-type]

    assert {status(headers) for headers in right} == {200}
    assert {status(headers) for headers in wrong} == {401}
    assert client.get("/openapi.json").status_code == 401
    assert client.get("/nowhere").status_code == 401
    assert client.get("/health").json() == {"status": "ok"}


def test_no_page_loads_scripts_from_other_hosts(offline: httpx.Client) -> None:
    """The schema is there, the pages that show it are not."""
    assert {offline.get(path).status_code for path in ("/docs", "/redoc")} == {404}
    paths = offline.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/chat",
        "/health",
        "/memories",
        "/memories/{memory_id}",
        "/memories/{memory_id}/history",
        "/metrics",
        "/ready",
        "/search",
        "/v1/batch/",
        "/v1/chat/completions",
        "/v1/entities/",
        "/v1/memories/",
        "/v1/memories/{memory_id}/",
        "/v1/memories/{memory_id}/history/",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/ping/",
        "/v2/entities/{kind}/{name}/",
        "/v3/memories/",
        "/v3/memories/add/",
        "/v3/memories/search/",
    }


# How failures are answered.


ERRORS: list[tuple[Exception, int]] = [
    (UsageError("No."), 400),
    (ConfigError("No."), 400),
    (NotFound("No."), 404),
    (RateLimited("No."), 429),
    (ModelError("No."), 502),
    (CredentialsError("No."), 502),
    (BadReply("No."), 502),
    (StoreBusy("No."), 503),
    (StoreError("No."), 500),
    (MemchatError("No."), 500),
    (KeyError(SECRET), 500),
]


class Failing(Memory):
    """Getting a memory fails with the error of that number."""

    def get(self, memory_id: Id) -> dict[str, Any]:
        raise ERRORS[int(str(memory_id))][0]


def test_each_kind_of_error_has_its_status_and_a_bug_no_words(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    """An expected one is answered with its sentence; of a bug the log says where it is, and nobody what was written."""
    with Failing() as memory, caplog.at_level(logging.DEBUG):
        client = opened(memory)
        answers = [client.get(f"/memories/{number}") for number in range(len(ERRORS))]
        assert client.get("/health").status_code == 200
    assert [answer.status_code for answer in answers] == [status for _, status in ERRORS]
    assert all(answer.json() == {"detail": "No.", "hint": None} for answer in answers[:-1])
    assert answers[-1].json().keys() == {"detail", "hint"}
    assert SECRET not in answers[-1].text + caplog.text
    assert "KeyError" in caplog.text
    assert "in get" in caplog.text


def test_a_provider_that_wants_to_be_left_alone_is_passed_on(client: httpx.Client, server: ScriptedServer) -> None:
    """429 with the seconds it asked for; other failures of the model are a bad gateway."""
    said = {"user_id": "al", "message": SECRET}
    server.enqueue(Reply(status=429, headers={"Retry-After": "7"}), Reply(status=401), Reply(status=500))
    limited = client.post("/chat", json=said)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert [client.post("/chat", json=said).status_code for _ in range(2)] == [502, 502]


def test_nothing_of_what_people_write_is_logged(
    client: httpx.Client, server: ScriptedServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of requests that succeed, fail, and do not fit."""
    with caplog.at_level(logging.INFO):
        server.enqueue(Reply(SECRET), Reply(status=500))
        for body in ({"user_id": SECRET, "message": SECRET}, {"user_id": "al", "message": SECRET}, {"message": SECRET}):
            client.post("/chat", json=body)
        client.get("/memories", params={"user_id": SECRET})
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())


# The README.


def test_the_example_of_the_readme_works(offline: httpx.Client) -> None:
    """The body it sends is taken, and what it names is in the answer."""
    body = re.search(r"curl .*/chat .*?-d '(\{.*?\})'", README, re.DOTALL)
    assert body is not None
    answer = offline.post("/chat", content=body[1].encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert {"reply", "memories_used"} <= answer.json().keys()
