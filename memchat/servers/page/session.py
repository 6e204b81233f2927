"""How a browser proves itself: a cookie instead of the key, and a token in every form."""

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

COOKIE = "memchat"
LOGIN = "/login"
STYLE = "/page/style.css"
FREE = (LOGIN, STYLE)
"""Paths that need no key: to give it, one must get there."""


def is_page(path: str) -> bool:
    """Whether `path` is one of the page's, which a browser may open with its cookie."""
    return path == "/" or path.startswith("/page/") or path == LOGIN


class PageSession:
    """What the cookie and the forms of one server hold. Neither can be made without this process' secret."""

    def __init__(self, key: str | None) -> None:
        self._key = (key or "").encode()
        self._secret = secrets.token_bytes(32)
        self.guarded = key is not None

    @property
    def cookie(self) -> str:
        """The value of the cookie of who has given the key."""
        return self._signed(b"cookie")

    @property
    def token(self) -> str:
        """What every form brings: another site cannot read it."""
        return self._signed(b"form")

    def admits(self, cookies: str) -> bool:
        """Whether the Cookie header is that of who has given the key."""
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.cookie.encode())

    def is_key(self, given: str) -> bool:
        return self.guarded and hmac.compare_digest(given.encode(), self._key)

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _signed(self, purpose: bytes) -> str:
        return hmac.new(self._secret, purpose + self._key, hashlib.sha256).hexdigest()
