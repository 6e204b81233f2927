"""Who may come in: programs with the key or a token; without any, this machine's own; never a page of another origin.

Any page that a person opens can send requests to the ports of their machine. It cannot hide where it comes from, and it
cannot send JSON without being asked first whether it may, which nothing here answers with yes.
"""

import logging
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memchat.errors import traceback_without_message
from memchat.servers.answers import failure
from memchat.servers.keys import EVERYBODY, Keys, Reach
from memchat.servers.page.session import FREE, LOGIN, PageSession, is_page
from memchat.servers.reach import reaching

log = logging.getLogger(__name__)

HEALTH = ("/health", "/ready")
MAX_BODY = 256 << 10
"""Bytes. What is sent is read by rules several times over, and a megabyte can keep them busy for a minute."""
MAX_COMPLETION = 32 << 20
"""Bytes of a request for a chat completion: a whole conversation, of which the last message alone is read by rules."""


class AccessMiddleware:
    """Lets requests through to `app`, or answers them itself; what breaks behind it is logged without its text.

    Where `keys` guard the server each must bring one, those for `HEALTH` excepted. Else each must name this machine by
    a loopback name, unless `everybody` is served: a page whose own name was turned to 127.0.0.1 (DNS rebinding) still
    sends its own. A token that is brought holds in any case.
    """

    def __init__(self, app: ASGIApp, keys: Keys, *, everybody: bool = False, page: PageSession | None = None) -> None:
        self._app = app
        self._page = page
        self._keys = keys
        self._any_name = everybody or keys.guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _use_path_alone(scope)
        headers = Headers(scope=scope)
        found = self._refusal(scope, headers) or self._reach(scope, headers)
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        try:
            most = MAX_COMPLETION if scope["path"] == "/v1/chat/completions" else MAX_BODY
            with reaching(found.owner):
                await self._app(scope, _bounded(receive, most), send)
        except Exception as error:
            log.error("%s", traceback_without_message(error))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to what nobody may send."""
        if "transfer-encoding" in headers and "content-length" in headers:
            return failure(scope, 400, "The request names two lengths of its body.", headers={"Connection": "close"})
        if not self._any_name and not is_loopback(_name(headers.get("host", ""))):
            return failure(
                scope, 403, "Without a key this server answers to loopback names alone.", "Call it by 127.0.0.1."
            )
        if _is_cross_origin(headers):
            return failure(scope, 403, "This server does not answer web pages of another origin.")
        if _repeats(scope["query_string"]):
            return failure(scope, 400, "A name stands twice in the query.", "Give each one once.")
        return None

    def _reach(self, scope: Scope, headers: Headers) -> Reach | Response:
        """Whose memories the client reaches, or the answer to one that brings no key."""
        given = self._keys.reach(_given_key(headers))
        if given is not None:
            return given
        if not self._keys.guarded or scope["path"] in HEALTH:
            return EVERYBODY
        if self._page is not None and is_page(scope["path"]):
            # A browser is sent to where it can give the key.
            by_cookie = EVERYBODY if scope["path"] in FREE else self._page.reach(headers.get("cookie", ""))
            return by_cookie or RedirectResponse(LOGIN, 303)
        hint = "Send it as Authorization: Bearer KEY, or as X-API-Key."
        return failure(scope, 401, "This server asks for its key.", hint, {"WWW-Authenticate": "Bearer"})


def _given_key(headers: Headers) -> bytes:
    """The key or token that a request brings, empty where it brings none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    given = token.strip(" ") if scheme.lower() in {"bearer", "token"} else headers.get("x-api-key", "")
    # Header values are bytes, which are read as Latin-1: as such the last byte of a letter may pass for a space.
    return given.encode("latin-1")


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive`, which raises HTTPException as soon as a body is too long, whatever length was announced."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(413, f"A body may have {most} bytes at most.")
        return message

    return bounded


def is_loopback(name: str) -> bool:
    """Whether `name`, an address or a host's name, means this machine whoever is asked."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _name(host: str) -> str:
    """The name in a Host header, without the port; nothing where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_cross_origin(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another origin. Of the scheme only a proxy before us would know."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return True
    return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def _use_path_alone(scope: Scope) -> None:
    """Take the host out of a request target in absolute form, as clients send it to proxies."""
    if str(scope["path"]).startswith(("http://", "https://")):
        scope["path"] = urlsplit(scope["path"]).path or "/"
        scope["raw_path"] = urlsplit(scope["raw_path"]).path or b"/"


def _repeats(query: bytes) -> bool:
    names = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    return len(set(names)) < len(names)
