"""`memchat backup`: copy everything into one file."""

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


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    as_json: Json = False,
) -> Result:
    """Copy all memories, versions, conversations and vectors into one file, even while chats are running.

    To restore the copy, close every memchat, replace memchat.db in memchat's home with it (`memchat config` shows the
    folder), and delete memchat.db-wal and memchat.db-shm beside it. The search index is rebuilt automatically.

    Memories that you forget later stay in the copy. With --json: {"file", "bytes"}.
    """
    target = expand_path(file, "the file's name")
    engine = open_engine(load_settings())
    if not engine.exists:
        raise NotFound(f"There is nothing to copy yet: {engine.location} does not exist.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", hint=f"Example: memchat backup {target / 'memchat-backup.db'}")
    if not target.parent.is_dir():
        raise UsageError(f"The folder {target.parent} does not exist.")
    if engine.is_data(target):
        raise UsageError("A backup cannot replace the database itself.", hint="Choose another file name.")
    if target.exists() and not force:
        raise UsageError(f"{target} already exists.", hint="Use --force to replace it.")
    with progress_bar("Copying") as progress:
        engine.backup(target, progress)
    size = target.stat().st_size
    return Result({"file": str(target), "bytes": size}, (Line(f"{target}: {size:,} bytes."),), as_json=as_json)
