"""Chroma behind a few verbs, in a folder that no other process has open. Only this module imports chromadb.

Every failure, including a Rust panic, becomes `IndexBroken`: the folder can then no longer be trusted.
"""

import logging
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memchat.text.embedding import load_numpy

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

log = logging.getLogger(__name__)

HNSW = {"space": "cosine", "ef_search": 200, "ef_construction": 200, "max_neighbors": 24}
"""Measured with 300 questions over 50,000 vectors, many nearly alike: 99.9% of the true top 10 came back. With half of
`ef_construction`, Chroma's default, whole clusters were unreachable: up to ten questions found none of the ten.
These values are fixed when a collection is created."""
NEVER_EVICT = 1_000_000
"""Number of collections Chroma may keep open. It must never evict one by itself: records that it has not persisted yet
would be missing from queries until the folder is opened again."""
PER_MEMORY = 4
"""Vectors requested at first per memory: one for the text and three for the cues."""


class IndexBroken(Exception):
    """Chroma failed. The message names the step and the kind of failure, never what was stored."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One memory as the index holds it: its vectors, shape `(n, dim)`, what each stands for, text and metadata."""

    number: int
    memory_id: str
    text: str
    kinds: tuple[str, ...]
    rows: "Vectors"
    metadata: Mapping[str, str]

    def ids(self) -> list[str]:
        return [f"{self.memory_id}:{i}" for i in range(len(self.kinds))]


class ChromaIndex:
    """One collection per owner and one record per vector, with the id `{memory id}:{row}`. Creates missing collections.

    The first record of a memory holds its text, its metadata, and the number of its records.
    """

    def __init__(self, folder: Path) -> None:
        self._collections: dict[int, Any] = {}
        with _translate_errors("opening the index"):
            # Chroma imports numpy.typing first. While another thread is importing numpy, both would get a half-made
            # module.
            load_numpy()
            from chromadb.api import ServerAPI
            from chromadb.api.client import Client
            from chromadb.config import Settings, System
            from chromadb.telemetry.product import ProductTelemetryClient

            settings = Settings(
                is_persistent=True,
                persist_directory=str(folder),
                anonymized_telemetry=False,
                chroma_otel_collection_endpoint="",
            )
            # The client is assembled by hand because only so the cache of collections can be sized.
            system = System(settings)
            system.instance(ProductTelemetryClient)
            api = system.instance(ServerAPI)
            api.hnsw_cache_size = NEVER_EVICT
            system.start()
            self._client = Client.from_system(system)

    @property
    def opened(self) -> Collection[int]:
        """Owners whose collections are loaded; each takes about 3 MB beside its vectors."""
        return self._collections.keys()

    def close(self) -> None:
        self._collections.clear()
        with _translate_errors("closing the index"):
            self._client.close()

    def load(self, owner: int) -> None:
        """Load the owner's collection ahead of the first query."""
        with _translate_errors("loading the index"):
            self._collection(owner)

    def upsert(self, owner: int, entries: Sequence[Entry]) -> None:
        """Write the entries whole. This holds the interpreter lock throughout, so pass few at a time."""
        import numpy as np

        if not entries:
            return
        with _translate_errors("writing to the index"):
            self._collection(owner).upsert(
                ids=[record for entry in entries for record in entry.ids()],
                embeddings=np.concatenate([entry.rows for entry in entries]),
                documents=[said for entry in entries for said in (entry.text, *_nothing(entry))],
                metadatas=[
                    told
                    for entry in entries
                    for told in ({**entry.metadata, "vectors": len(entry.kinds)}, *_nothing(entry))
                ],
            )

    def delete_stale(self, owner: int, memory_ids: Sequence[str], keep: Collection[str]) -> int:
        """Remove records of `memory_ids` whose ids are not in `keep`. Returns how many of the memories had records."""
        with _translate_errors("removing from the index"):
            collection = self._collection(owner)
            first = collection.get(ids=[f"{memory_id}:0" for memory_id in memory_ids], include=["metadatas"])
            held = [
                f"{_memory_of(record)}:{row}"
                for record, told in zip(first["ids"], first["metadatas"], strict=True)
                for row in range(told["vectors"])
            ]
            if surplus := [record for record in held if record not in keep]:
                collection.delete(ids=surplus)
        return len(first["ids"])

    def nearest(self, owner: int, query: "Vectors", limit: int) -> list[tuple[str, float]]:
        """Return ids of the memories with the highest cosine of any vector to any row of `query`, best first."""
        with _translate_errors("asking the index"):
            collection = self._collection(owner)
            wanted = limit * PER_MEMORY
            while True:
                found = collection.query(query_embeddings=query, n_results=wanted, include=["distances"])
                # Each row's records come nearest first: the last entry of a memory in reverse order is its nearest.
                rows = [
                    dict(zip(map(_memory_of, reversed(ids)), reversed(distances), strict=True))
                    for ids, distances in zip(found["ids"], found["distances"], strict=True)
                ]
                # Fewer records than asked for: there are no more.
                if all(len(ids) < wanted or len(row) >= limit for ids, row in zip(found["ids"], rows, strict=True)):
                    nearest: dict[str, float] = {}
                    for row in rows:
                        for memory_id, distance in row.items():
                            nearest[memory_id] = min(distance, nearest.get(memory_id, distance))
                    cosines = ((memory_id, 1.0 - distance) for memory_id, distance in nearest.items())
                    return sorted(cosines, key=lambda hit: (-hit[1], hit[0]))[:limit]
                wanted *= PER_MEMORY

    def all_records(self, owner: int) -> dict[str, "Vectors"]:
        """Yield every record with its vector, for verification."""
        with _translate_errors("reading the index"):
            found = self._collection(owner).get(include=["embeddings"])
        return dict(zip(found["ids"], found["embeddings"], strict=True))

    def _collection(self, owner: int) -> Any:
        import numpy as np

        if owner not in self._collections:
            collection = self._client.get_or_create_collection(
                f"owner-{owner}",
                embedding_function=None,
                configuration={"hnsw": HNSW},
            )
            # Queried once before any other use. Otherwise the first write after the first query repeats up to a
            # thousand earlier ones and stops the process for more than a second.
            known = collection.get(limit=1, include=["embeddings"])["embeddings"]
            any_row = known if len(known) else np.ones((1, 1), np.float32)
            collection.query(query_embeddings=any_row, n_results=1, include=[])
            self._collections[owner] = collection
        return self._collections[owner]


def _nothing(entry: Entry) -> list[None]:
    """Return no metadata, for all records of a memory but the first: writing it takes longer than their vectors."""
    return [None] * (len(entry.kinds) - 1)


def _memory_of(record: str) -> str:
    return record.rpartition(":")[0]


@contextmanager
def _translate_errors(step: str) -> Generator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # A panic in Chroma's Rust half derives from BaseException.
        raise IndexBroken(f"{step} failed ({type(error).__name__})") from error
