"""Where memchat's data lies, and paths as people type them."""

from collections.abc import Mapping
from pathlib import Path

from memchat.errors import ConfigError

_WHOLE_PATH = "Give a whole path, as in /srv/memchat."


def home_folder(env: Mapping[str, str]) -> Path:
    """The folder of all data: MEMCHAT_HOME, else where the system keeps data of programs.

    Raises ConfigError for a user without a home folder, as containers have them.
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
    """None where it was deleted meanwhile."""
    try:
        return Path.cwd()
    except OSError:
        return None


def expand_path(path: str | Path, where: str = "the path") -> Path:
    """`path` without `~`, and absolute. Raises ConfigError that names `where` it is from, if it leads nowhere."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"{where} names a home folder that does not exist: {path}.", hint=_WHOLE_PATH) from None
    except FileNotFoundError:
        message = f"{where} is relative to the working folder, which was deleted: {path}."
        raise ConfigError(message, hint=_WHOLE_PATH) from None
