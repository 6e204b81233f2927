"""LiteLLM's failures in memchat's words.

The class LiteLLM raises often hides the cause: a missing key, a refused connection, a page of HTML and a real 500 all
come as InternalServerError. So the chain of exceptions behind it is read, the most telling cause first.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import JSONDecodeError

from memchat.errors import (
    BadReply,
    ContextOverflow,
    CredentialsError,
    MemchatError,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
)
from memchat.llm.litellm_setup import litellm

_VENDORS = frozenset({"litellm", "openai", "httpx", "httpcore", "httpx2", "httpcore2"})
_LONGEST_DETAIL = 200

_KEY_NAME = re.compile(r"_(KEY|TOKEN|SECRET)$")
_KEY_SHAPE = re.compile(r"\b(?:(?:sk|pk|rk|gsk|xai|hf|key)[-_]|AIza)[\w*.-]{4,}")
_CLASS_PREFIX = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception)\s*[:-]\s*)+")
_JSON_MESSAGE = re.compile(r'"(?:message|error)":\s*"((?:[^"\\]|\\.)+)"')
_NO_SUCH_MODEL = re.compile(
    r"llm provider not provided|invalid model|not a valid model|model\W.{0,80}(not found|does not exist|not supported)"
)
_NO_KEY = re.compile(r"missing credentials|api[_ ]key.{0,40}(must be|not) set|missing .{0,20}api key")
# The second is how the OpenAI client fails on a page of HTML where it expects vectors.
_NO_REPLY = re.compile(r"empty or invalid response|'str' object has no attribute")
_TOO_LONG = re.compile(r"context_length_exceeded|maximum context length|context window exceeded|prompt is too long")
_NO_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|insufficient.{0,10}(balance|credit)")

_CHECK_NETWORK = "Check the network and the address."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model and the way to it. `api_key` and `api_base` are None where LiteLLM finds them in the environment.

    `timeout_s` bounds the wait for the first byte and between two pieces of a reply, not the whole.
    """

    model: str
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    timeout_s: float = 60.0
    embeds: bool = False

    @property
    def another(self) -> str:
        """How to get another model, as the end of a hint."""
        if self.embeds:
            return "set another embedding model with MEMCHAT_EMBEDDING_MODEL"
        return "pick another model with --model; `memchat models` lists them"

    @property
    def provider(self) -> str:
        """What the name says before its first slash; a bare name stands for itself."""
        return self.model.partition("/")[0]

    @property
    def is_ollama(self) -> bool:
        return self.provider in {"ollama", "ollama_chat"}


@contextmanager
def translate_errors(endpoint: Endpoint) -> Iterator[None]:
    """Turn what LiteLLM and the libraries under it raise into `ModelError`s; everything else passes unchanged."""
    try:
        yield
    except MemchatError:
        raise
    except Exception as error:
        failure = _Failure(endpoint, _chain(error))
        if not failure.of_a_vendor:
            raise
        raise _classify(failure) from error


@dataclass(frozen=True, slots=True)
class _Failure:
    """What was raised, from the outside to the root."""

    endpoint: Endpoint
    links: tuple[BaseException, ...]

    @property
    def of_a_vendor(self) -> bool:
        return any(type(link).__module__.partition(".")[0] in _VENDORS for link in self.links)

    @property
    def status(self) -> int | None:
        """The HTTP status, or the one LiteLLM made up."""
        statuses = (getattr(link, "status_code", None) for link in self.links)
        return next((status for status in statuses if isinstance(status, int)), None)

    @property
    def messages(self) -> str:
        """All messages and error codes of the chain, in lower case, to be searched and never shown.

        Up to version 2 of OpenAI's client the message repeats the provider's code; since version 3 only `code` has it.
        """
        codes = (getattr(link, "code", None) for link in self.links)
        return " ".join([*map(str, self.links), *(code for code in codes if isinstance(code, str))]).lower()

    @property
    def detail(self) -> str:
        """What the provider said, in one short line, without keys."""
        text = _CLASS_PREFIX.sub("", str(getattr(self.links[0], "message", self.links[0])))
        if found := _JSON_MESSAGE.search(text):
            text = found.group(1)
        line = " ".join(masked(text, self.endpoint).split()).rstrip(".")
        return line if len(line) <= _LONGEST_DETAIL else line[:_LONGEST_DETAIL].rstrip() + "…"

    @property
    def class_names(self) -> set[str]:
        """The names of all classes in the chain and of those they derive from."""
        return {parent.__name__ for link in self.links for parent in type(link).__mro__}

    def find(self, kind: type[BaseException]) -> bool:
        return any(isinstance(link, kind) for link in self.links)


def masked(text: str, endpoint: Endpoint) -> str:
    """`text` without the key in use, any key of the environment, or anything that looks like a key."""
    secrets = {value for name, value in os.environ.items() if _KEY_NAME.search(name)}
    secrets.add(endpoint.api_key or "")
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 6:
            text = text.replace(secret, "[key]")
    return _KEY_SHAPE.sub("[key]", text)


def _chain(error: BaseException) -> tuple[BaseException, ...]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links and not isinstance(link, MemchatError):
        links.append(link)
        # httpcore raises `from None`, so a suppressed context is followed too: the refusal itself is behind it.
        link = getattr(link, "original_exception", None) or link.__cause__ or link.__context__
    return tuple(links)


def _classify(failure: _Failure) -> ModelError:
    for rule in (_no_key, _timeout, _no_connection, _not_a_reply, _broken_connection, _by_words, _by_status):
        if (error := rule(failure)) is not None:
            return error
    message = f"{failure.endpoint.model} refused the request: {failure.detail}."
    return ModelError(message, hint=f"Change what it complains about, or {failure.endpoint.another}.")


def _no_key(failure: _Failure) -> ModelError | None:
    if failure.status != 401 and not _NO_KEY.search(failure.messages):
        return None
    variable = _missing_variable(failure.endpoint)
    if variable is None:
        return None
    return CredentialsError(
        f"There is no API key for {failure.endpoint.model}.",
        hint=f"`export {variable}=…`, or {failure.endpoint.another}.",
    )


def _timeout(failure: _Failure) -> ModelError | None:
    if not failure.class_names & {"TimeoutException", "APITimeoutError"}:
        return None
    message = f"Nothing came from {failure.endpoint.model} for {failure.endpoint.timeout_s:g} s."
    return ModelTimeout(message, hint="Try again, or allow it more time.")


def _no_connection(failure: _Failure) -> ModelError | None:
    if "ConnectError" not in failure.class_names:
        return None
    lost, place = f"{failure.endpoint.model} cannot be reached", _address(failure)
    if failure.find(socket.gaierror):
        return ModelUnreachable(f"{lost}: the name of {place} cannot be resolved.", hint=_CHECK_NETWORK)
    if failure.find(ConnectionRefusedError):
        hint = "Start it with `ollama serve`" if failure.endpoint.is_ollama else "Check the server and its address"
        return ModelUnreachable(
            f"{lost}: nothing is listening at {place}.", hint=f"{hint}, or {failure.endpoint.another}."
        )
    return ModelUnreachable(f"{lost}: no connection to {place} ({failure.detail}).", hint=_CHECK_NETWORK)


def _not_a_reply(failure: _Failure) -> ModelError | None:
    if failure.find(JSONDecodeError) or _NO_REPLY.search(failure.messages):
        return not_a_reply(failure.endpoint)
    return None


def not_a_reply(endpoint: Endpoint) -> BadReply:
    """The error for an answer that is no answer of a model, such as a page of HTML."""
    return BadReply(
        f"What came back from {endpoint.model} is not a model's reply.",
        hint=f"Check the address (API base), or {endpoint.another}.",
    )


def _broken_connection(failure: _Failure) -> ModelError | None:
    if "TransportError" not in failure.class_names:
        return None
    return ModelUnreachable(f"The connection to {failure.endpoint.model} broke.", hint="Try again.")


def _by_words(failure: _Failure) -> ModelError | None:
    """Causes that providers report under various statuses."""
    model, another = failure.endpoint.model, failure.endpoint.another
    if failure.status == 402 or _NO_CREDIT.search(failure.messages):
        return ModelError(f"The account for {model} has no credit left.", hint=f"Top it up, or {another}.")
    if (
        failure.status == 413
        or "ContextWindowExceededError" in failure.class_names
        or _TOO_LONG.search(failure.messages)
    ):
        what, shorter = ("text", "Shorten it") if failure.endpoint.embeds else ("prompt", "Start a new session")
        return ContextOverflow(f"The {what} is too long for {model}.", hint=f"{shorter}, or {another}.")
    if failure.status == 404 or (failure.status == 400 and _NO_SUCH_MODEL.search(failure.messages)):
        return _unknown_model(failure)
    return None


def _unknown_model(failure: _Failure) -> ModelError:
    model, another = failure.endpoint.model, failure.endpoint.another
    if failure.endpoint.is_ollama:
        hint = f"`ollama pull {model.partition('/')[2]}`, or {another}."
    elif "/" not in model:
        hint = f"Names start with a provider, as in openai/{model}; {another}."
    else:
        hint = f"Check its name, or {another}."
    return ModelNotFound(f"There is no model {model}.", hint=hint)


def _by_status(failure: _Failure) -> ModelError | None:
    endpoint, status = failure.endpoint, failure.status or 0
    if status == 401:
        hint = f"Check the key{_of_variable(endpoint)}, or {endpoint.another}."
        return CredentialsError(f"The API key for {endpoint.model} was rejected.", hint=hint)
    if status == 403:
        return CredentialsError(
            f"The API key does not allow {endpoint.model}.", hint=f"Check what it may use, or {endpoint.another}."
        )
    if status == 429:
        wait_s = _retry_after(failure)
        asked = "" if wait_s is None else f" and asks to wait {wait_s:g} s"
        return RateLimited(
            f"{endpoint.model} takes no more requests for now{asked}.",
            hint=f"Try again later, or {endpoint.another}.",
            retry_after_s=wait_s,
        )
    if status >= 500:
        return ModelUnreachable(
            f"{endpoint.model} failed ({status}): {failure.detail}.",
            hint=f"Try again later, or {endpoint.another}.",
            retry_after_s=_retry_after(failure),
        )
    return None


def _missing_variable(endpoint: Endpoint) -> str | None:
    """The variable in which the provider's key would be found, where there is no key at all."""
    if endpoint.api_key:
        return None
    missing: list[str] = litellm().validate_environment(model=endpoint.model)["missing_keys"]
    return next((name for name in reversed(missing) if name.endswith("_API_KEY")), None)


def _of_variable(endpoint: Endpoint) -> str:
    variable = f"{endpoint.provider.upper()}_API_KEY"
    return f" in {variable}" if not endpoint.api_key and variable in os.environ else ""


def _address(failure: _Failure) -> str:
    """Host and port of the request that failed, or the model where no link of the chain carries them."""
    for link in failure.links:
        # httpx keeps the request under a private name; its property raises where there is none.
        url = getattr(getattr(link, "_request", None), "url", None)
        if url is not None:
            return f"{url.host}:{url.port}" if url.port else str(url.host)
    return failure.endpoint.api_base or failure.endpoint.model


def _retry_after(failure: _Failure) -> float | None:
    """The wait the provider asked for, in seconds, from the first link that carries its headers."""
    for link in failure.links:
        for holder in (link, getattr(link, "response", None)):
            for name in ("litellm_response_headers", "headers"):
                headers = getattr(holder, name, None)
                if isinstance(headers, Mapping) and (wait_s := _seconds(headers)) is not None:
                    return wait_s
    return None


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After`, which is a number of seconds or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
