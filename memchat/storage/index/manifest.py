"""The manifest of an index that was closed cleanly, and the check that the files on disk still match it.

Chroma rewrites its files in place and reads damaged ones until the process dies. So an index without a manifest is
never opened, and the manifest is removed, durably, before the index is opened.
"""

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

MANIFEST_FILE = "clean.json"
FORMAT = 1
BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class IndexManifest:
    """The content of an index: all changes up to `seq`, within one epoch of the database.

    `memories` counts the indexed ones by owner. `filling` names the owners that are not complete yet with the last
    memory number done. `last` identifies the change at `seq`: a database put in the place of another has a different
    one there.
    """

    folder: str
    fingerprint: str
    seq: int
    epoch: int
    memories: Mapping[int, int]
    filling: Mapping[int, int]
    last: str


@dataclass(frozen=True, slots=True)
class FileChecksum:
    """A file as it was: size in bytes, time of the last change, checksum of the content."""

    size: int
    changed_ns: int
    crc: int


Stamps = dict[str, FileChecksum]


def write_manifest(index: Path, coverage: IndexManifest, known: Mapping[str, FileChecksum]) -> None:
    """Mark `index` as closed cleanly, durably. Files unchanged since `known` are not read again."""
    stamps: Stamps = {}
    for name, path in _files(index / coverage.folder).items():
        found, stamp = path.stat(), known.get(name)
        if stamp is None or (stamp.size, stamp.changed_ns) != (found.st_size, found.st_mtime_ns):
            stamp = FileChecksum(found.st_size, found.st_mtime_ns, _checksum(path))
        stamps[name] = stamp
    content = {
        "format": FORMAT,
        "chromadb": version("chromadb"),
        "coverage": _rename(asdict(coverage), "epoch", "erasure"),
        "files": {name: [stamp.size, stamp.changed_ns, stamp.crc] for name, stamp in stamps.items()},
    }
    part = index / (MANIFEST_FILE + ".part")
    with part.open("w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o600)
    part.replace(index / MANIFEST_FILE)
    _sync_folder(index)


def read_manifest(index: Path) -> tuple[IndexManifest, Stamps] | None:
    """Return the manifest if the index is byte for byte what it was, else None: it must not be opened."""
    try:
        content = json.loads((index / MANIFEST_FILE).read_text(encoding="ascii"))
        if content["format"] != FORMAT or content["chromadb"] != version("chromadb"):
            return None
        found = content["coverage"]
        if Path(found["folder"]).name != found["folder"]:
            return None
        for part in ("memories", "filling"):
            found[part] = {int(owner): int(number) for owner, number in found[part].items()}
        coverage = IndexManifest(**_rename(found, "erasure", "epoch"))
        stamps = {name: FileChecksum(*stamp) for name, stamp in content["files"].items()}
        files = _files(index / coverage.folder)
        sound = files.keys() == stamps.keys() and all(
            path.is_file() and path.stat().st_size == stamps[name].size and _checksum(path) == stamps[name].crc
            for name, path in files.items()
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return (coverage, stamps) if sound else None


def marked(index: Path) -> bool:
    """Return whether there is a manifest, without checking it."""
    return (index / MANIFEST_FILE).is_file()


def remove_manifest(index: Path) -> None:
    """Remove the manifest durably."""
    (index / MANIFEST_FILE).unlink(missing_ok=True)
    _sync_folder(index)


def _rename(coverage: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    """Rename `key` in `coverage` to `name`: the file calls the epoch "erasure", its name when the format was set."""
    return {name if field == key else field: value for field, value in coverage.items()}


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            total = zlib.crc32(block, total)
    return total


def _sync_folder(folder: Path) -> None:
    if os.name == "nt" or not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
