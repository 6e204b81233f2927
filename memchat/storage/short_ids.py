"""The ids there are, and how short one may be written."""

import re
from collections.abc import Sequence
from itertools import pairwise

from memchat.core.types import Owner
from memchat.storage.database import Database
from memchat.storage.memory_filter import owner_number

SHORTEST_ID = 8
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_generated(id_: str) -> bool:
    """Whether `id_` is one of memchat's own rather than a name that a person gave."""
    return _UUID7.fullmatch(id_) is not None


def memory_ids(database: Database, owners: Sequence[Owner]) -> list[str]:
    """The ids of all memories of `owners`, superseded and expired ones included, in order."""
    numbers = [number for owner in owners if (number := owner_number(database, owner)) is not None]
    marks = ",".join("?" * len(numbers))
    rows = database.rows(f"SELECT id FROM memories WHERE owner IN ({marks}) ORDER BY id", numbers)
    return [row["id"] for row in rows]


def shortest_prefixes(ids: Sequence[str]) -> dict[str, str]:
    """For each of `ids` its shortest beginning, of at least SHORTEST_ID characters, that no other of them shares."""
    length = dict.fromkeys(sorted(ids), SHORTEST_ID)
    for one, other in pairwise(length):
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
        length[one] = max(length[one], same + 1)
        length[other] = max(length[other], same + 1)
    return {full: full[:needed] for full, needed in length.items()}
