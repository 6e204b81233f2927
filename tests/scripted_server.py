"""An OpenAI-compatible provider on loopback that answers as it was told, well or badly."""

import base64
import hashlib
import json
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

EmbedTexts = Callable[[Sequence[str]], Sequence[Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers.

    `thinking` comes before the text. A streamed text is sent in `pieces`, any JSON, or word by word. `cut_after` n
    chunks the connection is dropped (half-way through a plain reply); `end_without_done` ends a stream tidily without a
    finish reason. With `hang` nothing follows the text, and nothing at all is sent where the text is empty. `body`
    replaces everything with raw bytes. Without `usage` a stream does not report its tokens.
    """

    text: str | None = "ok"
    pieces: Sequence[Any] = ()
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    cut_after: int | None = None
    end_without_done: bool = False
    hang: bool = False
    body: bytes | None = None
    content_type: str = "application/json"
    finish_reason: str | None = "stop"
    choices: bool = True
    thinking: str = ""
    usage: bool = True


Respond = Callable[[dict[str, Any]], Reply]


class _Gone(Exception):
    """The client has closed the connection, or the server is closing."""


class ScriptedServer:
    """Answers chat requests with the queued replies, else with `respond`, else with "ok"; records every request.

    `requests` holds one dict a request (path, headers, json), oldest first; names of headers are in lower case.
    `dropped` is set once a client has closed its connection before its reply was complete. Embeddings come from
    `embed`, by default from a hash of the text. `pages` is what it says of its models, by path. At /api/chat it speaks
    Ollama's API.
    """

    def __init__(
        self, respond: Respond | None = None, *, embed: EmbedTexts | None = None, ollama: Sequence[str] = ()
    ) -> None:
        self.respond = respond
        self.embed: EmbedTexts = embed or hashed_vectors
        self.ollama = tuple(ollama)
        self.pages: dict[str, Mapping[str, Any]] = {
            "/v1/models": {"object": "list", "data": [{"id": "scripted", "object": "model"}]}
        }
        self.dropped = threading.Event()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._requests: list[dict[str, Any]] = []
        self._probes: list[str] = []
        self._replies: deque[Reply] = deque()
        self._embedding_replies: deque[Reply] = deque()
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def origin(self) -> str:
        """The address without a path, as Ollama's clients want it."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def requests(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._requests)

    def environment(self) -> dict[str, str]:
        """Variables with which the model `openai/scripted` and OpenAI's embedding models reach this server."""
        return {
            "OPENAI_API_KEY": "sk-scripted-0123456789",
            "OPENAI_API_BASE": self.base_url,
            "OPENAI_BASE_URL": self.base_url,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def enqueue(self, *replies: Reply) -> None:
        with self._lock:
            self._replies.extend(replies)

    def enqueue_embedding(self, *replies: Reply) -> None:
        """Failures that the next embedding requests meet; a reply with status 200 and no body stands for success."""
        with self._lock:
            self._embedding_replies.extend(replies)

    @property
    def probes(self) -> list[str]:
        """The paths at which clients looked for what the server has, oldest first; they are no `requests`."""
        with self._lock:
            return list(self._probes)

    def page(self, path: str) -> Mapping[str, Any] | None:
        """What `pages` has at `path`; that it was asked for is noted."""
        with self._lock:
            self._probes.append(path)
        return self.pages.get(path)

    def record(self, path: str, headers: Mapping[str, str], payload: dict[str, Any]) -> None:
        with self._lock:
            lowered = {name.lower(): value for name, value in headers.items()}
            self._requests.append({"path": path, "headers": lowered, "json": payload})

    def next_reply(self, payload: dict[str, Any]) -> Reply:
        with self._lock:
            if self._replies:
                return self._replies.popleft()
        return self.respond(payload) if self.respond else Reply()

    def next_embedding_reply(self) -> Reply:
        with self._lock:
            return self._embedding_replies.popleft() if self._embedding_replies else Reply()

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # With the usual five, some of fifty connections at once are lost on a busy machine.
    request_queue_size = 512

    def __init__(self, script: ScriptedServer) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the script."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Tests own the terminal."""

    def do_GET(self) -> None:
        script = self.server.script
        if self.path == "/api/tags":
            script.pages.setdefault(self.path, {"models": [{"name": name, "details": {}} for name in script.ollama]})
        self._page()

    def _page(self) -> None:
        page = self.server.script.page(self.path)
        if page is None:
            self._send_json({"error": {"message": "no such page"}}, status=404)
        else:
            self._send_json(page)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        payload: dict[str, Any] = json.loads(self.rfile.read(length) or b"{}")
        if self.path == "/api/show":
            self._page()
            return
        self.server.script.record(self.path, dict(self.headers.items()), payload)
        try:
            if self.path.endswith("/embeddings"):
                self._embeddings(payload)
            else:
                self._chat(payload, self.server.script.next_reply(payload))
        except (_Gone, ConnectionError):
            self.close_connection = True

    def _chat(self, payload: dict[str, Any], reply: Reply) -> None:
        self._wait(reply.delay_s)
        if self._sent_instead(reply):
            return
        if payload.get("stream"):
            self._stream(payload, reply)
        elif self.path == "/api/chat":
            self._send_json(_ollama_reply(payload, reply), headers=reply.headers, cut=reply.cut_after is not None)
        else:
            self._send_json(_completion(payload, reply), headers=reply.headers, cut=reply.cut_after is not None)

    def _embeddings(self, payload: dict[str, Any]) -> None:
        reply = self.server.script.next_embedding_reply()
        self._wait(reply.delay_s)
        if self._sent_instead(reply):
            return
        given = payload["input"]
        rows = self.server.script.embed([given] if isinstance(given, str) else given)
        as_base64 = payload.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _base64(row) if as_base64 else list(map(float, row))}
            for index, row in enumerate(rows)
        ]
        usage = {"prompt_tokens": len(data), "total_tokens": len(data)}
        self._send_json({"object": "list", "model": payload.get("model"), "data": data, "usage": usage})

    def _sent_instead(self, reply: Reply) -> bool:
        """Answer with silence, raw bytes or an error status, where the script says so."""
        if reply.hang and not reply.text:
            self._wait(float("inf"))
        if reply.body is not None and reply.hang:
            self._begin_chunks(reply.content_type)
            self._write_chunk(reply.body)
            self._wait(float("inf"))
        if reply.body is not None:
            self._send(reply.body, reply.status, {"Content-Type": reply.content_type, **reply.headers})
            return True
        if reply.status >= 400:
            error = reply.error or {"message": f"scripted failure {reply.status}", "type": "scripted"}
            self._send_json({"error": error}, status=reply.status, headers=reply.headers)
            return True
        return False

    def _stream(self, payload: dict[str, Any], reply: Reply) -> None:
        ollama = self.path == "/api/chat"
        self._begin_chunks("application/x-ndjson" if ollama else "text/event-stream")
        for count, chunk in enumerate((_ollama_chunks if ollama else _chunks)(payload, reply)):
            if count == reply.cut_after:
                self._cut()
                return
            self._write_chunk(f"{chunk}\n".encode() if ollama else f"data: {chunk}\n\n".encode())
            self._wait(reply.chunk_delay_s)
        if reply.hang:
            self._wait(float("inf"))
        if not reply.end_without_done and not ollama:
            self._write_chunk(b"data: [DONE]\n\n")
        self._write_chunk(b"")

    def _begin_chunks(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _write_chunk(self, data: bytes) -> None:
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        except OSError:
            self.server.script.dropped.set()
            raise _Gone from None

    def _wait(self, seconds: float) -> None:
        """Pause, but notice at once when the client hangs up or the server closes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.server.script.closing.is_set():
                raise _Gone
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.02))
            if readable and self._hung_up():
                self.server.script.dropped.set()
                raise _Gone

    def _hung_up(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _cut(self) -> None:
        """Drop the connection the hard way: the client sees a reset or an unfinished body."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _send_json(
        self, value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None, cut: bool = False
    ) -> None:
        self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})}, cut)

    def _send(self, body: bytes, status: int, headers: Mapping[str, str], cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._cut()


def hashed_vectors(texts: Sequence[str]) -> list[list[float]]:
    """Eight numbers between -1 and 1 that depend on each text alone; not of unit length."""
    digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
    return [[(byte - 127.5) / 127.5 for byte in digest[:8]] for digest in digests]


def _base64(row: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()


def _usage(payload: Mapping[str, Any], reply: Reply) -> dict[str, int]:
    prompt = sum(len(str(message.get("content")).split()) for message in payload.get("messages", []))
    answer = len((reply.text or "").split())
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _completion(payload: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text}
    choices = [{"index": 0, "message": message, "finish_reason": reply.finish_reason}] if reply.choices else []
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": payload.get("model"),
        "choices": choices,
        "usage": _usage(payload, reply),
    }


def _chunks(payload: Mapping[str, Any], reply: Reply) -> Iterator[str]:
    """The JSON of each streamed chunk: role, text, finish reason, usage (where it was asked for)."""
    common = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0, "model": payload.get("model")}

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> str:
        return json.dumps({**common, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    yield chunk({"role": "assistant", "content": None if reply.text is None else ""})
    if reply.thinking:
        yield chunk({"reasoning_content": reply.thinking})
    for piece in _pieces(reply) if reply.choices else ():
        yield chunk({"content": piece})
    if reply.end_without_done or reply.hang:
        return
    yield chunk({}, reply.finish_reason)
    if reply.usage and (payload.get("stream_options") or {}).get("include_usage"):
        yield json.dumps({**common, "choices": [], "usage": _usage(payload, reply)})


def _ollama_chunks(payload: Mapping[str, Any], reply: Reply) -> Iterator[str]:
    """The lines of Ollama's stream; the last one carries the reason and the counts."""

    def line(message: Mapping[str, Any]) -> str:
        return json.dumps({"model": payload.get("model"), "message": {"role": "assistant", **message}, "done": False})

    if reply.thinking:
        yield line({"content": "", "thinking": reply.thinking})
    for piece in _pieces(reply) if reply.choices else ():
        yield line({"content": piece})
    if not (reply.end_without_done or reply.hang):
        last = _ollama_reply(payload, reply)
        yield json.dumps({**last, "message": {"role": "assistant", "content": ""}})


def _ollama_reply(payload: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    usage = _usage(payload, reply)
    return {
        "model": payload.get("model"),
        "message": {"role": "assistant", "content": reply.text},
        "done": True,
        "done_reason": reply.finish_reason,
        "prompt_eval_count": usage["prompt_tokens"],
        "eval_count": usage["completion_tokens"],
    }


def _pieces(reply: Reply) -> Sequence[Any]:
    words = (reply.text or "").split(" ")
    return reply.pieces or [word if last else f"{word} " for word, last in _with_last(words)]


def _with_last(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    for index, word in enumerate(words):
        yield word, index == len(words) - 1
