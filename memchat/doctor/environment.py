"""Environment checks of `memchat doctor`: program, settings, model, disk, permissions."""

import os
import re
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from memchat import __version__
from memchat.config import Settings
from memchat.core.types import OFFLINE
from memchat.doctor.database import FIX, Diagnosis, ok, problem, warning
from memchat.errors import ConfigError
from memchat.llm.model_choice import PROVIDERS, ollama_address, ollama_models
from memchat.storage.protocols import Engine
from memchat.text.plurals import pluralize

STOLEN = ("1.82.7", "1.82.8")
"""Releases of LiteLLM that were reported to steal credentials (litellm #24512)."""
LEAST_FREE = 50 << 20
LITTLE_FREE = 500 << 20
CONNECT_S = 2.0
_UPGRADE = "pip install --upgrade memchat"
RANGES = {"chromadb": ((1, 5, 9), (1, 6)), "litellm": ((1, 106, 2), (1, 111))}
"""As in pyproject.toml: at least the first, below the second."""


def program() -> Iterator[Diagnosis]:
    """Report the versions of the libraries."""
    python = ".".join(map(str, sys.version_info[:3]))
    found = {}
    for package, (least, below) in RANGES.items():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            yield problem("program", f"The package {package} is not installed.", _UPGRADE)
            continue
        if package == "litellm" and found[package] in STOLEN:
            message = f"litellm {found[package]} was reported to steal credentials: change the keys it has seen."
            yield problem("program", message, "pip install --upgrade litellm")
        elif not least <= tuple(map(int, re.findall(r"\d+", found[package])))[:3] < below:
            yield warning("program", f"memchat does not support {package} {found[package]}.", _UPGRADE)
    packages = ", ".join(f"{package} {number}" for package, number in found.items())
    yield ok("program", f"memchat {__version__}, Python {python}, {packages}.")


def settings_file(settings: Settings, problems: list[ConfigError]) -> Iterator[Diagnosis]:
    """Report every problem of the settings; any other command stops at the first."""
    for found in problems:
        yield problem("settings", found.message, found.hint)
    if not problems:
        there = settings.config_file if settings.config_file.exists() else "There is no settings file"
        count = pluralize(len(settings.origins), "setting is", "settings are")
        yield ok("settings", f"{there}; {count} not the default.")


# The model.


def models(settings: Settings, name: str, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Report keys by name, and whether a local server answers. Nothing is asked that could cost money."""
    keys = [provider.key for provider in PROVIDERS if provider.has_key(environ)]
    yield ok("keys", f"Set: {', '.join(keys)}." if keys else "No provider's key is set.")
    wanted = {"model": name, "extraction_model": settings.extraction_model, "embedding_model": settings.embedding_model}
    looked_at = set()
    for setting, model in wanted.items():
        if model and model not in looked_at:
            looked_at.add(model)
            yield _model(setting.replace("_", " "), model, environ)


def _model(what: str, name: str, environ: Mapping[str, str]) -> Diagnosis:
    if name == OFFLINE:
        return ok("model", "The built-in offline model is in use; it needs no setup.")
    if name.startswith(("ollama/", "ollama_chat/")):
        address = ollama_address(environ)
        if not _answers(address):
            return problem("model", f"The {what} is {name}, and Ollama does not answer at {address}.", "ollama serve")
        model = name.partition("/")[2]
        there = ollama_models(address, timeout_s=CONNECT_S)
        if what != "embedding model" and not {model, f"{model}:latest"} & set(there):
            return problem("model", f"The {what} is {name}, which Ollama does not have.", f"ollama pull {model}")
        return ok("model", f"The {what} is {name}, and Ollama answers at {address}.")
    provider = next((one for one in PROVIDERS if name.startswith(one.prefix)), None)
    if provider is None:
        return ok("model", f"The {what} is {name}. It was not tested, since that could cost money.")
    if server := provider.server(environ):
        if _answers(server):
            return ok("model", f"The {what} is {name}, and something answers at {server}.")
        return problem("model", f"The {what} is {name}, and nothing answers at {server}.", "start the server there")
    if not provider.has_key(environ):
        return problem("model", f"The {what} is {name}, and {provider.key} is not set.", f"export {provider.key}=…")
    return ok(
        "model", f"The {what} is {name}, and {provider.key} is set. It was not tested, since that could cost money."
    )


def _answers(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S).close()
    except (OSError, ValueError):
        return False
    return True


# The disk.


def disk(settings: Settings, engine: Engine) -> Iterator[Diagnosis]:
    """Report the free space. Forgetting needs as much again as the database takes."""
    folder = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    left = f"{free >> 20:,} MB are free where {settings.home} is"
    if free < LEAST_FREE:
        yield problem("disk", f"{left}: soon nothing more can be saved.", "free some disk space")
    elif free < max(LITTLE_FREE, 2 * engine.size_bytes):
        yield warning("disk", f"{left}. Forgetting rewrites the database and needs as much space again.", None)
    else:
        yield ok("disk", f"{left}.")


def permissions(settings: Settings, engine: Engine) -> Iterator[Diagnosis]:
    """Report whether memchat's files are writable, and inaccessible to other users."""
    home = settings.home
    if not home.exists():
        yield ok("permissions", f"{home} does not exist yet: nothing has been saved so far.")
        return
    if not home.is_dir():
        yield problem("permissions", f"{home} is not a folder.", "set MEMCHAT_HOME to another place")
        return
    barred = [path for path in (home, Path(engine.location)) if path.exists() and not os.access(path, os.W_OK)]
    for path in barred:
        yield problem("permissions", f"{path} is not writable: nothing new is saved.", f"chmod u+w {path}")
    open_ones = world_readable(settings)
    if open_ones:
        named = ", ".join(str(path.relative_to(home.parent)) for path in open_ones[:3])
        more = f" and {len(open_ones) - 3} more" if len(open_ones) > 3 else ""
        yield warning("permissions", f"Other users of this machine can access {named}{more}.", FIX)
    elif not barred:
        yield ok("permissions", f"Only you can access {home}.")


def world_readable(settings: Settings) -> list[Path]:
    """Return the folder and the files in it that other users can access.

    In the folders within, which only their owner may enter, Chroma makes its files as it likes.
    """
    if os.name == "nt" or not settings.home.is_dir():
        return []
    within = [path for path in sorted(settings.home.iterdir()) if not path.is_symlink()]
    return [
        path
        for path in (settings.home, *within)
        if (path.is_dir() or path.is_file()) and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


def restrict_permissions(settings: Settings) -> str | None:
    """Keep other users out. Returns what was done, if anything."""
    found = world_readable(settings)
    for path in found:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return f"Made private: {pluralize(len(found), 'file or folder', 'files and folders')}." if found else None
