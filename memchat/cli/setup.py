"""`memchat setup`: choose a model, test it with one call, and save the choice."""

import getpass
import json
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from memchat.cli.options import User
from memchat.cli.output import KeyValues, Line, Result, one_line, print_note, show
from memchat.config import load_settings
from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.errors import ConfigError, MemchatError, UsageError
from memchat.llm.endpoint import is_loopback
from memchat.llm.model_choice import PROVIDERS, ollama_address, ollama_models
from memchat.llm.server_models import server_models
from memchat.private_files import private_folder, write_private
from memchat.text.decoding import decode_settings

_TEST_TOKENS = 256
"""Token limit of the test call: enough for a short word, even after some reasoning."""
_MOST_MODELS = 20
"""Maximum number of models in the list; more would push the question off the screen."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The chosen model, and the environment variables it needs that are not set yet."""

    model: str
    variables: tuple[tuple[str, str], ...] = ()


def setup(*, user: User = None) -> Result:
    """Choose a model step by step, test it with one call, and save the choice.

    The model is saved in config.toml and the key in .env, both in memchat's home and readable only by you. Keys that
    are set in your environment are not saved.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "memchat setup asks questions, and there is no terminal to ask on.",
            hint="Set a variable instead, for example OPENAI_API_KEY; memchat models lists them.",
        )
    settings = load_settings(user=user)
    chosen = _choose()
    from memchat.app import App

    print_note(f"Testing {chosen.model}…")
    os.environ.update(chosen.variables)
    request = ModelRequest([PromptMessage(Role.USER, "Reply with the word OK.")], max_tokens=_TEST_TOKENS)
    try:
        with App(replace(settings, retries=0)) as app:
            app.model(chosen.model).complete(request)
        print_note("The model answers.")
    except MemchatError as error:
        print_note(f"{error.message} {error.hint or ''}".strip(), "bold")
        if _ask("Save it anyway? [y/N]", "").lower() not in {"y", "yes"}:
            return Result(None, (), ("Nothing was saved.",), exit_code=error.exit_code)
    private_folder(settings.home)
    for name, value in chosen.variables:
        _save_variable(settings.home / ".env", name, value)
    _save_setting(settings.config_file, "model", chosen.model)
    saved = [("model", f"{chosen.model}, in {settings.config_file}")]
    saved += [(name, f"in {settings.home / '.env'}") for name, _ in chosen.variables]
    return Result(None, (Line("Saved.", "bold"), KeyValues(saved), Line("Start with: memchat")))


# Questions.


def _choose() -> Setup:
    pulled = ollama_models(ollama_address(os.environ))
    options = [(p.label, f"{p.key} is set" if p.has_key(os.environ) else f"needs a key ({p.key})") for p in PROVIDERS]
    options.append(("Ollama", f"running, with {len(pulled)} models" if pulled else "not running, or without models"))
    options.append(("another server", "any address with an OpenAI-compatible API"))
    rows = [(f"{number:>2}", f"{name:<14}  {state}") for number, (name, state) in enumerate(options, 1)]
    show([Line("Which provider do you want to use?", "bold"), KeyValues(rows)], sys.stderr)
    number = _ask_number("Number", len(options))
    if number == len(PROVIDERS) + 1:
        if not pulled:
            raise UsageError(
                "No Ollama chat model was found.",
                hint="Install Ollama from ollama.com, run `ollama pull llama3.2`, then run memchat setup again.",
            )
        show([KeyValues([(f"{number:>2}", name) for number, name in enumerate(pulled, 1)])], sys.stderr)
        return Setup(f"ollama_chat/{pulled[_ask_number('Number', len(pulled)) - 1]}")
    if number == len(options):
        return _choose_server()
    provider = PROVIDERS[number - 1]
    variables: tuple[tuple[str, str], ...] = ()
    if not provider.has_key(os.environ):
        variables = ((provider.key, _ask_secret(f"{provider.key} (not shown)")),)
    return Setup(_ask("Model", provider.chat), variables)


def _choose_server() -> Setup:
    address = _ask("Address (for example http://127.0.0.1:8080/v1)", "")
    if address and "://" not in address:
        host = urlsplit(f"//{address}").hostname or ""
        address = f"{'http' if is_loopback(host) else 'https'}://{address}"
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            "That is not the address of a server. Nothing was saved.", hint="Example: http://127.0.0.1:8080/v1"
        )
    key = _ask_secret("Key (not shown; leave empty if the server needs none)", required=False) or "none"
    listed = server_models(address, key)[:_MOST_MODELS]
    if listed:
        show([KeyValues([(f"{number:>2}", one_line(name)) for number, name in enumerate(listed, 1)])], sys.stderr)
    name = _ask("Model (number or name)" if listed else "Model name on that server", "".join(listed[:1]))
    if name.isdecimal() and 1 <= int(name) <= len(listed):
        name = listed[int(name) - 1]
    if not name:
        raise UsageError("No model was given. Nothing was saved.")
    return Setup(f"openai/{name.removeprefix('openai/')}", (("OPENAI_API_BASE", address), ("OPENAI_API_KEY", key)))


def _ask_number(question: str, highest: int) -> int:
    text = _ask(question, "")
    if not text.isdecimal() or not 1 <= int(text) <= highest:
        raise UsageError(f"It must be a number from 1 to {highest}. Nothing was saved.")
    return int(text)


def _ask(question: str, default: str) -> str:
    sys.stderr.write(f"{question}{f' [{default}]' if default else ''}: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip() or default


def _ask_secret(question: str, *, required: bool = True) -> str:
    key = getpass.getpass(f"{question}: ", stream=sys.stderr).strip()
    if required and not key:
        raise UsageError("No key was given. Nothing was saved.")
    return key


# Files.


def _save_setting(path: Path, name: str, value: str) -> None:
    """Set `name` in the settings file at `path` without changing anything else in it."""
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    text = decode_settings(path.read_bytes()) if path.exists() else ""
    tables = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    head, tail = (text[: tables.start()], text[tables.start() :]) if tables else (text, "")
    setting = re.compile(rf"^[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*=.*$", re.MULTILINE)
    head = setting.sub(lambda match: line, head, count=1) if setting.search(head) else f"{line}\n{head}"
    _save(path, head + tail)


def _save_variable(path: Path, name: str, value: str) -> None:
    """Set the variable `name` in the `.env` file at `path` without changing any other variable."""
    quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    lines = decode_settings(path.read_bytes()).splitlines() if path.exists() else []
    kept = [line for line in lines if not re.match(rf"\s*(?:export\s+)?{re.escape(name)}\s*=", line)]
    _save(path, "\n".join([*kept, f"{name}={quoted}"]) + "\n")


def _save(path: Path, text: str) -> None:
    """Replace the file. Raises ConfigError."""
    try:
        write_private(path, text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
