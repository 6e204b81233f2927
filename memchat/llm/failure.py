"""Describe a failed call from the exceptions of LiteLLM, of OpenAI's client and of httpx.

The class LiteLLM raises often hides the cause: a missing key, a refused connection, a page of HTML and a real 500 all
come as InternalServerError. So the chain of exceptions behind it is read.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from memchat.errors import MemchatError
from memchat.llm.endpoint import Endpoint
from memchat.llm.error_body import error_text

_VENDORS = frozenset({"litellm", "openai", "httpx", "httpcore", "httpx2", "httpcore2"})
_LONGEST_DETAIL = 200

_KEY_NAME = re.compile(r"_(KEY|TOKEN|SECRET)$")
_KEY_SHAPE = re.compile(r"\b(?:(?:sk|pk|rk|gsk|xai|hf|key)[-_]|AIza)[\w*.-]{4,}")
_CLASS_PREFIX = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception)\s*[:-]\s*)+")
_JSON_MESSAGE = re.compile(r'"(?:message|error)":\s*"((?:[^"\\]|\\.)+)"')
_CODE_PREFIX = re.compile(r"^error code: \d+ - ", re.IGNORECASE)


class ServerError(Exception):
    """An error status, or an error in place of a reply, of a server called without LiteLLM."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body))
        self.status_code = status
        self.body = body
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Failure:
    """The chain of exceptions, from the outermost to the root."""

    endpoint: Endpoint
    links: tuple[BaseException, ...]

    @classmethod
    def of(cls, endpoint: Endpoint, error: BaseException) -> "Failure":
        links: list[BaseException] = []
        link: BaseException | None = error
        while link is not None and link not in links and not isinstance(link, MemchatError):
            links.append(link)
            # httpcore raises `from None`, so a suppressed context is followed too: the refusal itself is behind it.
            link = getattr(link, "original_exception", None) or link.__cause__ or link.__context__
        return cls(endpoint, tuple(links))

    @property
    def of_a_provider(self) -> bool:
        """Return whether a provider failed, rather than memchat."""
        return any(
            isinstance(link, ServerError) or type(link).__module__.partition(".")[0] in _VENDORS for link in self.links
        )

    @property
    def status(self) -> int | None:
        """The HTTP status. LiteLLM makes one up for failures without a response."""
        statuses = (getattr(link, "status_code", None) for link in self.links)
        return next((status for status in statuses if isinstance(status, int)), None)

    @property
    def messages(self) -> str:
        """All messages and error codes of the chain, in lower case, to be searched and never shown.

        Up to version 2 of OpenAI's client the message repeats the provider's code; since version 3 only `code` has it.
        """
        found = [*map(str, self.links), *map(error_text, self._bodies())]
        for name in ("code", "param"):
            values = (getattr(link, name, None) for link in self.links)
            found += [value for value in values if isinstance(value, str)]
        return " ".join(found).lower()

    @property
    def detail(self) -> str:
        """The provider's message in one short line, without keys; empty if there is none."""
        text = next(filter(None, map(error_text, self._bodies())), None)
        if text is None:
            outermost = str(getattr(self.links[0], "message", self.links[0]))
            message = _CODE_PREFIX.sub("", _CLASS_PREFIX.sub("", outermost))
            quoted = _JSON_MESSAGE.search(message)
            text = quoted.group(1) if quoted else error_text(message)
        line = " ".join(masked(text, self.endpoint).split()).rstrip(".")
        return line if len(line) <= _LONGEST_DETAIL else line[:_LONGEST_DETAIL].rstrip() + "…"

    @property
    def class_names(self) -> set[str]:
        """The names of all classes in the chain and of their base classes."""
        return {parent.__name__ for link in self.links for parent in type(link).__mro__}

    def find(self, kind: type[BaseException]) -> bool:
        return any(isinstance(link, kind) for link in self.links)

    @property
    def url(self) -> str | None:
        """The address of the failed request, if an exception of the chain has it."""
        for link in self.links:
            # httpx keeps the request under a private name; its property raises where there is none.
            if url := getattr(getattr(link, "_request", None), "url", None):
                return str(url)
        return None

    @property
    def address(self) -> str:
        """Host and port of the failed request, or the model if they are unknown."""
        if self.url is None:
            return self.endpoint.api_base or self.endpoint.model
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def retry_after_s(self) -> float | None:
        """The wait that the provider asked for, in seconds, from the first exception that has its headers."""
        holders = (holder for link in self.links for holder in (link, getattr(link, "response", None)))
        found = (getattr(holder, name, None) for holder in holders for name in ("litellm_response_headers", "headers"))
        for headers in found:
            value = headers.get("retry-after") if isinstance(headers, Mapping) else None
            if value is None:
                continue
            # A number of seconds or a date (RFC 9110, 10.2.3).
            with suppress(ValueError):
                return max(0.0, float(value))
            with suppress(ValueError, TypeError):
                return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        return None

    def _bodies(self) -> Iterator[object]:
        for link in self.links:
            yield getattr(link, "body", None)
            # A response that was streamed has no content any more.
            yield getattr(getattr(link, "response", None), "_content", None)


def masked(text: str, endpoint: Endpoint) -> str:
    """Mask the key in use, all keys of the environment, and everything that looks like a key."""
    secrets = {value.strip() for name, value in os.environ.items() if _KEY_NAME.search(name)}
    secrets.add(endpoint.api_key or "")
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 6:
            text = text.replace(secret, "[key]")
    return _KEY_SHAPE.sub("[key]", text)
