"""Post JSON over httpx; the answer may come as server-sent events, as JSON lines or as one value."""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from memchat.llm.endpoint import Endpoint
from memchat.llm.failure import ServerError
from memchat.llm.http_proxy import proxy_for
from memchat.llm.provider_errors import not_a_reply

if TYPE_CHECKING:
    import ssl

    import httpx

_SSE_FIELDS = (b"event:", b":", b"id:", b"retry:")


def open_client(url: str, headers: Mapping[str, str], timeout_s: float) -> "httpx.Client":
    """Open a client for one call. It is not reused, since the pauses of a conversation outlast idle connections."""
    import httpx

    return httpx.Client(
        headers={"User-Agent": "memchat", **headers},
        timeout=timeout_s,
        # Making a context takes longer than a call to this machine, which does not need one.
        verify=_certificates() if url.startswith("https") else False,
        proxy=proxy_for(url),
        # memchat reads the environment's proxies itself.
        trust_env=False,
        follow_redirects=True,
    )


def post_json(
    endpoint: Endpoint, url: str, headers: Mapping[str, str], body: Mapping[str, Any]
) -> Generator[Mapping[str, Any] | None, None, None]:
    """Yield the JSON values of the answer as they arrive; None stands for the `[DONE]` of a stream.

    Closing the generator ends the connection. Raises ServerError for an error status and for an error in the answer.
    """
    with (
        open_client(url, headers, endpoint.timeout_s) as client,
        client.stream("POST", url, json=body) as response,
    ):
        if not response.is_success:
            response.read()
            raise ServerError(response.status_code, response.content, response.headers)
        for data in _json_texts(response.iter_bytes()):
            yield None if data == b"[DONE]" else _value(data, endpoint)


@cache
def _certificates() -> "ssl.SSLContext":
    """Load the certificates of the environment (SSL_CERT_FILE, SSL_CERT_DIR), else certifi's."""
    import httpx

    return httpx.create_ssl_context()


def _json_texts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the JSON texts of a body in any of the three forms."""
    value: list[bytes] = []
    for line in map(bytes.strip, _lines(pieces)):
        if not value and line.startswith(b"data:"):
            if data := line[5:].strip():
                yield data
        elif not value and (not line or line.startswith(_SSE_FIELDS)):
            continue
        elif not value and line.endswith(b"}"):
            yield line
        else:
            value.append(line)
    if value:
        yield b"\n".join(value)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Split at line feeds only, since JSON may contain Unicode's other line ends."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _value(data: bytes, endpoint: Endpoint) -> Mapping[str, Any]:
    """Parse a JSON object.

    Raises ServerError for an error that comes in place of a reply, or of a part of it, under a status of success.
    """
    try:
        value = json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff"))
    except ValueError as error:
        raise not_a_reply(endpoint) from error
    if not isinstance(value, Mapping):
        raise not_a_reply(endpoint)
    found = value if value.get("object") == "error" else value.get("error")
    if found:
        codes = [found.get(name) for name in ("code", "status", "status_code")] if isinstance(found, Mapping) else []
        status = next((code for code in codes if isinstance(code, int) and 400 <= code < 600), 400)
        raise ServerError(status, {"error": found})
    return value
