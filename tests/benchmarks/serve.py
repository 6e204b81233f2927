"""`memchat serve` under load: searches beside the library's own, slow turns, half-open connections, memory.

    python -m tests.benchmarks.serve [--searches N] [--turns N] [--sockets N] [--requests N] [--model-s SECONDS]

The server is a process of its own over a home of its own; the model is a scripted one on loopback that answers after
`--model-s` seconds. The library searches the same home from this process, its calls alternating with the server's.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from memchat import Memory
from memchat.config import Settings
from tests.benchmarks.measure import milliseconds, spread
from tests.benchmarks.tables import machine
from tests.scripted_server import Reply, ScriptedServer

USER = "alice"
MEMORIES = 200
CHAT = {"user_id": USER, "message": "What is in my locker 7?"}


@contextmanager
def served(home: Path, model: ScriptedServer) -> Iterator[tuple[int, str]]:
    """A server's process id and address."""
    env = {**os.environ, **model.environment(), "MEMCHAT_HOME": str(home), "MEMCHAT_MODEL": "openai/gpt-4o-mini"}
    command = [sys.executable, "-m", "memchat", "serve", "--port", "0"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            found = re.search(r"http://[\d.]+:\d+", child.stderr.readline())
            assert found is not None
            wait_until_ready(found[0])
            yield child.pid, found[0]
        finally:
            child.terminate()


def wait_until_ready(url: str) -> None:
    while httpx.get(f"{url}/ready", trust_env=False, timeout=60).status_code != 200:
        time.sleep(0.2)


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def compare_searches(client: httpx.Client, memory: Memory, count: int) -> None:
    """One after the other, by the server on a kept connection and by the library."""
    over_http, in_library = [], []
    for number in range(count):
        query = f"Where is item {number % MEMORIES * 37}?"
        body = {"user_id": USER, "query": query}
        over_http.append(milliseconds(lambda body=body: client.post("/search", json=body).raise_for_status()))  # type: ignore[misc]
        in_library.append(milliseconds(lambda query=query: memory.search(query, user_id=USER)))  # type: ignore[misc]
    quotient = median(over_http) / median(in_library)
    print(f"/search p50 / p95 ms: {spread(over_http)}; the library: {spread(in_library)}; quotient {quotient:.2f}")


def search_beside_turns(url: str, turns: int, model: ScriptedServer, seconds: float) -> None:
    """Searches while so many turns wait for a slow model."""
    model.respond = lambda _: Reply("ok", delay_s=seconds)
    limits = httpx.Limits(max_connections=turns + 8)
    with httpx.Client(base_url=url, trust_env=False, timeout=300, limits=limits) as client:
        threads = ThreadPoolExecutor(turns)
        running = [threads.submit(client.post, "/chat", json={**CHAT, "run_id": str(n)}) for n in range(turns)]
        while len(model.requests) < turns // 2 and not all(one.done() for one in running):
            time.sleep(0.05)
        searches = []
        with httpx.Client(base_url=url, trust_env=False, timeout=300) as searcher:
            while not all(one.done() for one in running):
                body = {"user_id": USER, "query": "Where is item 37?"}
                searches.append(milliseconds(lambda body=body: searcher.post("/search", json=body)))  # type: ignore[misc]
        statuses = sorted({one.result().status_code for one in running})
        threads.shutdown()
    model.respond = None
    print(
        f"{turns} turns of {seconds:g} s, answered {statuses}; meanwhile {len(searches)} searches: {spread(searches)}"
    )


def hold_half_open(url: str, count: int) -> None:
    """Connections that never finish their header, while others are answered."""
    host, port = url.removeprefix("http://").split(":")
    with ExitStack() as open_ones:
        for _ in range(count):
            one = open_ones.enter_context(socket.create_connection((host, int(port)), timeout=30))
            one.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        healths = [milliseconds(lambda: httpx.get(f"{url}/health", trust_env=False, timeout=60)) for _ in range(20)]
    print(f"{count} half-open connections; meanwhile /health p50 / p95 ms: {spread(healths)}")


def watch_memory(pid: int, client: httpx.Client, requests: int) -> None:
    """Resident memory over many requests, after a first fifth."""
    sizes = []
    for number in range(requests):
        client.post("/search", json={"user_id": f"{USER}{number % 50}", "query": f"Where is item {number}?"})
        raw = {"user_id": f"{USER}{number % 50}", "messages": f"Note {number}.", "infer": False}
        if number % 5 == 0:
            client.post("/memories", json=raw)
        if number % (requests // 10) == 0:
            sizes.append(resident_mb(pid))
    sizes.append(resident_mb(pid))
    print(f"{requests} searches and {requests // 5} adds, resident MB: {', '.join(f'{size:.0f}' for size in sizes)}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("searches", 300), ("turns", 200), ("sockets", 1000), ("requests", 3000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--model-s", type=float, default=6.0)
    given: Any = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory() as folder, ScriptedServer() as model:
        home = Path(folder)
        with Memory(Settings(home, USER, model="offline")) as memory:
            for number in range(MEMORIES):
                memory.add(f"Locker {number} holds item {number * 37}.", user_id=USER, infer=False)
            with (
                served(home, model) as (pid, url),
                httpx.Client(base_url=url, trust_env=False, timeout=300) as client,
            ):
                client.post("/chat", json=CHAT).raise_for_status()
                compare_searches(client, memory, given.searches)
                search_beside_turns(url, given.turns, model, given.model_s)
                hold_half_open(url, given.sockets)
                watch_memory(pid, client, given.requests)


if __name__ == "__main__":
    main()
