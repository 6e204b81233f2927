"""The data folder, and paths as users type them."""

from collections.abc import Mapping
from pathlib import Path

from memchat.errors import ConfigError

_ABSOLUTE_PATH = "Give an absolute path, for example /srv/memchat."


def home_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of all data: MEMCHAT_HOME, or the system's folder for application data.

    Raises ConfigError for a user without a home folder, as in some containers.
    """
    if chosen := env.get("MEMCHAT_HOME"):
        return expand_path(chosen, "MEMCHAT_HOME")
    from platformdirs import user_data_path

    try:
        folder = user_data_path("memchat", appauthor=False)
    except (RuntimeError, KeyError):
        folder = Path("~")
    if str(folder).startswith("~"):
        raise ConfigError("You have no home folder.", hint="Set MEMCHAT_HOME to a folder for memchat's data.")
    return folder


def working_folder() -> Path | None:
    """Return the current folder, or None if it has been deleted."""
    try:
        return Path.cwd()
    except OSError:
        return None


def expand_path(path: str | Path, where: str = "the path") -> Path:
    """Make `path` absolute, with `~` expanded. Raises ConfigError if that fails, naming its source `where`."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"{where} names a home folder that does not exist: {path}.", hint=_ABSOLUTE_PATH) from None
    except FileNotFoundError:
        message = f"{where} is relative to the working folder, which was deleted: {path}."
        raise ConfigError(message, hint=_ABSOLUTE_PATH) from None
