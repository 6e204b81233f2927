"""How failures of providers arrive through LiteLLM and OpenAI's client: recorded from several releases of them.

    python -m tests.llm.error_forms

adds to `error_forms.json` what the installed releases raise for each of CASES. Names, bases, messages and statuses are
kept of every exception in the chain, so that a test can raise it again without those releases.
"""

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from memchat.errors import (
    BadReply,
    ContextOverflow,
    CredentialsError,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
)
from memchat.llm.litellm_setup import litellm
from tests.scripted_server import Reply, ScriptedServer

FILE = Path(__file__).with_suffix(".json")
KEY = "sk-scripted-0123456789"
NOTHING_LISTENS = "http://127.0.0.1:9/v1"
NO_SUCH_HOST = "http://no-such-host.invalid/v1"
_OF_PYTHON = frozenset({"builtins", "socket", "json.decoder"})
"""Modules whose classes are raised themselves; those of other modules are made up with the same names."""


def _body(text: str, status: int) -> Reply:
    return Reply(body=text.encode(), status=status)


@dataclass(frozen=True, slots=True)
class Case:
    """What goes wrong, and the error that is to tell it."""

    reply: Reply | None
    error: type[ModelError]
    message: str
    model: str = "openai/scripted"
    api_base: str | None = None
    api_key: str | None = KEY


CASES: Mapping[str, Case] = {
    "long prompt, code": Case(
        Reply(status=400, error={"message": "way too long", "code": "context_length_exceeded"}),
        ContextOverflow,
        "prompt is too long",
    ),
    "long prompt, words": Case(
        Reply(status=400, error={"message": "This model's maximum context length is 8192 tokens."}),
        ContextOverflow,
        "prompt is too long",
    ),
    "long prompt, Anthropic": Case(
        _body(
            '{"type": "error", "error": {"type": "invalid_request_error",'
            ' "message": "prompt is too long: 210000 tokens > 200000 maximum"}}',
            400,
        ),
        ContextOverflow,
        "prompt is too long",
        "anthropic/claude-haiku-4-5",
    ),
    "no credit, code": Case(
        Reply(status=429, error={"message": "Stop.", "code": "insufficient_quota"}), ModelError, "no credit left"
    ),
    "no credit, words": Case(
        Reply(status=429, error={"message": "You exceeded your current quota"}), ModelError, "no credit left"
    ),
    "unknown model": Case(
        Reply(status=404, error={"message": "The model `scripted` does not exist", "code": "model_not_found"}),
        ModelNotFound,
        "no model openai/scripted",
    ),
    "unknown model, status 400": Case(
        Reply(status=400, error={"message": "The model `scripted` does not exist"}), ModelNotFound, "no model"
    ),
    "unknown model, Ollama": Case(
        _body('{"error": "model \'scripted\' not found"}', 404), ModelNotFound, "no model", "ollama_chat/scripted"
    ),
    "rejected key": Case(Reply(status=401, error={"message": "Bad key."}), CredentialsError, "was rejected"),
    "forbidden": Case(Reply(status=403, error={"message": "Not for you."}), CredentialsError, "does not allow"),
    "no key": Case(None, CredentialsError, "no API key", api_key=None),
    "busy": Case(Reply(status=429, headers={"Retry-After": "7"}), RateLimited, "asks to wait 7 s"),
    "broken": Case(Reply(status=500), ModelUnreachable, r"failed \(500\)"),
    "other": Case(Reply(status=400, error={"message": "No such dial."}), ModelError, "refused the request: No such"),
    "page of HTML": Case(Reply(body=b"<html>hi</html>", content_type="text/html"), BadReply, "not a model's reply"),
    "broken JSON": Case(Reply(body=b"{oops"), BadReply, "not a model's reply"),
    "cut off": Case(Reply(cut_after=0), ModelUnreachable, "connection to openai/scripted broke"),
    "silence": Case(Reply(text="", hang=True), ModelTimeout, "sent nothing"),
    "refused": Case(None, ModelUnreachable, "nothing is listening", api_base=NOTHING_LISTENS),
    "no such host": Case(None, ModelUnreachable, "cannot be resolved", api_base=NO_SUCH_HOST),
}


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain: its class and those it derives from, nearest first, what it says and carries."""

    kinds: Sequence[str]
    text: str
    message: str | None
    status_code: int | None
    code: str | None
    retry_after: str | None


def recorded() -> Mapping[str, Mapping[str, Sequence[Link]]]:
    """Chains by release and by case, from the outside in."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        release: {name: [Link(**link) for link in chain] for name, chain in cases.items()}
        for release, cases in found.items()
    }


def rebuilt(chain: Sequence[Link]) -> Exception:
    """An exception like the recorded one, with its causes."""
    error: BaseException | None = None
    for link in reversed(chain):
        outer = _raised(link)
        outer.__cause__, error = error, outer
    assert isinstance(error, Exception)
    return error


def _raised(link: Link) -> BaseException:
    kind: type[BaseException] = Exception
    for name in reversed(link.kinds):
        module, _, short = name.rpartition(".")
        if module in _OF_PYTHON:
            kind = getattr(importlib.import_module(module), short)
        else:
            kind = type(short, (kind,), {"__module__": module})
    error = kind.__new__(kind)
    error.args = (link.text,)
    headers = None if link.retry_after is None else {"retry-after": link.retry_after}
    carried = {"message": link.message, "status_code": link.status_code, "code": link.code, "headers": headers}
    for attribute, value in carried.items():
        if value is not None:
            setattr(error, attribute, value)
    return error


def _main() -> None:
    """Record the installed releases."""
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL"))]:
        del os.environ[name]
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    release = f"litellm {version('litellm')}, openai {version('openai')}"
    with ScriptedServer() as server:
        found[release] = {name: [asdict(link) for link in _chain(server, case)] for name, case in CASES.items()}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(release)


def _chain(server: ScriptedServer, case: Case) -> list[Link]:
    if case.reply is not None:
        server.enqueue(case.reply)
    ollama = case.model.startswith("ollama")
    base = case.api_base or (server.origin if ollama or case.model.startswith("anthropic") else server.base_url)
    try:
        litellm().completion(
            model=case.model,
            messages=[{"role": "user", "content": "Hello"}],
            api_key=case.api_key,
            api_base=base,
            timeout=1.0,
            max_retries=0,
        )
    except Exception as error:
        return [_link(link, server) for link in _causes(error)]
    raise AssertionError(f"{case} did not fail")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = getattr(error, "original_exception", None) or error.__cause__ or error.__context__


def _link(error: BaseException, server: ScriptedServer) -> Link:
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    response: Any = getattr(error, "response", None)
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}

    def steady(value: Any) -> str | None:
        return value.replace(server.origin, "http://127.0.0.1:1") if isinstance(value, str) else None

    return Link(
        kinds[: kinds.index("builtins.Exception")] if "builtins.Exception" in kinds else kinds,
        steady(str(error)) or "",
        steady(getattr(error, "message", None)),
        status if isinstance(status := getattr(error, "status_code", None), int) else None,
        steady(getattr(error, "code", None)),
        headers.get("retry-after"),
    )


if __name__ == "__main__":
    _main()
