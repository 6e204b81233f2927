"""The bytes that an erasure must not leave in any file, and the search for them."""

import json
import pickle
import sys
from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from pathlib import Path
from typing import BinaryIO

from memchat.core.types import MetadataValue
from memchat.errors import StoreError
from memchat.storage.erasure.byte_search import ByteSearcher
from memchat.storage.isolated import run_isolated_python
from memchat.storage.results import Finding

CHUNK_BYTES = 8 << 20
SHORTEST_TEXT = 4
"""Shorter texts ("yes") occur everywhere: blanking them would damage what was never deleted."""
SHORTEST_NEEDLE = 6
"""Shorter byte strings occur by chance, for example in the numbers of a vector."""
WHOLE_BYTES = 256
"""Longer texts may span several pages of a database, so they are searched in pieces."""
PIECE_BYTES = 64
PIECE_EVERY = 1024
VECTOR_BYTES = 64
"""Length of the part of a vector that identifies it: sixteen float32 numbers."""
DETAILS = frozenset({"cue", "metadata"})


@dataclass(slots=True)
class ErasureTargets:
    """The deleted data: `texts` to blank where they were said, and `needles` to search for, each with its kind.

    `people` are the numbers of the owners it belonged to.
    """

    texts: set[str] = field(default_factory=set)
    needles: dict[bytes, str] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)

    def add_text(self, text: str) -> None:
        """Add words that a person said and may have said elsewhere."""
        if len(text.strip()) >= SHORTEST_TEXT:
            self.texts.add(text)
            self._add("text", text)

    def add_texts(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.add_text(text)

    def add_cue(self, cue: str) -> None:
        """Add words that no person said: they are searched for but blanked nowhere."""
        self._add("cue", cue)

    def add_metadata(self, key: str, value: MetadataValue) -> None:
        """Add metadata as it is stored. Digits are searched with their key; alone they occur in numbers and times."""
        if isinstance(value, str) and any(character.isalpha() for character in value):
            self._add("metadata", json.dumps(value, ensure_ascii=False)[1:-1])
        else:
            self._add("metadata", json.dumps({key: value}, ensure_ascii=False)[1:-1])

    def add_id(self, memory_id: str) -> None:
        self._add("id", memory_id)

    def add_vectors(self, rows: bytes, count: int) -> None:
        """Add `count` vectors of equal length, as they are stored."""
        step = len(rows) // count if count else 0
        for number in range(count if step >= VECTOR_BYTES else 0):
            row = rows[number * step : number * step + VECTOR_BYTES]
            if row.strip(b"\0"):
                self.needles[row] = "vector"

    def _add(self, kind: str, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        if len(data.strip()) < SHORTEST_NEEDLE:
            return
        pieces = [data]
        if len(data) > WHOLE_BYTES:
            last = len(data) - PIECE_BYTES
            pieces = [data[at : at + PIECE_BYTES] for at in (*range(0, last, PIECE_EVERY), last)]
        for piece in pieces:
            self.needles.setdefault(piece, kind)

    def blank(self, texts: Sequence[str], blank: str) -> list[str]:
        """Return `texts` with every deleted text replaced by `blank`, the longest first."""
        erased = ByteSearcher(text.encode("utf-8", "surrogatepass") for text in self.texts)
        blanked = []
        sizes = accumulate(map(len, texts))
        # One search through some megabytes of texts at a time, for speed.
        for _, group in groupby(zip(sizes, texts, strict=True), key=lambda pair: pair[0] // CHUNK_BYTES):
            batch = [text for _, text in group]
            encoded = [text.encode("utf-8", "surrogatepass") for text in batch]
            ends = list(accumulate(map(len, encoded)))
            found: list[set[bytes]] = [set() for _ in batch]
            for start, needle in erased.within(b"".join(encoded)):
                number = bisect_right(ends, start)
                if start + len(needle) <= ends[number]:
                    found[number].add(needle)
            for text, needles in zip(batch, found, strict=True):
                clean = text
                for words in sorted(needles, key=len, reverse=True):
                    clean = clean.replace(words.decode("utf-8", "surrogatepass"), blank)
                blanked.append(clean)
        return blanked


@dataclass(frozen=True, slots=True)
class Searched:
    findings: tuple[Finding, ...]
    files: int
    bytes: int


def search_files_isolated(folder: Path, traces: ErasureTargets) -> Searched:
    """Search every file below `folder` for every needle, byte by byte, in a child process.

    POSIX releases all of a process's locks on a file when the process closes any descriptor of it: reading the database
    here would take SQLite's locks away from its open connections.
    """
    command = ["-c", "from memchat.storage.erasure.targets import search_files; search_files()", str(folder)]
    ran = run_isolated_python(command, pickle.dumps(list(traces.needles)))
    if ran.returncode:
        raise StoreError(
            f"The data is deleted, but {folder} could not be searched for remaining traces.",
            hint="Check who may read the files there.",
        )
    found, files, size = pickle.loads(ran.stdout)
    return Searched(tuple(Finding(traces.needles[needle], name, needle) for name, needle in found), files, size)


def search_files() -> None:
    """Run in the child process of `search_files_isolated`: read needles from stdin, write the result to stdout.

    The result is a pickle of the (file, needle) pairs and the numbers of files and bytes searched. If the parent is
    killed meanwhile, the child ends without a traceback.
    """
    with suppress(BrokenPipeError, EOFError, pickle.UnpicklingError):
        needles = ByteSearcher(pickle.load(sys.stdin.buffer))
        folder = Path(sys.argv[1])
        findings: list[tuple[str, bytes]] = []
        files = size = 0
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            files += 1
            try:
                size += path.stat().st_size
                with path.open("rb") as file:
                    found = search(_chunks(file, needles.longest), needles)
            except FileNotFoundError:
                continue
            name = str(path.relative_to(folder))
            findings += [(name, needle) for needle in sorted(found)]
        sys.stdout.buffer.write(pickle.dumps((findings, files, size)))
        sys.stdout.buffer.flush()


def search(chunks: Iterable[bytes], needles: ByteSearcher) -> set[bytes]:
    """Return the `needles` that occur in any of `chunks`."""
    return {needle for chunk in chunks for _, needle in needles.within(chunk)}


def _chunks(file: BinaryIO, longest: int) -> Generator[bytes]:
    """Read the file in pieces that overlap by the longest needle."""
    tail = b""
    while piece := file.read(CHUNK_BYTES):
        yield tail + piece
        tail = (tail + piece)[-longest:] if longest else b""
