"""Ollama's own API: the one through which a window can be asked for, which Ollama's OpenAI-compatible one cannot."""

import os
from collections.abc import Generator, Mapping
from functools import cached_property
from typing import Any

from memchat.core.protocols import Usage
from memchat.llm.dialect import Dialect
from memchat.llm.endpoint import Endpoint
from memchat.llm.http_client import open_client, post_json
from memchat.llm.provider_apis import Server, server_of
from memchat.llm.provider_errors import not_a_reply
from memchat.llm.reply_reader import Piece, message_piece
from memchat.llm.server_window import ollama_window
from memchat.llm.transport import Call

_USUAL_WINDOW = 8192
"""The window requested at first, in tokens: windows take memory, and the model's largest may not fit."""
_LARGEST_WINDOW = 32_768
_REPLY_TOKENS = 2048
_BYTES_A_TOKEN = 3
_PROBE_TIMEOUT_S = 2.0


class OllamaTransport:
    """Implements `transport.Transport`. `context_tokens` is the window to ask for, else it grows with the prompts."""

    def __init__(self, endpoint: Endpoint, context_tokens: int | None = None) -> None:
        self._endpoint = endpoint
        self._context_tokens = context_tokens

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def dialect(self) -> Dialect:
        return Dialect()

    def window(self) -> int | None:
        """Return the window that Ollama reports, limited to what this machine's memory is likely to hold."""
        return self._window

    def pieces(self, call: Call) -> Generator[Piece, None, None]:
        window = self._context_tokens
        if not window:
            # The prompt and a reply must fit: Ollama's own default is small, and it cuts longer prompts without a word.
            # With another window than the last it loads the model again, so it is doubled.
            prompt = sum(len(message["content"].encode()) for message in call.messages)
            needed = prompt // _BYTES_A_TOKEN + (call.max_tokens or _REPLY_TOKENS)
            window = _USUAL_WINDOW
            while window < min(needed, _LARGEST_WINDOW):
                window *= 2
            window = min(window, self._window or _USUAL_WINDOW)
        options = {
            "num_ctx": window,
            "temperature": call.temperature if call.dialect.temperature else None,
            "num_predict": call.max_tokens if call.dialect.length else None,
        }
        body = {
            "model": self._server.model,
            "messages": call.messages,
            "stream": call.dialect.stream,
            "options": {name: value for name, value in options.items() if value is not None},
        }
        if (form := call.response_format()) is not None:
            body["format"] = form["json_schema"]["schema"] if form["type"] == "json_schema" else "json"
        for chunk in post_json(self._endpoint, f"{self._server.address}/api/chat", self._headers, body):
            yield self._piece(chunk or {})

    @cached_property
    def _server(self) -> Server:
        return server_of(self._endpoint, os.environ)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._server.key}"} if self._server.key else {}

    @cached_property
    def _window(self) -> int | None:
        timeout_s = min(self._endpoint.timeout_s, _PROBE_TIMEOUT_S)
        with open_client(self._server.address, self._headers, timeout_s) as client:
            found = ollama_window(client, self._server)
        return None if found is None else min(found, _LARGEST_WINDOW)

    def _piece(self, chunk: Mapping[str, Any]) -> Piece:
        try:
            usage = None
            if chunk.get("done") and "eval_count" in chunk:
                # The price is unknown: some of its models run in its cloud.
                usage = Usage(chunk.get("prompt_eval_count") or 0, chunk["eval_count"] or 0, None)
            finish = (chunk.get("done_reason") or "stop") if chunk.get("done") else None
            return message_piece(chunk.get("message") or {}, finish, usage)
        except (AttributeError, TypeError) as error:
            raise not_a_reply(self._endpoint) from error
