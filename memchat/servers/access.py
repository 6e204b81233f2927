"""Access control: requests need the key or a token; without any set, only this machine is served; other origins never.

Any web page the user opens can send requests to local ports. It cannot hide its origin, and it cannot send JSON without
a CORS preflight, which this server never allows.
"""

import logging
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from memchat.errors import traceback_without_message
from memchat.servers.answers import failure
from memchat.servers.body_size import limit_body
from memchat.servers.keys import EVERYBODY, Keys, Reach
from memchat.servers.page.session import FREE, LOGIN, PageSession, is_page
from memchat.servers.reach import reaching

log = logging.getLogger(__name__)

HEALTH = ("/health", "/ready")


class AccessMiddleware:
    """Passes requests on to `app` or rejects them. Exceptions of `app` are logged without their messages.

    If `keys` guard the server, each request needs a key or token, except those for `HEALTH`. Otherwise the Host header
    must be a loopback name, unless `everybody` is served: after DNS rebinding a page still sends its own name. A token
    always limits a request to its owner's memories.
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
        if str(scope["path"]).startswith(("http://", "https://")):
            # A request target in absolute form, as clients send it to proxies.
            scope["path"] = urlsplit(scope["path"]).path or "/"
            scope["raw_path"] = urlsplit(scope["raw_path"]).path or b"/"
        headers = Headers(scope=scope)
        found = self._reach(scope, headers)
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        try:
            with reaching(found.owner):
                await self._app(scope, limit_body(receive, scope["path"]), send)
        except Exception as error:
            log.error("%s", traceback_without_message(error))

    def _reach(self, scope: Scope, headers: Headers) -> Reach | Response:
        """Return whose memories the client may reach, or the response to a request that is refused."""
        if "transfer-encoding" in headers and "content-length" in headers:
            return failure(scope, 400, "The request has two body lengths.", headers={"Connection": "close"})
        try:
            name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        except ValueError:
            name = ""
        if not self._any_name and not is_loopback(name):
            return failure(
                scope, 403, "Without a key this server accepts loopback names only.", "Use 127.0.0.1 in the address."
            )
        origin = headers.get("origin")
        # The scheme is not compared: behind a TLS proxy it is not known.
        foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
        if foreign or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return failure(scope, 403, "This server does not answer web pages of other origins.")
        names = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
        if len(set(names)) < len(names):
            return failure(scope, 400, "The query repeats a parameter.", "Give each parameter once.")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token.strip(" ") if scheme.lower() in {"bearer", "token"} else headers.get("x-api-key", "")
        # Header values are decoded as Latin-1; strip() without an argument would remove the last byte of some letters.
        if (given := self._keys.reach(key.encode("latin-1"))) is not None:
            return given
        if not self._keys.guarded or scope["path"] in HEALTH:
            return EVERYBODY
        if self._page is not None and is_page(scope["path"]):
            # A browser is redirected to the form for the key.
            by_cookie = EVERYBODY if scope["path"] in FREE else self._page.reach(headers.get("cookie", ""))
            return by_cookie or RedirectResponse(LOGIN, 303)
        hint = "Send it as Authorization: Bearer KEY, or as X-API-Key."
        return failure(scope, 401, "This server requires a key.", hint, {"WWW-Authenticate": "Bearer"})


def is_loopback(name: str) -> bool:
    """Return whether `name`, an address or a host name, always means this machine."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
