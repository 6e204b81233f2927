"""Vector search: through the index where it can answer, by exact scan everywhere else."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from memchat.storage.database import placeholders
from memchat.storage.vectors.exact_search import ExactSearch

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors
    from memchat.storage.index.indexer import Indexer


class VectorSearch:
    """Find the nearest memories of an owner, through one thread's database. Both ways give the same answer."""

    def __init__(self, scan: ExactSearch, keeper: "Indexer | None" = None) -> None:
        self._scan = scan
        self._keeper = keeper
        self._indexed: set[int] = set()

    def nearest(
        self, owner: int, query: "Vectors", limit: int, allowed: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """Return numbers of the owner's memories with the highest cosine of any vector to any row of `query`, best
        first.

        `query` has shape `(q, dim)` with unit rows. At most `limit`. Only current memories, unless `allowed` lists the
        numbers that may be returned; those may be superseded.
        """
        found = None
        if self._keeper is not None and allowed is None and limit > 0 and len(query):
            found = self._keeper.nearest(owner, query, limit, self._scan.position(owner))
        if found is not None:
            memory_ids = [memory_id for memory_id, _ in found]
            marks = placeholders(memory_ids)
            # The plus keeps SQLite from reading all of the owner's memories instead of looking up these.
            sql = f"SELECT id, number FROM memories WHERE id IN ({marks}) AND +owner = ? AND +superseded_by IS NULL"
            numbers = {row["id"]: row["number"] for row in self._scan.database.rows(sql, (*memory_ids, owner))}
            # Fewer where a memory was deleted or replaced at this moment.
            if len(numbers) >= len(found):
                if owner not in self._indexed:
                    self._indexed.add(owner)
                    self._scan.release(owner)
                return [(numbers[memory_id], score) for memory_id, score in found]
        return self._scan.nearest(owner, query, limit, allowed)
