"""The table of settings, and which source sets each. A source overrides the ones before it:

defaults, `config.toml` in memchat's home, `.env` (home, then the current folder), the environment, the command line.
"""

import difflib
import getpass
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from memchat import setting_values as parse
from memchat.core.names import composed
from memchat.core.types import CATEGORIES, Metadata
from memchat.errors import ConfigError
from memchat.paths import home_folder, working_folder
from memchat.text.decoding import decode_settings

ENV_PREFIX = "MEMCHAT_"


class MemoryMode(StrEnum):
    """Modes of memory: `private` recalls without learning, `off` does neither."""

    ON = "on"
    PRIVATE = "private"
    OFF = "off"


class Thinking(StrEnum):
    """Ways to show the model's thinking in a chat: in full, as one line with its duration, or not at all."""

    SHOWN = "shown"
    FOLDED = "folded"
    HIDDEN = "hidden"


class LogFormat(StrEnum):
    """Log format of `memchat serve`: warnings as text, or every request as a line of JSON."""

    TEXT = "text"
    JSON = "json"


class ExtractionForm(StrEnum):
    """Form of the extraction prompt: full, compact for small models, or chosen by the model's size and answers."""

    AUTO = "auto"
    FULL = "full"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """The profile of an agent: `[agents.NAME]` in `config.toml`."""

    name: str
    system: str | None = None
    """The agent's system prompt."""
    instructions: str | None = None
    """Instructions for what to remember."""
    model: str | None = None
    categories: tuple[str, ...] = CATEGORIES
    metadata: Metadata = field(default_factory=dict)
    """Metadata of every memory learned with this agent."""
    top_k: int | None = None
    excerpts: bool | None = None
    """Whether to recall excerpts of earlier conversations; None means the general setting."""
    learn: bool = False
    """Whether to learn facts about the agent itself, which all its users share."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `origins` maps names of settings to where their values come from."""

    home: Path
    user: str
    agent: str | None = None
    model: str | None = None
    """Chat model in LiteLLM form; None chooses one by the API keys that are set."""
    extraction_model: str | None = None
    """Model that extracts memories; None means a cheap one of the same provider."""
    extraction_form: ExtractionForm = ExtractionForm.AUTO
    """Form of the extraction prompt; `auto` chooses by the model's size and answers."""
    embedding_model: str | None = None
    """Embedding model in LiteLLM form; None means the built-in one."""
    system: str | None = None
    instructions: str | None = None
    memory: MemoryMode = MemoryMode.ON
    """Whether conversations use memories and are learned from."""
    thinking: Thinking = Thinking.FOLDED
    """How a chat shows the model's thinking."""
    toolbar: bool = True
    """Whether a chat shows a toolbar below its prompt, with model, memory, tokens and cost."""
    vi: bool = False
    """Whether the prompt of a chat uses vi key bindings."""
    top_k: int = 5
    """Maximum number of memories per prompt."""
    memory_tokens: int = 700
    """Maximum number of tokens of memories and excerpts per prompt."""
    excerpts: bool = True
    """Whether to recall excerpts of earlier conversations, besides memories."""
    context_tokens: int | None = None
    """Size of the model's context window in tokens, if LiteLLM does not know it or to use less of it."""
    timeout_s: float = 60.0
    """Time to wait for the next piece of a reply, in seconds."""
    retries: int = 3
    """Number of times a failed call is tried again."""
    redact: bool = True
    """Mask keys, passwords and card numbers before anything is written."""
    index_from: int = 0
    """Number of memories from which an owner's are indexed; fewer are searched exactly."""
    server_key: str | None = field(default=None, repr=False)
    """Key that `memchat serve` requires from clients."""
    log_format: LogFormat = LogFormat.TEXT
    """Log format of `memchat serve`."""
    agents: Mapping[str, AgentProfile] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("user", "agent"):
            object.__setattr__(self, name, composed(getattr(self, name)))
        object.__setattr__(self, "agents", {composed(name): profile for name, profile in self.agents.items()})

    @property
    def dialects(self) -> Path:
        """File with what is known about model servers; see `memchat.llm.dialect`."""
        return self.home / "servers.json"

    @property
    def config_file(self) -> Path:
        return self.home / "config.toml"

    @property
    def any_excerpts(self) -> bool:
        """Return whether any conversation recalls excerpts of earlier ones."""
        return self.excerpts or any(profile.excerpts for profile in self.agents.values())

    def excerpts_with(self, agent: str | None) -> bool:
        """Return whether conversations with `agent` recall excerpts of earlier ones."""
        profile = self.profile(agent)
        return self.excerpts if profile is None or profile.excerpts is None else profile.excerpts

    def profile(self, agent: str | None) -> AgentProfile | None:
        """Return the profile of `agent`; an agent without one gets an empty profile."""
        agent = composed(agent)
        if agent is None:
            return None
        return self.agents.get(agent, AgentProfile(agent))


_CONVERT: dict[str, Callable[[object], Any]] = {
    "user": parse.text,
    "agent": parse.text,
    "model": parse.text,
    "extraction_model": parse.text,
    "extraction_form": parse.choice(ExtractionForm),
    "embedding_model": parse.text,
    "system": parse.text,
    "instructions": parse.text,
    "memory": parse.choice(MemoryMode, parse.SWITCH_WORDS),
    "thinking": parse.choice(Thinking),
    "toolbar": parse.switch,
    "vi": parse.switch,
    "top_k": parse.count(1),
    "memory_tokens": parse.count(0),
    "excerpts": parse.switch,
    "context_tokens": parse.count(256),
    "timeout_s": parse.seconds,
    "retries": parse.count(0),
    "redact": parse.switch,
    "index_from": parse.count(0),
    "server_key": parse.nonblank_text,
    "log_format": parse.choice(LogFormat),
}

SETTING_NAMES = tuple(_CONVERT)
SECRET_SETTINGS = ("server_key",)
"""Settings whose values are never shown."""


def closest_match(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """Return the entry of `known` that `word` is probably a typo of, or None."""
    return next(iter(difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)), None)


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Load the settings. `overrides` come from the command line; None means not given.

    Raises ConfigError with the place of the error and, for an unknown name, the nearest known one.
    """
    if environ is None:
        # The current folder's .env may set MEMCHAT_HOME, and overrides the .env there.
        _load_dotenv(working_folder())
        _load_dotenv(home_folder(os.environ))
    env = dict(os.environ if environ is None else environ)
    home = home_folder(env)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    agents = _read_file(home / "config.toml", values, origins)
    _read_environment(env, values, origins)
    for name, value in overrides.items():
        if value is not None:
            values[name], origins[name] = value, "command line"
    values.setdefault("user", _login_name())
    if not str(values["user"]).strip():
        raise ConfigError("The user name is empty.", hint="Give one with --user or MEMCHAT_USER.")
    return Settings(home=home, agents=agents, origins=origins, **values)


def examine_settings() -> tuple[Settings, list[ConfigError]]:
    """Load the settings that are valid, and return them with the errors of the others, for `memchat doctor`."""
    errors: list[ConfigError] = []

    def attempt(step: Callable[[], object]) -> None:
        try:
            step()
        except ConfigError as error:
            errors.append(error)

    attempt(lambda: _load_dotenv(working_folder()))
    attempt(lambda: _load_dotenv(home_folder(os.environ)))
    home, values, origins = home_folder(os.environ), dict[str, Any](), dict[str, str]()
    agents: dict[str, AgentProfile] = {}
    attempt(lambda: agents.update(_read_file(home / "config.toml", values, origins)))
    for variable, raw in sorted(os.environ.items()):
        attempt(partial(_read_environment, {variable: raw}, values, origins))
    if not str(values.setdefault("user", _login_name())).strip():
        errors.append(ConfigError("The user name is empty.", hint="Give one with --user or MEMCHAT_USER."))
    return Settings(home=home, agents=agents, origins=origins, **values), errors


def _load_dotenv(folder: Path | None) -> None:
    from dotenv import load_dotenv

    if folder is None or not (path := folder / ".env").is_file():
        return
    try:
        load_dotenv(stream=StringIO(decode_settings(path.read_bytes())), override=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}.") from error


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "me"


def _read_environment(env: Mapping[str, str], values: dict[str, Any], origins: dict[str, str]) -> None:
    for variable, raw in env.items():
        name = variable.removeprefix(ENV_PREFIX).lower()
        if not variable.startswith(ENV_PREFIX) or name == "home" or raw == "":
            continue
        if name not in _CONVERT:
            _unknown(f"the environment variable {variable}", name, lambda n: ENV_PREFIX + n.upper())
        values[name] = _convert(name, raw, f"the environment variable {variable}")
        origins[name] = variable


def _read_file(path: Path, values: dict[str, Any], origins: dict[str, str]) -> dict[str, AgentProfile]:
    try:
        text = decode_settings(path.read_bytes()).replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        existing = next(folder for folder in path.parents if folder.exists())
        if not existing.is_dir():
            raise ConfigError(f"{existing} is not a folder.", hint="Set MEMCHAT_HOME to another path.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8 or UTF-16"
        raise ConfigError(f"{path} cannot be read: {reason}.") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint=f"Correct or delete {path}.") from error
    agents = table.pop("agents", {})
    for name, value in table.items():
        place = f"{path}, line {_line_of(text, name)}"
        if name not in _CONVERT:
            _unknown(place, name, lambda n: n)
        values[name], origins[name] = _convert(name, value, place), path.name
    if not isinstance(agents, dict):
        raise ConfigError(f"{path}: agents must be tables like [agents.support_bot].")
    return {name: _profile(name, entry, text, path) for name, entry in agents.items()}


def _profile(name: str, entry: object, text: str, path: Path) -> AgentProfile:
    if not isinstance(entry, dict):
        raise ConfigError(f"{path}: [agents.{name}] must be a table.")
    convert: dict[str, Callable[[object], Any]] = {
        "system": parse.text,
        "instructions": parse.text,
        "model": parse.text,
        "categories": parse.words,
        "metadata": parse.pairs,
        "top_k": parse.count(1),
        "excerpts": parse.switch,
        "learn": parse.switch,
    }
    assert convert.keys() == {f.name for f in fields(AgentProfile)} - {"name"}
    given: dict[str, Any] = {}
    for key, value in entry.items():
        place = f"{path}, line {_line_of(text, key, name)}, [agents.{name}]"
        if key not in convert:
            _unknown(place, key, lambda n: n, tuple(convert))
        given[key] = _convert(key, value, place, convert)
    return AgentProfile(name, **given)


def _convert(name: str, value: object, place: str, convert: Mapping[str, Callable[[object], Any]] = _CONVERT) -> Any:
    try:
        return convert[name](value)
    except ValueError as error:
        shown = "(hidden)" if name in SECRET_SETTINGS else repr(value)
        raise ConfigError(f"{place}: invalid value {shown} for {name}: {error}.") from error


def _unknown(place: str, name: str, spelled: Callable[[str], str], known: tuple[str, ...] = SETTING_NAMES) -> None:
    guess = closest_match(name, known)
    hint = f"Did you mean {spelled(guess)}?" if guess else "memchat config lists all settings."
    raise ConfigError(f"{place}: there is no setting {name!r}.", hint=hint)


def _line_of(text: str, key: str, agent: str | None = None) -> int:
    """Return the line number of `key` at the top level, or in the table of `agent`; 1 if it is unknown."""
    head = rf"^[ \t]*\[agents\.[\"']?{re.escape(agent)}[\"']?\]" if agent else ""
    table = re.search(head, text, re.MULTILINE)
    setting = re.compile(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=", re.MULTILINE)
    found = setting.search(text, table.end() if table else 0)
    return text.count("\n", 0, found.start()) + 1 if found else 1
