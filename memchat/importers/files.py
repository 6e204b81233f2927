"""Files as they come, archives among them: recognised by content, read within bounds, never unpacked to the disk."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import PurePosixPath
from typing import cast

from memchat.errors import UsageError
from memchat.importers.found import Format, Found, Reading, SourceText
from memchat.text.decoding import decode_text

FORMATS = (
    "memchat_memories",
    "memchat_sessions",
    "chatgpt",
    "claude",
    "gemini",
    "open_webui",
    "mcp_memory",
    "chat_jsonl",
    "fact_json",
    "csv_file",
    "lines",
)
"""Modules of this package, the most telling first."""
MOST_BYTES = 1 << 30
"""Bytes that a file, or all files of an archive together, may have unpacked."""
MOST_MEMBERS = 10_000
_READ = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".md", ".txt", ".gz")
_NOT_ALONE = ("csv_file", "lines")
"""Formats that anything is in the end; a file in an archive must look like them by its name too."""


def read_file(raw: bytes, reading: Reading) -> Found:
    """All that `raw` holds. Raises UsageError where that is nothing, or too much."""
    found = Found()
    several = raw.startswith(b"PK\x03\x04")
    for name, data in _members(raw):
        source = SourceText(name if several else "", decode_text(data, name or "The file"))
        form = recognise(source, named=name)
        if form is not None:
            found.extend(form.read(source, reading))
        elif several:
            found.skip(name, "is of no format that memchat knows")
    return found


def recognise(source: SourceText, named: str = "") -> Format | None:
    """The format of `source`; None where it is of none."""
    for name in FORMATS:
        form = cast("Format", import_module(f"memchat.importers.{name}"))
        plain = PurePosixPath(named).suffix in {"", ".csv", ".tsv", ".md", ".txt"}
        if (plain or name not in _NOT_ALONE) and form.recognises(source):
            return form
    return None


def _members(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The file itself, or the files of an archive that may hold something."""
    if raw.startswith(b"PK\x03\x04"):
        yield from _zipped(raw)
    elif raw.startswith(b"\x1f\x8b"):
        yield "", _unpacked(gzip.GzipFile(fileobj=io.BytesIO(raw)), MOST_BYTES)
    else:
        yield "", raw


def _zipped(raw: bytes) -> Iterator[tuple[str, bytes]]:
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) > MOST_MEMBERS:
                raise UsageError(f"The archive has more than {MOST_MEMBERS} files.")
            for info in members:
                path = PurePosixPath(info.filename)
                if path.suffix.lower() not in _READ or path.name.startswith(".") or "__MACOSX" in path.parts:
                    continue
                data = _unpacked(archive.open(info), left)
                left -= len(data)
                if path.suffix.lower() == ".gz":
                    data = _unpacked(gzip.GzipFile(fileobj=io.BytesIO(data)), left)
                    left -= len(data)
                    path = path.with_suffix("")
                yield str(path), data
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise UsageError(
            "The archive is damaged, or locked with a password.", hint="Unpack it, and import its files."
        ) from error


def _unpacked(stream: "gzip.GzipFile | io.BufferedIOBase | object", most: int) -> bytes:
    """What `stream` holds, read no further than `most` bytes whatever its header says."""
    try:
        data = cast("io.BufferedIOBase", stream).read(most + 1)
    except (EOFError, OSError, zipfile.BadZipFile) as error:
        raise UsageError("The archive is damaged.", hint="Unpack it, and import its files.") from error
    if len(data) > most:
        raise UsageError(f"Unpacked the file has more than {MOST_BYTES >> 20} MB.")
    return data
