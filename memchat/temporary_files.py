"""Keep in the data folder what libraries would write to the system's temporary folder."""

import os
import sys
import threading
from pathlib import Path

_loading = threading.Lock()


def keep_sqlite_files_in(folder: Path) -> None:
    """Let SQLite put its temporary files in `folder`, unless SQLITE_TMPDIR is set.

    They may contain what people wrote, and an erasure searches this folder only.
    """
    os.environ.setdefault("SQLITE_TMPDIR", str(folder))


def load_filelock(folder: Path) -> None:
    """Import filelock, which tries hard links in a temporary folder meanwhile: let that be `folder`."""
    with _loading:
        if "filelock" in sys.modules or not folder.is_dir():
            return
        import tempfile

        former, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            import filelock  # noqa: F401
        finally:
            tempfile.tempdir = former
