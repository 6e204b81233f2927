"""Chroma behind a few verbs, in one folder that nobody else has open. Nothing else imports chromadb.

Every failure, Rust panics among them, becomes `IndexBroken`: what the folder holds can then no longer be trusted.
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
"""Of 300 questions over 50,000 vectors, many of them nearly alike, 99.9% of the true top 10 came back. With half of
`ef_construction`, Chroma's default, whole clusters could not be reached: up to ten questions found none of the ten.
Cannot be changed once a collection is made."""
NEVER_EVICT = 1_000_000
"""Open collections Chroma may keep. It must never give one up by itself: what was not yet persisted in it is then
missing from queries until the folder is opened anew."""
PER_MEMORY = 4
"""Vectors asked for at first for every memory wanted: a text and three cues."""


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
    """One collection per owner; one record per vector, under the id `{memory id}:{row}`. Made if it is missing.

    The first record of a memory holds its text, its metadata, and how many records there are.
    """

    def __init__(self, folder: Path) -> None:
        self._collections: dict[int, Any] = {}
        with _translated("opening the index"):
            self._client = _open(folder)

    @property
    def opened(self) -> Collection[int]:
        """The owners whose collections are loaded, about 3 MB each beside their vectors."""
        return self._collections.keys()

    def close(self) -> None:
        self._collections.clear()
        with _translated("closing the index"):
            self._client.close()

    def load(self, owner: int) -> None:
        """Load the owner's collection, so that the first question does not wait for it."""
        with _translated("loading the index"):
            self._collection(owner)

    def upsert(self, owner: int, entries: Sequence[Entry]) -> None:
        """Write the entries whole. Holds the interpreter lock throughout: keep them few."""
        import numpy as np

        if not entries:
            return
        with _translated("writing to the index"):
            self._collection(owner).upsert(
                ids=[record for entry in entries for record in entry.ids()],
                embeddings=np.concatenate([entry.rows for entry in entries]),
                documents=[said for entry in entries for said in (entry.text, *_nothing(entry))],
                metadatas=[told for entry in entries for told in (_metadata(entry), *_nothing(entry))],
            )

    def delete_stale(self, owner: int, memory_ids: Sequence[str], keep: Collection[str]) -> int:
        """Remove the records of `memory_ids` whose ids are not in `keep`; returns how many of the memories it held."""
        with _translated("removing from the index"):
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
        """Ids of the memories with the highest cosine of any vector to any row of `query`, best first."""
        with _translated("asking the index"):
            collection = self._collection(owner)
            wanted = limit * PER_MEMORY
            while True:
                found = collection.query(query_embeddings=query, n_results=wanted, include=["distances"])
                if all(_enough(ids, limit, wanted) for ids in found["ids"]):
                    return _best(found["ids"], found["distances"], limit)
                wanted *= PER_MEMORY

    def all_records(self, owner: int) -> dict[str, "Vectors"]:
        """Every record and its vector, for checking."""
        with _translated("reading the index"):
            found = self._collection(owner).get(include=["embeddings"])
        return dict(zip(found["ids"], found["embeddings"], strict=True))

    def _collection(self, owner: int) -> Any:
        if owner not in self._collections:
            collection = self._client.get_or_create_collection(
                f"owner-{owner}",
                embedding_function=None,
                configuration={"hnsw": HNSW},
            )
            _load(collection)
            self._collections[owner] = collection
        return self._collections[owner]


def _load(collection: Any) -> None:
    """Ask a collection something before anything else is done with it.

    Where a write comes before the first question, the first write after that question redoes up to a thousand others
    and stops the whole process for more than a second.
    """
    import numpy as np

    known = collection.get(limit=1, include=["embeddings"])["embeddings"]
    collection.query(query_embeddings=known if len(known) else np.ones((1, 1), np.float32), n_results=1, include=[])


def _open(folder: Path) -> Any:
    """A client on `folder`, assembled by hand because only so the cache of collections can be sized."""
    # Chroma begins with numpy.typing, which comes half made, for both, while another thread is importing numpy.
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
    system = System(settings)
    system.instance(ProductTelemetryClient)
    api = system.instance(ServerAPI)
    api.hnsw_cache_size = NEVER_EVICT
    system.start()
    return Client.from_system(system)


def _metadata(entry: Entry) -> dict[str, str | int]:
    return {**entry.metadata, "vectors": len(entry.kinds)}


def _nothing(entry: Entry) -> list[None]:
    """What the records behind the first say of a memory: writing it again there takes longer than their vectors."""
    return [None] * (len(entry.kinds) - 1)


def _memory_of(record: str) -> str:
    return record.rpartition(":")[0]


def _enough(ids: Sequence[str], limit: int, wanted: int) -> bool:
    """Whether more records could not bring further memories that are wanted."""
    return len(ids) < wanted or len({_memory_of(record) for record in ids}) >= limit


def _best(ids: Sequence[Sequence[str]], distances: Sequence[Sequence[float]], limit: int) -> list[tuple[str, float]]:
    best: dict[str, float] = {}
    for row_ids, row_distances in zip(ids, distances, strict=True):
        for record, distance in zip(row_ids, row_distances, strict=True):
            memory_id, score = _memory_of(record), 1.0 - distance
            best[memory_id] = max(score, best.get(memory_id, score))
    return sorted(best.items(), key=lambda hit: (-hit[1], hit[0]))[:limit]


@contextmanager
def _translated(step: str) -> Generator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # A panic in Chroma's Rust half derives from BaseException.
        raise IndexBroken(f"{step} failed ({type(error).__name__})") from error
