"""`memchat backup`: a copy of everything in one file."""

from pathlib import Path
from typing import Annotated

import typer

from memchat.app import open_engine
from memchat.cli.options import Json
from memchat.cli.output import Line, Result
from memchat.cli.progress import progress_bar
from memchat.config import load_settings
from memchat.errors import NotFound, UsageError
from memchat.paths import expand_path
from memchat.storage.protocols import Engine


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: Json = False,
) -> Result:
    """Copy everything into one file: all memories, versions, conversations, vectors. Chats may be running meanwhile.

    To restore it: close every memchat, put the file in the place of memchat.db in memchat's home (`memchat config`
    shows where that is), and delete memchat.db-wal and memchat.db-shm beside it if they are there. The index builds
    itself anew.

    What is forgotten later stays in the copy. With --json: {"file", "bytes"}.
    """
    settings = load_settings()
    target = expand_path(file, "the file's name")
    engine = open_engine(settings)
    if not engine.exists:
        raise NotFound(f"There is nothing to copy yet: {engine.location} does not exist.")
    _refuse(target, engine, force=force)
    with progress_bar("Copying") as progress:
        engine.backup(target, progress)
    size = target.stat().st_size
    return Result({"file": str(target), "bytes": size}, (Line(f"{target}: {size:,} bytes."),), as_json=as_json)


def _refuse(target: Path, engine: Engine, *, force: bool) -> None:
    """Raise UsageError where the copy would go over something it should not."""
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", hint=f"As in: memchat backup {target / 'memchat-backup.db'}")
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.")
    if engine.is_data(target):
        raise UsageError("That is the database itself.")
    if target.exists() and not force:
        raise UsageError(f"{target} is there already.", hint="--force replaces it.")
