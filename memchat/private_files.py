"""Files and folders that only their owner may read (modes 0600 and 0700)."""

import os
from pathlib import Path


def private_folder(path: Path) -> None:
    """Create `path` with its missing parents; only the owner may enter what is created."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically, readable only by its owner (0600). Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
