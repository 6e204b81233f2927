"""Translate failures of providers into memchat's errors, the most specific cause first, for every transport."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from memchat.errors import (
    BadReply,
    ContextOverflow,
    CredentialsError,
    MemchatError,
    ModelError,
    ModelLoading,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
)
from memchat.llm.dialect import refused_parameter
from memchat.llm.endpoint import Endpoint
from memchat.llm.failure import Failure
from memchat.llm.http_proxy import proxy_for
from memchat.llm.provider_apis import APIS, missing_key
from memchat.llm.retry import duration

_NO_SUCH_MODEL = re.compile(
    r"llm provider not provided|invalid model|not a valid model|model\W.{0,80}(not found|does not exist|not supported)"
)
_NO_KEY = re.compile(r"missing credentials|api[_ ]key.{0,40}(must be|not) set|missing .{0,20}api key")
_BAD_KEY = re.compile(
    r"(invalid|incorrect|wrong|bad|expired|revoked).{0,12}\bapi[-_ ]?key|\bapi[-_ ]?key\b.{0,30}"
    r"(not valid|invalid|incorrect|expired|revoked|not found)|authentication_?error|"
    r"invalid.{0,12}(authentication|token)"
)
# The second is how the OpenAI client fails on a page of HTML where it expects vectors.
_NO_REPLY = re.compile(r"empty or invalid response|'str' object has no attribute")
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context window exceeded|prompt is too long|"
    r"exceed\w*.{0,40}(context (size|length|window)|maximum number of tokens)|input is too long|"
    r"(greater|longer|larger) than the (context|maximum)|"
    r"context (length|size|window).{0,60}(exceed|overflow|too (small|short))"
)
_NO_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|insufficient.{0,10}(balance|credit|funds)")
_LOADING = re.compile(
    r"loading\b.{0,20}\bmodel|model\b.{0,80}\b(is|being|still|currently)\b.{0,20}\bload(ing|ed)\b|warming up|cold start"
)
_REFUSING = {400, 404, 405, 415, 422, 500, 501}
"""Statuses under which servers refuse a parameter."""

_CHECK_NETWORK = "Check the network and the address."
_CHECK_PROXY = "Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name the server in NO_PROXY."


class RequestRefused(ModelError):
    """The server refused the request. `complaint` is its message, in lower case, to be searched."""

    def __init__(self, message: str, *, hint: str, complaint: str, status: int | None) -> None:
        super().__init__(message, hint=hint)
        self.complaint = complaint
        self.status = status

    @property
    def named(self) -> bool:
        """Return whether the complaint names a parameter that can be left out."""
        return refused_parameter(self.complaint) is not None


@contextmanager
def translate_errors(endpoint: Endpoint) -> Iterator[None]:
    """Translate errors of the libraries under an adapter into `ModelError`s; others pass unchanged."""
    try:
        yield
    except MemchatError:
        raise
    except Exception as error:
        failure = Failure.of(endpoint, error)
        if not failure.of_a_provider:
            raise
        rules = (_no_key, _no_answer, _broken_answer, _by_words, _by_status, _refused)
        raise next(filter(None, (rule(failure) for rule in rules))) from error


def not_a_reply(endpoint: Endpoint) -> BadReply:
    """Return the error for an answer that is not a model's, such as a page of HTML."""
    return BadReply(
        f"{endpoint.model} sent something that is not a model's reply.",
        hint=f"Check the address (API base), or {endpoint.another}.",
    )


def cut_off(endpoint: Endpoint) -> BadReply:
    """Return the error for a reply whose end did not arrive."""
    return BadReply(f"The reply of {endpoint.model} was cut off.", hint="Ask again.")


def _refused(failure: Failure) -> RequestRefused:
    detail = failure.detail or f"it answered with status {failure.status}"
    return RequestRefused(
        f"{failure.endpoint.model} refused the request: {detail}.",
        hint=f"Change the rejected setting, or {failure.endpoint.another}.",
        complaint=failure.messages,
        status=failure.status,
    )


def _no_key(failure: Failure) -> ModelError | None:
    """Name the variable for the provider's key, if there is no key at all."""
    endpoint = failure.endpoint
    if endpoint.api_key or (failure.status != 401 and not _NO_KEY.search(failure.messages)):
        return None
    if endpoint.provider in APIS:
        variable = APIS[endpoint.provider].key_variable
        return None if os.environ.get(variable, "").strip() else missing_key(endpoint, variable)
    from memchat.llm.litellm_setup import litellm

    missing: list[str] = litellm().validate_environment(model=endpoint.model)["missing_keys"]
    named = next((name for name in reversed(missing) if name.endswith("_API_KEY")), None)
    return None if named is None else missing_key(endpoint, named)


def _no_answer(failure: Failure) -> ModelError | None:
    """Recognise a time-out and a connection that could not be made."""
    if failure.class_names & {"TimeoutException", "APITimeoutError"}:
        message = f"{failure.endpoint.model} sent nothing for {failure.endpoint.timeout_s:g} s."
        return ModelTimeout(message, hint="Try again, or allow it more time (MEMCHAT_TIMEOUT_S).")
    lost = f"{failure.endpoint.model} cannot be reached"
    if "ProxyError" in failure.class_names:
        return ModelUnreachable(f"{lost}: the proxy refused ({failure.detail}).", hint=_CHECK_PROXY)
    if "ConnectError" not in failure.class_names:
        return None
    proxy = proxy_for(failure.url) if failure.url else None
    place = f"the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}" if proxy else failure.address
    check = _CHECK_PROXY if proxy else _CHECK_NETWORK
    if failure.find(socket.gaierror):
        return ModelUnreachable(f"{lost}: the name of {place} cannot be resolved.", hint=check)
    if failure.find(ConnectionRefusedError):
        start = "Start it with `ollama serve`" if failure.endpoint.is_ollama else "Check the server and its address"
        hint = check if proxy else f"{start}, or {failure.endpoint.another}."
        return ModelUnreachable(f"{lost}: nothing is listening at {place}.", hint=hint)
    return ModelUnreachable(f"{lost}: no connection to {place} ({failure.detail}).", hint=check)


def _broken_answer(failure: Failure) -> ModelError | None:
    """Recognise an answer that is not a model's, and one that the connection lost."""
    if any(type(link).__name__ == "JSONDecodeError" for link in failure.links) or _NO_REPLY.search(failure.messages):
        return not_a_reply(failure.endpoint)
    if "TransportError" in failure.class_names:
        return ModelUnreachable(f"The connection to {failure.endpoint.model} broke.", hint="Try again.")
    return None


def _by_words(failure: Failure) -> ModelError | None:
    """Recognise causes that providers report under various statuses."""
    model, another, words = failure.endpoint.model, failure.endpoint.another, failure.messages
    if failure.status == 402 or _NO_CREDIT.search(words):
        return ModelError(f"The account for {model} has no credit left.", hint=f"Top it up, or {another}.")
    if failure.status == 413 or "ContextWindowExceededError" in failure.class_names or _TOO_LONG.search(words):
        if failure.endpoint.embeds:
            return ContextOverflow(f"The text is too long for {model}.", hint=f"Shorten it, or {another}.")
        hint = f"Set MEMCHAT_CONTEXT_TOKENS to its limit, start a new conversation, or {another}."
        return ContextOverflow(f"The prompt is too long for {model}.", hint=hint)
    if failure.status in _REFUSING and refused_parameter(words):
        return _refused(failure)
    if failure.status == 404 or (failure.status == 400 and _NO_SUCH_MODEL.search(words)):
        hint = f"Check its name, or {another}."
        if failure.endpoint.is_ollama:
            hint = f"`ollama pull {model.partition('/')[2]}`, or {another}."
        elif "/" not in model:
            hint = f"Names start with a provider, as in openai/{model}; {another}."
        return ModelNotFound(f"There is no model {model}.", hint=hint)
    if failure.status in {400, 403} and _BAD_KEY.search(words):
        return _rejected_key(failure.endpoint)
    if failure.status in {500, 502, 503} and _LOADING.search(words):
        return ModelLoading(f"{model} is still being loaded by its server.", hint="Try again later.")
    return None


def _by_status(failure: Failure) -> ModelError | None:
    endpoint, status = failure.endpoint, failure.status or 0
    if status == 401:
        return _rejected_key(endpoint)
    if status == 403:
        return CredentialsError(
            f"The API key does not allow {endpoint.model}.", hint=f"Check the key's permissions, or {endpoint.another}."
        )
    if status == 429:
        wait_s = failure.retry_after_s
        asked = "" if wait_s is None else f" and asks to wait {duration(wait_s)}"
        return RateLimited(
            f"{endpoint.model} accepts no more requests for now{asked}.",
            hint=f"Try again later, or {endpoint.another}.",
            retry_after_s=wait_s,
        )
    if status >= 500:
        said = f": {failure.detail}" if failure.detail else ""
        return ModelUnreachable(
            f"{endpoint.model} failed ({status}){said}.",
            hint=f"Try again later, or {endpoint.another}.",
            retry_after_s=failure.retry_after_s,
        )
    return None


def _rejected_key(endpoint: Endpoint) -> CredentialsError:
    variable = f"{endpoint.provider.upper()}_API_KEY"
    place = f" in {variable}" if not endpoint.api_key and variable in os.environ else ""
    hint = f"Check the key{place}, or {endpoint.another}."
    return CredentialsError(f"The API key for {endpoint.model} was rejected.", hint=hint)
