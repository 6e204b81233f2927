"""Read memories from SQLite: by id, by filter, by words, and the candidates of ranking."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from memchat.core.protocols import Candidate, Clock, MemoryFilter
from memchat.core.types import Change, Memory, Owner, Scope
from memchat.errors import AmbiguousId, NotFound
from memchat.storage.database import Database, placeholders
from memchat.storage.fulltext import match_query
from memchat.storage.memory_filter import SINCE, narrows, where_clause
from memchat.storage.memory_listing import listed, listed_json
from memchat.storage.memory_rows import (
    COLUMNS,
    TABLES,
    owner_number,
    to_candidate,
    to_change,
    to_memory,
    with_versions,
)
from memchat.storage.position import Position, position
from memchat.storage.results import MemoryListItem, Sort
from memchat.storage.short_ids import SHORTEST_TAIL
from memchat.storage.vectors.codec import searched
from memchat.text.embedding import with_dimension

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors
    from memchat.storage.vectors.search import VectorSearch

COUNTED = 20_000
"""Beyond this many memories a word is simply common."""
FEW_HIDDEN = 200
"""Up to this many hidden memories, extra results are requested instead of listing every visible memory."""


class MemoryReader:
    """The memories of one database, over one connection. Implements `RecallStore`."""

    def __init__(self, database: Database, clock: Clock, fingerprint: str) -> None:
        self.database = database
        self.clock = clock
        self.fingerprint = fingerprint
        self._dense: VectorSearch | None = None
        self._counted: dict[int, tuple[Position, int]] = {}

    def search_with(self, dense: "VectorSearch") -> None:
        """Use `dense` for vector search; before that it finds nothing."""
        self._dense = dense

    def get(self, memory_id: str) -> Memory | None:
        row = self.database.row(f"SELECT {COLUMNS} FROM {TABLES} WHERE m.id = ?", (memory_id,))
        return None if row is None else to_memory(row)

    def find(self, given: str, owners: Sequence[Owner]) -> Memory:
        """Find the one memory of `owners` whose id begins or ends with `given`, superseded ones included.

        A whole id wins over longer ones. An end has at least SHORTEST_TAIL characters. Raises NotFound, or AmbiguousId
        that names the candidates.
        """
        numbers = self.owner_numbers(owners)
        rows = self.database.rows(
            f"""SELECT {COLUMNS} FROM {TABLES} WHERE m.owner IN ({placeholders(numbers)})
                AND (substr(m.id, 1, ?) = ? COLLATE NOCASE OR (? AND substr(m.id, -?) = ? COLLATE NOCASE))
                ORDER BY m.id <> ?, m.id LIMIT 6""",
            (*numbers, len(given), given, len(given) >= SHORTEST_TAIL, max(len(given), 1), given, given),
        )
        if not rows or not given:
            raise NotFound(f"There is no memory {given!r}.", hint="memchat memories list shows the ids.")
        if len(rows) > 1 and rows[0]["id"] != given:
            some = "\n".join(f"  {row['id']}  {' '.join(row['text'].split())}" for row in rows[:5])
            raise AmbiguousId(f"{given!r} matches several memories:\n{some}", hint="Type more of the id.")
        return to_memory(rows[0])

    def memories(self, view: MemoryFilter, limit: int | None = None, offset: int = 0) -> list[Memory]:
        """List the memories of `view`, newest first, without the first `offset`."""
        numbers = self.owner_numbers(view.owners)
        if not numbers:
            return []
        where, values = where_clause(view, numbers, self.clock())
        sql = f"SELECT {COLUMNS} FROM {TABLES} WHERE {where} ORDER BY m.number DESC LIMIT ? OFFSET ?"
        return [to_memory(row) for row in self.database.rows(sql, (*values, -1 if limit is None else limit, offset))]

    def learned_from(self, message_id: str) -> list[Memory]:
        """List the memories learned from that message and not replaced since, oldest first."""
        rows = self.database.rows(
            f"SELECT {COLUMNS} FROM {TABLES} WHERE m.message_id = ? AND m.superseded_by IS NULL ORDER BY m.number",
            (message_id,),
        )
        return [to_memory(row) for row in rows]

    def owner_counts(self) -> list[tuple[Owner, int]]:
        """List every owner of current memories with their number, by kind and name."""
        sql = """SELECT o.kind, o.name, count(*) AS held FROM memories AS m JOIN owners AS o ON o.id = m.owner
            WHERE m.superseded_by IS NULL GROUP BY o.id ORDER BY o.kind DESC, o.name"""
        return [(Owner(Scope(row["kind"]), row["name"]), int(row["held"])) for row in self.database.rows(sql)]

    def count(self, view: MemoryFilter) -> int:
        numbers = self.owner_numbers(view.owners)
        if not narrows(view):
            hidden = [len(self._excluded(view, owner)) for owner in numbers]
            if all(count <= FEW_HIDDEN for count in hidden):
                return sum(map(self._current_count, numbers)) - sum(hidden)
        if not numbers:
            return 0
        where, values = where_clause(view, numbers, self.clock())
        return int(self.database.value(f"SELECT count(*) FROM memories AS m WHERE {where}", values))

    def tally(self, view: MemoryFilter) -> list[tuple[str, str, int]]:
        """Count the memories of `view` by category and month (YYYY-MM of their day under SINCE), in that order."""
        numbers = self.owner_numbers(view.owners)
        if not numbers:
            return []
        where, values = where_clause(view, numbers, self.clock())
        month = f"substr({SINCE}, 1, 7)"
        rows = self.database.rows(
            f"SELECT m.category, {month} AS month, count(*) AS n FROM memories AS m WHERE {where}"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            values,
        )
        return [(row["category"], row["month"], row["n"]) for row in rows]

    def _current_count(self, owner: int) -> int:
        """Count the owner's current memories. Recall asks at every turn, so the count is kept until a change."""
        now, known = position(self.database, owner), self._counted.get(owner)
        if known is None or known[0] != now:
            sql = "SELECT count(*) FROM memories WHERE owner = ? AND superseded_by IS NULL"
            known = self._counted[owner] = (now, int(self.database.value(sql, (owner,))))
        return known[1]

    def has_verbatim_turns(self, view: MemoryFilter) -> bool:
        """Return whether any memory of the owners is a turn kept verbatim."""
        sql = "SELECT 1 FROM memories WHERE verbatim = 1 AND owner = ? LIMIT 1"
        return any(self.database.value(sql, (number,)) for number in self.owner_numbers(view.owners))

    def standing(self, view: MemoryFilter) -> list[Memory]:
        numbers = self.owner_numbers(view.owners)
        if not numbers:
            return []
        where, values = where_clause(view, numbers, self.clock())
        sql = f"""SELECT {COLUMNS} FROM memories AS m INDEXED BY memories_standing JOIN owners AS o ON o.id = m.owner
            WHERE m.standing = 1 AND {where} ORDER BY m.number DESC LIMIT 50"""
        return [to_memory(row) for row in self.database.rows(sql, values)]

    def listed(
        self, view: MemoryFilter, limit: int | None = None, sort: Sort = Sort.CREATED
    ) -> Iterator[MemoryListItem]:
        """Yield what a list shows of the memories of `view`, ordered by `sort`; fast for ten thousand of them."""
        return listed(self.database, view, self.clock(), limit, sort)

    def listed_json(self, view: MemoryFilter, limit: int | None = None, sort: Sort = Sort.CREATED) -> Iterator[str]:
        """Yield the same as JSON objects, with the keys of `serialization.memory_json`."""
        return listed_json(self.database, view, self.clock(), limit, sort)

    def ids(self, owners: Sequence[Owner]) -> list[str]:
        """List the ids of all memories of `owners`, including superseded and expired ones, in order."""
        numbers = self.owner_numbers(owners)
        rows = self.database.rows(
            f"SELECT id FROM memories WHERE owner IN ({placeholders(numbers)}) ORDER BY id", numbers
        )
        return [row["id"] for row in rows]

    def count_versions(self, ids: Sequence[str]) -> int:
        """Count the memories `ids` together with the versions that they superseded."""
        return len(with_versions(self.database, ids))

    def history(self, memory: Memory) -> list[Change]:
        """List every change to `memory` and to the versions it superseded, oldest first."""
        chain = with_versions(self.database, [memory.id])
        rows = self.database.rows(
            f"SELECT * FROM changes WHERE memory_id IN ({placeholders(chain)}) ORDER BY seq", chain
        )
        return [to_change(row) for row in rows]

    # Recall's candidates.

    def keyword_search(self, view: MemoryFilter, terms: Sequence[str], limit: int) -> list[str]:
        numbers = self.owner_numbers(view.owners)
        if not numbers or not terms:
            return []
        where, values = where_clause(view, numbers, self.clock())
        rows = self.database.rows(
            f"""SELECT m.id FROM words CROSS JOIN memories AS m ON m.number = words.rowid
                WHERE words MATCH ? AND {where} ORDER BY words.rank LIMIT ?""",
            (match_query(terms, numbers), *values, limit),
        )
        return [row["id"] for row in rows]

    def frequencies(self, view: MemoryFilter, terms: Sequence[str]) -> dict[str, int]:
        numbers = self.owner_numbers(view.owners)
        if not numbers:
            return dict.fromkeys(terms, 0)
        sql = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
        return {term: int(self.database.value(sql, (match_query([term], numbers), COUNTED))) for term in terms}

    def vector_search(self, view: MemoryFilter, query: "Vectors", limit: int) -> list[str]:
        if self._dense is None:
            return []
        self.fingerprint = with_dimension(self.fingerprint, query.shape[1])
        query = searched(query, self.fingerprint)
        owners = self.owner_numbers(view.owners)
        nearest: list[tuple[int, float]] = []
        for owner in owners:
            hidden = None if narrows(view) else self._excluded(view, owner)
            if hidden is None or len(hidden) > FEW_HIDDEN:
                where, values = where_clause(view, [owner], self.clock())
                rows = self.database.rows(f"SELECT m.number FROM memories AS m WHERE {where}", values)
                nearest += self._dense.nearest(owner, query, limit, [row["number"] for row in rows])
            else:
                found = self._dense.nearest(owner, query, limit + len(hidden))
                nearest += [(number, score) for number, score in found if number not in hidden][:limit]
        nearest.sort(key=lambda pair: -pair[1])
        best = [number for number, _ in nearest[:limit]]
        if not best:
            return []
        where, values = where_clause(view, owners, self.clock())
        rows = self.database.rows(
            f"SELECT m.number, m.id FROM memories AS m WHERE m.number IN ({placeholders(best)}) AND {where}",
            (*best, *values),
        )
        included = {row["number"]: row["id"] for row in rows}
        return [included[number] for number in best if number in included]

    def _excluded(self, view: MemoryFilter, owner: int) -> set[int]:
        """Return current memories of the owner that a plain view leaves out: other sessions', and expired ones."""
        where, values = where_clause(view, [owner], self.clock())
        rows = self.database.rows(
            f"""SELECT m.number FROM memories AS m INDEXED BY memories_bounded
                WHERE m.owner = ? AND m.superseded_by IS NULL AND (m.session_id <> '' OR m.expires_at IS NOT NULL)
                AND ({where}) IS NOT TRUE LIMIT ?""",
            (owner, *values, FEW_HIDDEN + 1),
        )
        return {row["number"] for row in rows}

    def candidates(self, ids: Iterable[str]) -> list[Candidate]:
        wanted = list(dict.fromkeys(ids))
        sql = f"""
            SELECT m.id, m.text, m.cues, coalesce(m.valid_from, substr(m.created_at, 1, 10)) AS day, m.valid_to,
                m.doubtful, m.verbatim, m.session_id, v.kinds, v.rows AS vectors,
                CASE WHEN m.verbatim THEN (SELECT p.text FROM memories AS p WHERE p.verbatim = 1
                    AND p.evidence_session = m.evidence_session AND p.number < m.number
                    ORDER BY p.number DESC LIMIT 1) END AS previous,
                CASE WHEN m.verbatim THEN (SELECT n.text FROM memories AS n WHERE n.verbatim = 1
                    AND n.evidence_session = m.evidence_session AND n.number > m.number
                    ORDER BY n.number LIMIT 1) END AS following
            FROM memories AS m LEFT JOIN vectors AS v ON v.number = m.number AND v.fingerprint = ?
            WHERE m.id IN ({placeholders(wanted)})"""
        return [to_candidate(row, self.fingerprint) for row in self.database.rows(sql, (self.fingerprint, *wanted))]

    def by_ids(self, ids: Sequence[str]) -> dict[str, Memory]:
        rows = self.database.rows(f"SELECT {COLUMNS} FROM {TABLES} WHERE m.id IN ({placeholders(ids)})", ids)
        return {row["id"]: to_memory(row) for row in rows}

    def turn_before(self, memory: Memory) -> str | None:
        """Return the turn before a verbatim one."""
        if not memory.verbatim or memory.evidence is None:
            return None
        found: str | None = self.database.value(
            """SELECT text FROM memories WHERE verbatim = 1 AND evidence_session = ?
                AND number < (SELECT number FROM memories WHERE id = ?) ORDER BY number DESC LIMIT 1""",
            (memory.evidence.session_id, memory.id),
        )
        return found

    def last_verbatim(self, session_id: str) -> str | None:
        """Return the text of the newest message kept verbatim in that conversation."""
        found: str | None = self.database.value(
            "SELECT text FROM memories WHERE verbatim = 1 AND evidence_session = ? ORDER BY number DESC LIMIT 1",
            (session_id,),
        )
        return found

    def owner_numbers(self, owners: Sequence[Owner]) -> list[int]:
        """Return the numbers of those owners that the database knows."""
        return [number for owner in owners if (number := owner_number(self.database, owner)) is not None]
