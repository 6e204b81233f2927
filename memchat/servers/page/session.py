"""Authentication of browsers: a cookie in place of the key or token, and a token in every form."""

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from memchat.core.types import Scope
from memchat.servers.keys import EVERYBODY, Keys, Reach
from memchat.servers.tokens import token_hash

COOKIE = "memchat"
LOGIN = "/login"
STYLE = "/page/style.css"
FREE = (LOGIN, STYLE)
"""Paths that need no key, because users enter the key there."""
_KEY = "key"
"""Value in the cookie of a user who entered the key; for a token, it is the token's hash."""


def is_page(path: str) -> bool:
    """Return whether `path` belongs to the page, which a browser may open with its cookie."""
    return path == "/" or path.startswith("/page/") or path == LOGIN


class PageSession:
    """Creates and checks the cookies and form tokens of a server, which are signed with a secret of this process."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._secret = secrets.token_bytes(32)

    def cookie(self, given: str) -> str | None:
        """Return the cookie for the key or a user's token; None for any other text."""
        text = given.encode("utf-8", "surrogatepass")
        found = self._keys.reach(text)
        if found is None or (found.owner is not None and found.owner.kind is not Scope.USER):
            return None
        holder = _KEY if found == EVERYBODY else token_hash(text)
        return f"{holder}.{self._sign('cookie', holder)}"

    def reach(self, cookies: str) -> Reach | None:
        """Return the access that the Cookie header provides, or None, for example after a token was revoked."""
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return None
        if found is None:
            return None
        holder, _, signature = found.value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("cookie", holder).encode()):
            return None
        if holder == _KEY:
            return EVERYBODY
        owner = self._keys.tokens.owner_by_hash(holder)
        return None if owner is None else Reach(owner)

    def form_token(self, reach: Reach) -> str:
        """Return the token that every form must contain; other sites cannot read it."""
        owner = reach.owner
        return self._sign("form", "" if owner is None else f"{owner.kind} {owner.name}")

    def is_form_token(self, given: str, reach: Reach) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.form_token(reach).encode())

    def _sign(self, purpose: str, text: str) -> str:
        key = (self._keys.key or "").encode()
        message = f"{purpose} {text} ".encode("utf-8", "surrogatepass") + key
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()
