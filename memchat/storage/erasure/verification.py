"""Filter the findings after an erasure: drop matches that other rows legitimately contain."""

from collections.abc import Generator, Sequence
from pathlib import Path

from memchat.storage.database import Database
from memchat.storage.erasure.byte_search import ByteSearcher
from memchat.storage.erasure.targets import DETAILS, ErasureTargets, search
from memchat.storage.results import Finding

ROWS = 500
"""Rows read at a time."""
_TABLES = ("owners", "sessions", "messages", "memories", "changes", "work", "words", "message_words", "usage")
_VECTOR_TABLES = ("vectors", "message_vectors")


def exclude_legitimate(database: Database, findings: Sequence[Finding], traces: ErasureTargets) -> tuple[Finding, ...]:
    """Return `findings` without the words and vectors that a living row contains too.

    An id is never legitimate. Cues and metadata are ordinary words: in a file that is neither the database nor part of
    the index they count only beside a certain finding.
    """
    ours = {f"{database.path.name}{suffix}" for suffix in ("", "-wal", "-shm")}
    certain = {found.file for found in findings if found.kind not in DETAILS}
    wanted = {found.needle for found in findings if found.kind != "id"}
    vectors = ByteSearcher(needle for needle in wanted if traces.needles[needle] == "vector")
    words = ByteSearcher(needle for needle in wanted if traces.needles[needle] != "vector")
    living = set[bytes]()
    for table in _VECTOR_TABLES if vectors.longest else ():
        living |= search(_values(database, table), vectors)
    for table in _TABLES if words.longest else ():
        living |= search(_values(database, table), words)

    def counts(found: Finding) -> bool:
        of_the_index = len(Path(found.file).parts) > 1
        if found.file in ours or of_the_index:
            return found.needle not in living
        return found.kind not in DETAILS or found.file in certain

    return tuple(found for found in findings if counts(found))


def _values(database: Database, table: str) -> Generator[bytes]:
    """Yield everything that the rows of `table` contain, some hundred rows at a time."""
    last = -1
    while rows := database.rows(
        f"SELECT rowid AS place, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?", (last, ROWS)
    ):
        last = rows[-1]["place"]
        held = (value for row in rows for value in tuple(row))
        yield b"\0".join(v if isinstance(v, bytes) else v.encode() for v in held if isinstance(v, bytes | str))
