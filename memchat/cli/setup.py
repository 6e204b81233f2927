"""`memchat setup`: choose a model, try it with one call, and keep what that took."""

import getpass
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from memchat.cli.options import User
from memchat.cli.output import KeyValues, Line, Result, one_line, print_note, show
from memchat.config import Settings, load_settings
from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.errors import ConfigError, MemchatError, UsageError
from memchat.llm.endpoint import is_loopback
from memchat.llm.providers import PROVIDERS, Provider, ollama_address, ollama_models
from memchat.llm.server_models import server_models
from memchat.text.encoding import decode_settings

_TEST_TOKENS = 256
"""Room for a short word, also for a model that thinks before it answers."""
_MOST_MODELS = 20
"""More than these would push the question off the screen; a name can be typed."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What was chosen: a model, and the variables that it needs and that are not set yet."""

    model: str
    variables: tuple[tuple[str, str], ...] = ()


def setup(*, user: User = None) -> Result:
    """Choose a model step by step, try it with one call, and save the choice.

    The model goes to config.toml and a key to .env, both in memchat's home and readable by you alone. Keys that are set
    in your environment stay there.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "memchat setup asks questions, and there is no terminal to ask on.",
            hint="Set a variable instead, for example OPENAI_API_KEY; memchat models lists them.",
        )
    settings = load_settings(user=user)
    chosen = _chosen()
    problem = _tried(settings, chosen)
    if problem is not None and not _agreed("Save it all the same?"):
        return Result(None, (), ("Nothing was saved.",), exit_code=problem.exit_code)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in chosen.variables:
        _save_variable(settings.home / ".env", name, value)
    _save_setting(settings.config_file, "model", chosen.model)
    saved = [("model", f"{chosen.model}, in {settings.config_file}")]
    saved += [(name, f"in {settings.home / '.env'}") for name, _ in chosen.variables]
    return Result(None, (Line("Saved.", "bold"), KeyValues(saved), Line("Start with: memchat")))


# Questions.


def _chosen() -> Setup:
    local = ollama_models(ollama_address(os.environ))
    options = [(provider.label, _state(provider)) for provider in PROVIDERS]
    options.append(("Ollama", f"running, with {len(local)} models" if local else "not running, or without a model"))
    options.append(("another server", "any address that speaks OpenAI's protocol"))
    rows = [(f"{number:>2}", f"{name:<14}  {state}") for number, (name, state) in enumerate(options, 1)]
    show([Line("Which model is to answer?", "bold"), KeyValues(rows)], sys.stderr)
    number = _number("Number", len(options))
    if number <= len(PROVIDERS):
        return _hosted(PROVIDERS[number - 1])
    return _ollama(local) if number == len(PROVIDERS) + 1 else _server()


def _state(provider: Provider) -> str:
    return f"{provider.key} is set" if provider.has_key(os.environ) else f"needs a key ({provider.key})"


def _hosted(provider: Provider) -> Setup:
    variables: tuple[tuple[str, str], ...] = ()
    if not provider.has_key(os.environ):
        variables = ((provider.key, _secret(f"{provider.key} (not shown)")),)
    return Setup(_asked("Model", provider.chat), variables)


def _ollama(local: Sequence[str]) -> Setup:
    if not local:
        raise UsageError(
            "No chat model of Ollama was found.",
            hint="Install it from ollama.com, run `ollama pull llama3.2`, then memchat setup again.",
        )
    show([KeyValues([(f"{number:>2}", name) for number, name in enumerate(local, 1)])], sys.stderr)
    return Setup(f"ollama_chat/{local[_number('Number', len(local)) - 1]}")


def _server() -> Setup:
    address = _whole_address(_asked("Address, as http://127.0.0.1:8080/v1", ""))
    key = _secret("Key (not shown; empty where the server wants none)", needed=False) or "none"
    listed = server_models(address, key)[:_MOST_MODELS]
    if listed:
        show([KeyValues([(f"{number:>2}", one_line(name)) for number, name in enumerate(listed, 1)])], sys.stderr)
    name = _asked("Model, by number or name" if listed else "Model, as the server names it", "".join(listed[:1]))
    if name.isdecimal() and 1 <= int(name) <= len(listed):
        name = listed[int(name) - 1]
    if not name:
        raise UsageError("No model was named. Nothing was saved.")
    return Setup(f"openai/{name.removeprefix('openai/')}", (("OPENAI_API_BASE", address), ("OPENAI_API_KEY", key)))


def _whole_address(typed: str) -> str:
    """`typed` with http:// or https:// in front. Raises UsageError for what names no host."""
    if typed and "://" not in typed:
        host = urlsplit(f"//{typed}").hostname or ""
        typed = f"{'http' if is_loopback(host) else 'https'}://{typed}"
    parts = urlsplit(typed)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError("That is no address of a server. Nothing was saved.", hint="As in: http://127.0.0.1:8080/v1")
    return typed


def _number(question: str, most: int) -> int:
    text = _asked(question, "")
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise UsageError(f"It must be a number from 1 to {most}. Nothing was saved.")
    return int(text)


def _asked(question: str, usual: str) -> str:
    sys.stderr.write(f"{question}{f' [{usual}]' if usual else ''}: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip() or usual


def _secret(question: str, *, needed: bool = True) -> str:
    key = getpass.getpass(f"{question}: ", stream=sys.stderr).strip()
    if needed and not key:
        raise UsageError("No key was given. Nothing was saved.")
    return key


def _agreed(question: str) -> bool:
    return _asked(f"{question} [y/N]", "").lower() in {"y", "yes"}


# The call.


def _tried(settings: Settings, chosen: Setup) -> MemchatError | None:
    """Ask the model for a word. What went wrong is said and returned."""
    from memchat.app import App

    print_note(f"Asking {chosen.model} for a word…")
    os.environ.update(chosen.variables)
    request = ModelRequest([PromptMessage(Role.USER, "Reply with the word OK.")], max_tokens=_TEST_TOKENS)
    try:
        with App(replace(settings, retries=0)) as app:
            app.model(chosen.model).complete(request)
    except MemchatError as error:
        print_note(f"{error.message} {error.hint or ''}".strip(), "bold")
        return error
    print_note("It answers.")
    return None


# Files.


def _save_setting(path: Path, name: str, value: str) -> None:
    """Set `name` in the settings file at `path`, and leave all else in it as it is."""
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    text = decode_settings(path.read_bytes()) if path.exists() else ""
    tables = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    head, tail = (text[: tables.start()], text[tables.start() :]) if tables else (text, "")
    written = re.compile(rf"^[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*=.*$", re.MULTILINE)
    head = written.sub(lambda match: line, head, count=1) if written.search(head) else f"{line}\n{head}"
    _write_private(path, head + tail)


def _save_variable(path: Path, name: str, value: str) -> None:
    """Set the variable `name` in the `.env` file at `path`, and leave all else in it as it is."""
    quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    lines = decode_settings(path.read_bytes()).splitlines() if path.exists() else []
    kept = [line for line in lines if not re.match(rf"\s*(?:export\s+)?{re.escape(name)}\s*=", line)]
    _write_private(path, "\n".join([*kept, f"{name}={quoted}"]) + "\n")


def _write_private(path: Path, text: str) -> None:
    """Replace the file at once, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
