"""The position of the database, which caches and the index compare with their own."""

from dataclasses import dataclass

from memchat.storage.database import Database


@dataclass(frozen=True, slots=True)
class Position:
    """The last change, and the epoch.

    An epoch ends with an erasure and when vectors are made again: no row of `changes` tells of either, so caches and
    the index of a former epoch are given up whole.
    """

    seq: int
    epoch: int


def position(database: Database, owner: int | None = None) -> Position:
    """Return the position of the database, for `owner` or for all owners."""
    of_owner = "" if owner is None else " WHERE owner = ?"
    row = database.row(
        f"SELECT (SELECT max(seq) FROM changes{of_owner}), (SELECT number FROM epoch WHERE id = 1)",
        () if owner is None else (owner,),
    )
    return Position(0, 0) if row is None else Position(int(row[0] or 0), int(row[1] or 0))


def begin_epoch(database: Database) -> int:
    """Make every cache and the index give up what they hold; returns the new epoch. Inside a transaction."""
    database.execute("INSERT INTO epoch (id, number) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET number = number + 1")
    return int(database.value("SELECT number FROM epoch WHERE id = 1"))
