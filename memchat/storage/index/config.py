"""The location of a database's index, and the owners it covers."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """The location of the index and its database, and the contents of the index."""

    index: Path
    lock: Path
    database: Path
    fingerprint: str
    index_from: int = 0
    """An owner with fewer current memories than this is not indexed."""

    @classmethod
    def beside(cls, database: Path, fingerprint: str, index_from: int = 0) -> "IndexConfig":
        """Return the configuration of the index in the folder of `database`."""
        index, lock = database.with_name("index"), database.with_name("index.lock")
        return cls(index, lock, database, fingerprint, index_from)
