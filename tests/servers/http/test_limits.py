"""What clients can take from the server: time, connections and threads."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from memchat import Memory
from memchat.servers.answers import Json
from memchat.servers.connections import BoundedConnection
from memchat.servers.http_server import bind_socket
from memchat.servers.model_calls import LEARNING, ModelCalls
from tests.api.scripted_memory import Script, extractions, inputs, is_extraction
from tests.scripted_server import Reply, ScriptedServer
from tests.servers.http.conftest import Open

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_an_accepted_connection_does_not_wait_for_acknowledgements() -> None:
    """A kept connection gets the body of an answer at once: TCP_NODELAY is inherited from the listening socket."""
    with bind_socket("127.0.0.1", 0, guarded=False) as listening:
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class Small(BoundedConnection):
    """A connection with limits that a test can reach."""

    request_s = 0.3
    most = 3


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer once the body is there; not at all where it never is."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if not message.get("more_body"):
            await Json("ok")(scope, receive, send)
            return


@pytest.fixture
def small() -> Iterator[tuple[str, int]]:
    """The address of a server with these limits."""
    config = uvicorn.Config(reads_all, http=Small, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with bind_socket("127.0.0.1", 0, guarded=False) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        host, port = listening.getsockname()
        yield host, port
        server.should_exit = True
        thread.join(10)


def answered(connection: socket.socket) -> bytes:
    """What comes back until the server closes or has answered."""
    connection.settimeout(10)
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_request_that_does_not_arrive_whole_ends_its_connection(small: tuple[str, int], begun: bytes) -> None:
    """More bytes now and then do not keep it open."""
    with socket.create_connection(small) as slow:
        slow.sendall(begun)
        time.sleep(0.1)
        slow.sendall(b"a" if begun else b"G")
        assert b"200" not in answered(slow)


def test_a_new_client_takes_the_place_of_one_that_sends_nothing(small: tuple[str, int]) -> None:
    """Half-open connections do not close the server to others."""
    held = [socket.create_connection(small) for _ in range(Small.most)]
    try:
        for connection in held:
            connection.sendall(b"GET / HT")
        with socket.create_connection(small) as fresh:
            fresh.sendall(REQUEST)
            assert b"200 OK" in answered(fresh)
        assert answered(held[0]) == b""
    finally:
        for connection in held:
            connection.close()


def test_a_client_that_half_closes_gets_its_answer(small: tuple[str, int]) -> None:
    """As with nc -N."""
    with socket.create_connection(small) as client:
        client.sendall(REQUEST)
        client.shutdown(socket.SHUT_WR)
        assert b"200 OK" in answered(client)


def test_reads_and_plain_adds_do_not_wait_for_turns_of_a_slow_model(
    opened: Open, memory: Memory, server: ScriptedServer
) -> None:
    """More turns than the common threads are under way, and none of them is over when the others are answered."""
    client = opened(memory)
    release = threading.Event()

    def slow(payload: object) -> Reply:
        release.wait(600)
        return Reply("Noted.")

    server.respond = slow
    answers: list[int] = []

    def chat(number: int) -> None:
        said = {"user_id": f"u{number}", "message": "Hello"}
        answers.append(client.post("/chat", json=said, timeout=900).status_code)

    turns = [threading.Thread(target=chat, args=(number,)) for number in range(52)]
    client_of_its_own = httpx.Client(base_url=client.base_url, trust_env=False, timeout=60)
    with client_of_its_own as other:
        try:
            for turn in turns:
                turn.start()
            until = time.monotonic() + 600
            while len(server.requests) < 42 and time.monotonic() < until:
                time.sleep(0.05)
            assert len(server.requests) >= 42
            kept = other.post("/memories", json={"user_id": "al", "messages": "Plain.", "infer": False})
            found = other.post("/search", json={"user_id": "al", "query": "plain"})
            assert (kept.status_code, found.status_code) == (200, 200)
            assert 200 not in answers
        finally:
            release.set()
            for turn in turns:
                turn.join(60)
    assert answers == [200] * 52


def test_adds_that_learn_leave_room_for_turns(opened: Open, memory: Memory, server: ScriptedServer) -> None:
    """So many learn at a time; the others wait without keeping a turn from its model, and learn in the end."""
    client, release = opened(memory), threading.Event()

    def slow_to_learn(payload: dict[str, Any]) -> Reply:
        if is_extraction(payload):
            release.wait(300)
            return Reply(Script({}).extracted(inputs(payload)))
        return Reply("Hello.")

    server.respond = slow_to_learn

    def add(number: int) -> int:
        body = {"user_id": f"u{number}", "messages": "I like tea"}
        return client.post("/memories", json=body, timeout=600).status_code

    with ThreadPoolExecutor(LEARNING + 5) as threads:
        try:
            adds = [threads.submit(add, number) for number in range(LEARNING + 5)]
            until = time.monotonic() + 300
            while len(extractions(server.requests)) < LEARNING and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(0.5)
            assert len(extractions(server.requests)) == LEARNING
            answered = client.post("/chat", json={"user_id": "al", "message": "Hi"}, timeout=300)
            assert answered.json()["reply"] == "Hello."
        finally:
            release.set()
        assert {one.result(600) for one in adds} == {200}


@pytest.mark.anyio
async def test_beyond_the_queue_a_request_is_told_to_come_again() -> None:
    """With 503 and a time to wait."""
    import anyio
    from starlette.exceptions import HTTPException

    calls, release = ModelCalls(running=1, waiting=1), threading.Event()
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(calls.run, release.wait)
        await anyio.sleep(0.05)
        with pytest.raises(HTTPException) as refused:
            await calls.run(release.wait)
        release.set()
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "10"})
    assert await calls.run(lambda: 7) == 7


def test_a_target_in_absolute_form_is_its_path(offline: httpx.Client) -> None:
    """As a client sends it through a proxy."""
    with socket.create_connection((offline.base_url.host, offline.base_url.port or 0)) as client:
        client.sendall(b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in answered(client)


def test_a_body_with_two_lengths_is_refused(offline: httpx.Client) -> None:
    """Two servers in a row could read it differently."""
    body = json.dumps({"user_id": "al", "query": "x"})
    head = (
        "POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    )
    with socket.create_connection((offline.base_url.host, offline.base_url.port or 0)) as client:
        client.sendall(f"{head}Content-Length: 5\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n".encode())
        refused = answered(client)
    assert b" 400 " in refused
    assert b"connection: close" in refused.lower()


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("DELETE", "/memories?user_id=a&user_id=b", None, 400),
        ("POST", "/search", '{"user_id": "a", "user_id": "b", "query": "x"}', 400),
        ("POST", "/health", "x", 405),
        ("HEAD", "/health", None, 200),
        ("POST", "/search", '{"user_id": 7, "query": "x", "filters": [], "rerank": null, "explain": null}', 200),
        ("POST", "/search", '{"user_id": true, "query": "x"}', 422),
        (
            "POST",
            "/memories",
            '{"user_id": "u", "messages": "x", "infer": false, "metadata": [], "memory_type": null}',
            200,
        ),
        ("GET", "/memories?user_id=7&agent_id=&run_id=", None, 200),
        ("DELETE", "/memories?user_id=&agent_id=shop", None, 422),
        ("POST", "/chat", '{"user_id": "a", "message": "   "}', 400),
        ("POST", "/chat", '{"user_id": "a", "message": "Hello \\ud83d"}', 200),
    ],
)
def test_odd_requests_are_answered_in_their_own_sense(
    offline: httpx.Client, method: str, path: str, content: str | None, status: int
) -> None:
    """What is said twice is refused, null and empty lists are the same as nothing, and numbers are ids."""
    headers = {} if content is None else {"Content-Type": "application/json"}
    assert offline.request(method, path, content=content, headers=headers).status_code == status


def test_every_method_of_a_path_is_named_where_one_is_refused(offline: httpx.Client) -> None:
    """Not only those of the first route."""
    assert offline.request("PATCH", "/memories").headers["allow"] == "DELETE, GET, POST"


def test_a_server_is_ready_once_its_libraries_are_loaded(offline: httpx.Client) -> None:
    """Nothing has to be loaded here, so it is at once."""
    assert (offline.get("/ready").status_code, offline.get("/ready").json()) == (200, {"status": "ready"})


def test_memories_are_listed_in_pages(client: httpx.Client) -> None:
    """Newest first, each once."""
    for number in range(5):
        said = {"user_id": "al", "messages": f"Note {number}.", "infer": False}
        client.post("/memories", json=said).raise_for_status()
    pages = [
        client.get("/memories", params={"user_id": "al", "limit": 2, "offset": offset}).json()["results"]
        for offset in (0, 2, 4)
    ]
    assert [[row["memory"] for row in page] for page in pages] == [
        ["Note 4.", "Note 3."],
        ["Note 2.", "Note 1."],
        ["Note 0."],
    ]


def test_the_document_says_how_the_key_is_brought(opened: Open, memory: Memory) -> None:
    """Everywhere but for the health."""
    document = opened(memory, "key").get("/openapi.json", headers={"X-API-Key": "key"}).json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert document["security"] == [{"bearer": []}, {"header": []}]
    assert document["paths"]["/health"]["get"]["security"] == []
