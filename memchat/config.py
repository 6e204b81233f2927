"""Settings and paths. What is given later in this list wins:

defaults, `config.toml` in memchat's home, `.env` (home, then the current folder), the environment, the command line.
"""

import difflib
import getpass
import math
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

from memchat.core.names import composed
from memchat.core.types import CATEGORIES, Metadata, MetadataValue
from memchat.errors import ConfigError
from memchat.paths import home_folder, working_folder
from memchat.text.encoding import decode_settings

ENV_PREFIX = "MEMCHAT_"


class MemoryMode(StrEnum):
    """What conversations have to do with memory: private ones recall and are not learned from, off is neither."""

    ON = "on"
    PRIVATE = "private"
    OFF = "off"


class Thinking(StrEnum):
    """How a chat shows what a model thinks before it answers: all of it, one line that says how long, or nothing."""

    SHOWN = "shown"
    FOLDED = "folded"
    HIDDEN = "hidden"


class LogFormat(StrEnum):
    """How `memchat serve` writes its log: warnings as text, or every request as a line of JSON."""

    TEXT = "text"
    JSON = "json"


class ExtractionForm(StrEnum):
    """How the extraction model is asked: in full, in the compact form for small models, or as it turns out to need."""

    AUTO = "auto"
    FULL = "full"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """How one agent behaves: `[agents.NAME]` in `config.toml`."""

    name: str
    system: str | None = None
    """Its system prompt."""
    instructions: str | None = None
    """What is worth remembering, for the extraction prompt."""
    model: str | None = None
    categories: tuple[str, ...] = CATEGORIES
    metadata: Metadata = field(default_factory=dict)
    """Put on every memory learned with this agent."""
    top_k: int | None = None
    excerpts: bool | None = None
    """Whether what was said in earlier conversations is recalled; as the setting says where None."""
    learn: bool = False
    """Whether facts about the agent itself are learned from conversations, for all its users."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be set. `origins` says for each name where its value comes from."""

    home: Path
    user: str
    agent: str | None = None
    model: str | None = None
    """The chat model as LiteLLM names it; chosen by the keys that are set where None."""
    extraction_model: str | None = None
    """The model that extracts memories; the provider's cheap one where None."""
    extraction_form: ExtractionForm = ExtractionForm.AUTO
    """The form in which the extraction model is asked; by its size and its answers where `auto`."""
    embedding_model: str | None = None
    """A LiteLLM embedding model; the built-in one where None."""
    system: str | None = None
    instructions: str | None = None
    memory: MemoryMode = MemoryMode.ON
    """Whether conversations are recalled into and learned from."""
    thinking: Thinking = Thinking.FOLDED
    """How a chat shows what the model thinks before it answers."""
    toolbar: bool = True
    """Whether a chat shows a line below its prompt: model, memory, tokens and cost so far."""
    vi: bool = False
    """Whether the prompt of a chat has vi's keys."""
    top_k: int = 5
    """How many memories a prompt may hold."""
    memory_tokens: int = 700
    """How many tokens of memories and excerpts a prompt may hold."""
    excerpts: bool = True
    """Whether what was said in earlier conversations is recalled, beside the memories learned from it."""
    context_tokens: int | None = None
    """The model's window in tokens, where LiteLLM does not know it or less of it is to be used."""
    timeout_s: float = 60.0
    """How long to wait for the next piece of a reply, in seconds."""
    retries: int = 3
    """How often a failed call is tried again."""
    redact: bool = True
    """Mask keys, passwords and card numbers before anything is written."""
    index_from: int = 0
    """An owner with fewer memories than this is scanned exactly instead of indexed."""
    server_key: str | None = field(default=None, repr=False)
    """What `memchat serve` asks its clients for."""
    log_format: LogFormat = LogFormat.TEXT
    """How `memchat serve` writes its log."""
    agents: Mapping[str, AgentProfile] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("user", "agent"):
            object.__setattr__(self, name, composed(getattr(self, name)))
        object.__setattr__(self, "agents", {composed(name): profile for name, profile in self.agents.items()})

    @property
    def dialects(self) -> Path:
        """What is known of models' servers, see `memchat.llm.dialect`."""
        return self.home / "servers.json"

    @property
    def config_file(self) -> Path:
        return self.home / "config.toml"

    @property
    def any_excerpts(self) -> bool:
        """Whether any conversation recalls what was said in earlier ones."""
        return self.excerpts or any(profile.excerpts for profile in self.agents.values())

    def excerpts_with(self, agent: str | None) -> bool:
        """Whether conversations with `agent` recall what was said in earlier ones."""
        profile = self.profile(agent)
        return self.excerpts if profile is None or profile.excerpts is None else profile.excerpts

    def profile(self, agent: str | None) -> AgentProfile | None:
        """The profile of `agent`; an agent without one is a plain name."""
        agent = composed(agent)
        if agent is None:
            return None
        return self.agents.get(agent, AgentProfile(agent))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be text")
    return value


def _key(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it must be text that is not empty")
    return value.strip()


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in {"1", "on", "true", "yes"}:
        return True
    if word in {"0", "off", "false", "no"}:
        return False
    raise ValueError("it must be on or off")


def _remembering(value: object) -> MemoryMode:
    word = str(value).strip().lower()
    if word == MemoryMode.PRIVATE:
        return MemoryMode.PRIVATE
    try:
        return MemoryMode.ON if _switch(value) else MemoryMode.OFF
    except ValueError:
        raise ValueError("it must be on, private or off") from None


def _thinking(value: object) -> Thinking:
    try:
        return Thinking(str(value).strip().lower())
    except ValueError:
        raise ValueError("it must be shown, folded or hidden") from None


def _log_format(value: object) -> LogFormat:
    try:
        return LogFormat(str(value).strip().lower())
    except ValueError:
        raise ValueError("it must be text or json") from None


def _form(value: object) -> ExtractionForm:
    try:
        return ExtractionForm(str(value).strip().lower())
    except ValueError:
        raise ValueError("it must be auto, full or compact") from None


def _count(least: int) -> Callable[[object], int]:
    def convert(value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError("it must be a whole number") from None
        if number < least:
            raise ValueError(f"it must be at least {least}")
        return number

    return convert


def _seconds(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError("it must be a number of seconds") from None
    if not 0 < number < 86_400:
        raise ValueError("it must be between 0 and 86400 seconds")
    return number


_CONVERT: dict[str, Callable[[object], Any]] = {
    "user": _text,
    "agent": _text,
    "model": _text,
    "extraction_model": _text,
    "extraction_form": _form,
    "embedding_model": _text,
    "system": _text,
    "instructions": _text,
    "memory": _remembering,
    "thinking": _thinking,
    "toolbar": _switch,
    "vi": _switch,
    "top_k": _count(1),
    "memory_tokens": _count(0),
    "excerpts": _switch,
    "context_tokens": _count(256),
    "timeout_s": _seconds,
    "retries": _count(0),
    "redact": _switch,
    "index_from": _count(0),
    "server_key": _key,
    "log_format": _log_format,
}

SETTING_NAMES = tuple(_CONVERT)
SECRET_SETTINGS = ("server_key",)
"""Never shown."""


def closest_match(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """The entry of `known` that `word` is probably a slip of."""
    return next(iter(difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)), None)


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings in force. `overrides` are the command line's, None meaning not given.

    Raises ConfigError that names the place, and the nearest right name for a wrong one.
    """
    if environ is None:
        # The folder's own file may say where memchat's home is, and what it sets wins over the home's.
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
    """The settings as far as they can be used, and all that is wrong with the rest: for whoever must go on."""
    wrong: list[ConfigError] = []

    def attempt(step: Callable[[], object]) -> None:
        try:
            step()
        except ConfigError as error:
            wrong.append(error)

    attempt(lambda: _load_dotenv(working_folder()))
    attempt(lambda: _load_dotenv(home_folder(os.environ)))
    home, values, origins = home_folder(os.environ), dict[str, Any](), dict[str, str]()
    agents: dict[str, AgentProfile] = {}
    attempt(lambda: agents.update(_read_file(home / "config.toml", values, origins)))
    for variable, raw in sorted(os.environ.items()):
        attempt(partial(_read_environment, {variable: raw}, values, origins))
    if not str(values.setdefault("user", _login_name())).strip():
        wrong.append(ConfigError("The user name is empty.", hint="Give one with --user or MEMCHAT_USER."))
    return Settings(home=home, agents=agents, origins=origins, **values), wrong


def _load_dotenv(folder: Path | None) -> None:
    from dotenv import load_dotenv

    if folder is None or not (place := folder / ".env").is_file():
        return
    try:
        load_dotenv(stream=StringIO(decode_settings(place.read_bytes())), override=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{place} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from error


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
        values[name] = _converted(name, raw, f"the environment variable {variable}")
        origins[name] = variable


def _read_file(path: Path, values: dict[str, Any], origins: dict[str, str]) -> dict[str, AgentProfile]:
    try:
        text = decode_settings(path.read_bytes()).replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        _refuse_file(path.parent)
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8 or UTF-16"
        raise ConfigError(f"{path} cannot be read: {reason}.") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint=f"Mend or remove {path}.") from error
    agents = table.pop("agents", {})
    for name, value in table.items():
        place = f"{path}, line {_line_of(text, name)}"
        if name not in _CONVERT:
            _unknown(place, name, lambda n: n)
        values[name], origins[name] = _converted(name, value, place), path.name
    if not isinstance(agents, dict):
        raise ConfigError(f"{path}: agents must be tables like [agents.support_bot].")
    return {name: _profile(name, entry, text, path) for name, entry in agents.items()}


def _refuse_file(home: Path) -> None:
    """Raise ConfigError where `home`, or what it would lie in, is there and no folder."""
    there = next(place for place in (home, *home.parents) if place.exists())
    if not there.is_dir():
        raise ConfigError(f"{there} is not a folder.", hint="Set MEMCHAT_HOME to a place where one can be.")


def _profile(name: str, entry: object, text: str, path: Path) -> AgentProfile:
    if not isinstance(entry, dict):
        raise ConfigError(f"{path}: [agents.{name}] must be a table.")
    convert: dict[str, Callable[[object], Any]] = {
        "system": _text,
        "instructions": _text,
        "model": _text,
        "categories": _words,
        "metadata": _pairs,
        "top_k": _count(1),
        "excerpts": _switch,
        "learn": _switch,
    }
    assert convert.keys() == {f.name for f in fields(AgentProfile)} - {"name"}
    given: dict[str, Any] = {}
    for key, value in entry.items():
        place = f"{path}, line {_line_of(text, key, name)}, [agents.{name}]"
        if key not in convert:
            _unknown(place, key, lambda n: n, tuple(convert))
        given[key] = _converted(key, value, place, convert)
    return AgentProfile(name, **given)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError("it must be a list of words")
    return tuple(value)


def _pairs(value: object) -> dict[str, MetadataValue]:
    if not isinstance(value, dict) or not all(isinstance(v, str | int | float | bool) for v in value.values()):
        raise ValueError("it must be a table of plain values")
    if not all(math.isfinite(v) for v in value.values() if isinstance(v, float)):
        raise ValueError("its numbers must be finite")
    return value


def _converted(name: str, value: object, place: str, convert: Mapping[str, Callable[[object], Any]] = _CONVERT) -> Any:
    try:
        return convert[name](value)
    except ValueError as error:
        shown = "what it is" if name in SECRET_SETTINGS else repr(value)
        raise ConfigError(f"{place}: {name} cannot be {shown}: {error}.") from error


def _unknown(place: str, name: str, spelled: Callable[[str], str], known: tuple[str, ...] = SETTING_NAMES) -> None:
    guess = closest_match(name, known)
    hint = f"Did you mean {spelled(guess)}?" if guess else "memchat config lists the settings there are."
    raise ConfigError(f"{place}: there is no setting {name!r}.", hint=hint)


def _line_of(text: str, key: str, agent: str | None = None) -> int:
    """The line of `key` at the top of the file, or in the table of `agent`; 1 where it cannot be told."""
    head = rf"^[ \t]*\[agents\.[\"']?{re.escape(agent)}[\"']?\]" if agent else ""
    table = re.search(head, text, re.MULTILINE)
    written = re.compile(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=", re.MULTILINE)
    found = written.search(text, table.end() if table else 0)
    return text.count("\n", 0, found.start()) + 1 if found else 1
