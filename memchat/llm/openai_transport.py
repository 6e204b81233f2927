"""OpenAI's chat API, spoken over httpx.

Importing LiteLLM takes 3 s of CPU before the first answer, OpenAI's own client 0.5 s, httpx 0.1 s. The price is about
500 lines: this module, `ollama_transport`, `http_client`, `provider_apis`, `model_table`.
"""

import os
from collections.abc import Generator, Mapping
from functools import cached_property
from typing import Any

from memchat.core.protocols import Usage
from memchat.llm.dialect import Dialect
from memchat.llm.endpoint import Endpoint
from memchat.llm.error_body import error_text
from memchat.llm.failure import ServerError
from memchat.llm.http_client import open_client, post_json
from memchat.llm.model_table import ModelTable
from memchat.llm.provider_apis import Server, server_of
from memchat.llm.provider_errors import not_a_reply
from memchat.llm.reply_reader import Piece, message_piece
from memchat.llm.server_window import server_window
from memchat.llm.transport import Call

_ACCOUNT_HEADERS = {
    "OpenAI-Organization": ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION"),
    "OpenAI-Project": ("OPENAI_PROJECT_ID",),
}
_ROUTE = "/chat/completions"
_PROBE_TIMEOUT_S = 2.0


class OpenAITransport:
    """Implements `transport.Transport` for the providers in `provider_apis` but Ollama."""

    def __init__(self, endpoint: Endpoint, table: ModelTable) -> None:
        self._endpoint = endpoint
        self._table = table
        self._route: str | None = None

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def dialect(self) -> Dialect:
        """OpenAI's newer models refuse the parameter that all other servers know."""
        hosted = self._endpoint.provider == "openai" and not self._server.own
        return Dialect(length="max_completion_tokens") if hosted else Dialect()

    def window(self) -> int | None:
        """Return the window from the table for a provider's model, or from the server for others."""
        known = self._table.window(self._endpoint.model)
        if known is not None or not (self._server.own or self._server.local):
            return known
        timeout_s = min(self._endpoint.timeout_s, _PROBE_TIMEOUT_S)
        with open_client(self._server.address, self._headers, timeout_s) as client:
            return server_window(client, self._server)

    def pieces(self, call: Call) -> Generator[Piece, None, None]:
        body = {"model": self._server.model, "messages": call.messages, **call.parameters()}
        for url in self._routes():
            try:
                for chunk in post_json(self._endpoint, url, self._headers, body):
                    self._route = url
                    yield self._piece(chunk)
                return
            except ServerError as error:
                # The server may know no such model rather than no such route.
                wrong_route = error.status_code in {404, 405} and "model" not in error_text(error.body).lower()
                if url == self._routes()[-1] or not wrong_route:
                    raise

    @cached_property
    def _server(self) -> Server:
        return server_of(self._endpoint, os.environ)

    @cached_property
    def _headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._server.key}"} if self._server.key else {}
        if self._endpoint.provider == "openai":
            for header, variables in _ACCOUNT_HEADERS.items():
                if value := next(filter(None, (os.environ.get(name, "").strip() for name in variables)), None):
                    headers[header] = value
        return headers

    def _routes(self) -> list[str]:
        """Return the addresses to try, in order. An address without a path mostly lacks its /v1."""
        address = self._server.address
        if self._route:
            return [self._route]
        return [address + _ROUTE] if address.count("/") > 2 else [f"{address}/v1{_ROUTE}", address + _ROUTE]

    def _piece(self, chunk: Mapping[str, Any] | None) -> Piece:
        if chunk is None:
            return Piece(finish="stop")
        try:
            choice = next(iter(chunk.get("choices") or ()), None) or {}
            message = choice.get("delta") or choice.get("message") or {}
            finish = choice.get("finish_reason") or ("stop" if choice.get("message") else None)
            usage = chunk.get("usage")
            if not usage:
                return message_piece(message, finish, None)
            prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            cost = self._table.cost_usd(self._endpoint.model, prompt, completion, cached)
            return message_piece(message, finish, Usage(prompt, completion, cost))
        except (AttributeError, TypeError) as error:
            raise not_a_reply(self._endpoint) from error
