"""Keep in the data folder what libraries would write to the system's temporary folder."""

import os
import sys
import threading
from pathlib import Path

_loading = threading.Lock()


def keep_sqlite_files_in(folder: Path) -> None:
    """Have SQLite write what does not fit its cache to `folder`, as far as it has not begun yet.

    It may hold what people wrote, and would otherwise be on another disk than the one an erasure searches.
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
