"""Text files of lines under [headings], in which rules keep their words."""

from functools import cache
from pathlib import Path


@cache
def read_sections(path: Path) -> dict[str, list[str]]:
    """Return the lines of the file by heading, without empty ones and # comments."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lines = found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            lines.append(line)
    return found
