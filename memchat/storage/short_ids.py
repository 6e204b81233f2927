"""The ids there are, and how short one may be written."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from memchat.core.types import Owner, Session
from memchat.storage.database import Database
from memchat.storage.memory_rows import owner_number

SHORT_ID = 8
"""How many of its last characters stand for an id wherever one is shown."""
SHORTEST_TAIL = 7
"""How many of its last characters are taken for an id at least; the beginning may be shorter."""
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_generated(id_: str) -> bool:
    """Whether `id_` is one of memchat's own rather than a name that a person gave."""
    return _UUID7.fullmatch(id_) is not None


def new_conversation(session: Session) -> str | None:
    """A word about a conversation that was begun under a name, which may have been meant for another's."""
    return None if session.messages or is_generated(session.id) else f"New conversation {session.id!r}."


def memory_ids(database: Database, owners: Sequence[Owner]) -> list[str]:
    """The ids of all memories of `owners`, superseded and expired ones included, in order."""
    numbers = [number for owner in owners if (number := owner_number(database, owner)) is not None]
    marks = ",".join("?" * len(numbers))
    rows = database.rows(f"SELECT id FROM memories WHERE owner IN ({marks}) ORDER BY id", numbers)
    return [row["id"] for row in rows]


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """For each of `ids` its end, of SHORT_ID characters: the beginning of an id is a clock, its end is random.

    Where two of them end alike, as one pair among a hundred thousand may, more characters are shown for both.
    """
    every = dict.fromkeys(ids)
    length = SHORT_ID
    shown: dict[str, str] = {}
    while len(shown) < len(every):
        tails = Counter(id_[-length:] for id_ in every if id_ not in shown)
        shown |= {id_: id_[-length:] for id_ in every if id_ not in shown and tails[id_[-length:]] == 1}
        length += 1
    return shown
