"""Metrics and the structured log: what they say of requests, and that nobody's names and words are in them."""

import io
import json
import logging
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from memchat import Memory
from memchat.servers.json_logs import JsonFormatter
from memchat.servers.metrics import BUCKETS_S, Metrics
from tests.cli.conftest import Shell
from tests.scripted_server import Reply, ScriptedServer
from tests.servers.http.conftest import Open

SECRET = "Zanzibar"
SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? -?[0-9.e+-]+')


def samples(client: httpx.Client) -> dict[str, float]:
    """The value of each sample by its name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines)
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_are_counted_by_template_and_status(client: httpx.Client, server: ScriptedServer) -> None:
    """Turns, what they recalled and what failed, under no name that a person gave."""
    client.post("/memories", json={"user_id": SECRET, "messages": "I'm vegetarian"}).raise_for_status()
    client.post("/chat", json={"user_id": SECRET, "message": "Am I vegetarian?"}).raise_for_status()
    said = {"user": SECRET, "messages": [{"role": "user", "content": "Am I vegetarian?"}]}
    client.post("/v1/chat/completions", json=said).raise_for_status()
    client.post("/search", json={"user_id": SECRET, "query": "vegetarian"}).raise_for_status()
    # Not the next reply, which learning from the turns before may take.
    answer = server.respond
    assert answer is not None
    server.respond = lambda given: Reply(status=500) if given["messages"][-1]["content"] == SECRET else answer(given)
    client.post("/chat", json={"user_id": SECRET, "message": SECRET})
    client.get(f"/memories/{SECRET}")
    client.get(f"/{SECRET}")
    client.get(f"/page/memory/{SECRET}")
    client.request(SECRET.upper(), "/chat")
    found = samples(client)
    requests = {name.partition("{")[2]: value for name, value in found.items() if "requests_total{" in name}
    assert requests['method="POST",route="/chat",status="200"}'] == 1
    assert requests['method="POST",route="/chat",status="502"}'] == 1
    assert requests['method="GET",route="/memories/{memory_id}",status="404"}'] == 1
    assert requests['method="GET",route="/page/memory/{id}",status="404"}'] == 1
    assert requests['method="GET",route="unknown",status="404"}'] == 1
    assert requests['method="other",route="/chat",status="405"}'] == 1
    assert found['memchat_http_request_duration_seconds_bucket{route="/chat",le="+Inf"}'] == 3
    assert found['memchat_http_request_duration_seconds_count{route="/chat"}'] == 3
    assert found["memchat_turns_total"] == 2
    assert found['memchat_memories_recalled_total{by="turn"}'] == 2
    assert found['memchat_memories_recalled_total{by="search"}'] == 1
    assert {"memchat_learning_queue", "memchat_model_requests"} <= found.keys()
    assert SECRET.lower() not in client.get("/metrics").text.lower()


def test_metrics_ask_for_the_key(opened: Open, memory: Memory) -> None:
    """They are about everybody."""
    client = opened(memory, "key")
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"X-API-Key": "key"}).status_code == 200
    assert 'route="unknown",status="401"' in client.get("/metrics", headers={"X-API-Key": "key"}).text


def test_a_duration_is_in_each_bucket_that_is_not_shorter() -> None:
    """As Prometheus wants histograms: cumulative, with their bounds included."""
    metrics = Metrics()
    for seconds in (BUCKETS_S[0], BUCKETS_S[-1] + 1):
        metrics.request("GET", "/x", 200, seconds)
    counts = re.findall(r'_bucket\{route="/x",le="([^"]+)"\} (\d+)', metrics.text({}))
    assert counts == [*((str(bound), "1") for bound in BUCKETS_S), ("+Inf", "2")]


def test_each_request_has_an_id(client: httpx.Client) -> None:
    """That of a proxy is taken over where it cannot be a name."""
    given = "0123456789abcdef0123456789abcdef"
    assert client.get("/health", headers={"X-Request-ID": given}).headers["x-request-id"] == given
    own = {client.get("/health", headers={"X-Request-ID": SECRET}).headers["x-request-id"] for _ in range(2)}
    assert len(own) == 2
    assert SECRET not in own


def test_a_librarys_record_is_written_without_its_message() -> None:
    """What people wrote may be in it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name in ("memchat.learning", "library"):
        handler.emit(logging.LogRecord(name, logging.WARNING, "x.py", 1, "said %s", ("it",), None))
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert ours["message"] == "said it"
    assert theirs.keys() == {"time", "level", "logger"}


def test_the_log_has_a_line_of_json_for_each_request(shell: Shell) -> None:
    """All of standard error can be read so, and holds no names, ids or words."""
    command = [sys.executable, "-m", "memchat", "serve", "--port", "0", "--log-format", "json"]
    with subprocess.Popen(command, env=shell.environ, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            said = (json.loads(line)["message"] for line in child.stderr)
            address = next(found[0] for text in said if (found := re.search(r"http://[\d.:]+\d", text)))
            with httpx.Client(base_url=address, trust_env=False, timeout=90) as client:
                client.post("/chat", json={"user_id": SECRET, "message": f"I live in {SECRET}."}).raise_for_status()
                client.get(f"/memories/{SECRET}?user_id={SECRET}")
                wrong = client.get("/memories", params={"user_id": SECRET, "x": SECRET})
            child.send_signal(signal.SIGTERM)
            rest = child.stderr.read()
        finally:
            child.terminate()
    assert child.returncode == 0
    assert SECRET not in rest
    lines = [line for line in map(json.loads, rest.splitlines()) if "route" in line]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/chat", 200),
        ("GET", "/memories/{memory_id}", 404),
        ("GET", "/memories", 422),
    ]
    assert lines[2]["request_id"] == wrong.headers["x-request-id"]
    assert lines[0]["duration_ms"] > 0


def test_a_format_that_does_not_exist_is_refused(shell: Shell, tmp_path: Path) -> None:
    """In one line."""
    assert shell.run("serve", "--log-format", "xml").code == 2
    assert shell.run("serve", env={"MEMCHAT_LOG_FORMAT": "xml"}).code == 2
