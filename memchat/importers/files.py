"""Read files and archives: the list of formats, which are recognised by content.

Sizes are limited, and nothing is unpacked to disk.
"""

import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
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
"""Modules of this package, the most specific format first."""
MOST_BYTES = 1 << 30
"""Maximum unpacked size of a file, or of all files in an archive together, in bytes."""
MOST_MEMBERS = 10_000
_READ = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".md", ".txt", ".gz")
_NOT_ALONE = ("csv_file", "lines")
"""Formats that almost any text fits; files in an archive also need a matching name."""


def read_file(raw: bytes, reading: Reading) -> Found:
    """Read everything in `raw`. Raises UsageError if it is damaged or too large."""
    found = Found()
    several = raw.startswith(b"PK\x03\x04")
    members: Iterable[tuple[str, bytes]] = [("", raw)]
    if several:
        members = _zip_members(raw)
    elif raw.startswith(b"\x1f\x8b"):
        members = [("", _unpack(gzip.GzipFile(fileobj=io.BytesIO(raw)), MOST_BYTES))]
    for name, data in members:
        source = SourceText(name if several else "", decode_text(data, name or "The file"))
        form = recognise(source, named=name)
        if form is not None:
            found.extend(form.read(source, reading))
        elif several:
            found.skip(name, "has an unknown format")
    return found


def recognise(source: SourceText, named: str = "") -> Format | None:
    """Return the format of `source`, or None."""
    for name in FORMATS:
        form = cast("Format", import_module(f"memchat.importers.{name}"))
        plain = PurePosixPath(named).suffix in {"", ".csv", ".tsv", ".md", ".txt"}
        if (plain or name not in _NOT_ALONE) and form.recognises(source):
            return form
    return None


def _zip_members(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in a ZIP archive that may contain memories or conversations."""
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
                data = _unpack(archive.open(info), left)
                left -= len(data)
                if path.suffix.lower() == ".gz":
                    data = _unpack(gzip.GzipFile(fileobj=io.BytesIO(data)), left)
                    left -= len(data)
                    path = path.with_suffix("")
                yield str(path), data
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise UsageError("The archive is damaged or needs a password.", hint=_UNPACK_HINT) from error


_UNPACK_HINT = "Unpack it and import the files in it."


def _unpack(stream: "gzip.GzipFile | io.BufferedIOBase | object", limit: int) -> bytes:
    """Read `stream` up to `limit` bytes, without trusting its header. Raises UsageError if it is longer."""
    try:
        data = cast("io.BufferedIOBase", stream).read(limit + 1)
    except (EOFError, OSError, zipfile.BadZipFile) as error:
        raise UsageError("The archive is damaged.", hint=_UNPACK_HINT) from error
    if len(data) > limit:
        raise UsageError(f"The unpacked file is larger than {MOST_BYTES >> 20} MB.")
    return data
