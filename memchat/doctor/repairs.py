"""What `memchat doctor --fix` puts right in the database: what can be made again from the memories themselves."""

from collections.abc import Callable, Iterator

from memchat.core.protocols import Embedder
from memchat.doctor.database import pluralize
from memchat.errors import StoreError
from memchat.storage.protocols import Repairs


def repair(repairs: Repairs, embedder: Callable[[], Embedder]) -> Iterator[str]:
    """Repair what can be repaired, step by step. Returns a sentence for each repair.

    What the damage prevents is left for the next check to name. Raises ModelError when vectors are missing and the
    embedder fails.
    """
    steps: tuple[Callable[[], str | None], ...] = (
        lambda: _indexes(repairs),
        lambda: _strays(repairs),
        lambda: _fulltext(repairs),
        lambda: _vectors(repairs, embedder),
        lambda: _messages(repairs),
    )
    for step in steps:
        try:
            with repairs.damage_as_store_error():
                done = step()
        except StoreError:
            continue
        if done:
            yield done


def _indexes(repairs: Repairs) -> str | None:
    copy = repairs.rebuild_indexes()
    return copy and f"SQLite's indexes were built anew; the database as it was is kept as {copy}."


def _strays(repairs: Repairs) -> str | None:
    count = repairs.remove_strays()
    return f"Rows that belonged to nothing, removed or given back: {count}." if count else None


def _fulltext(repairs: Repairs) -> str | None:
    count = repairs.rebuild_fulltext()
    return None if count is None else f"The index of words was put right, for {pluralize(count)}."


def _messages(repairs: Repairs) -> str | None:
    count = repairs.requeue_messages()
    return f"Messages to be indexed again, in the next chat: {count}." if count else None


def _vectors(repairs: Repairs, embedder: Callable[[], Embedder]) -> str | None:
    """Make missing vectors. Those of another embedder are left to `memchat reindex`, which may cost money."""
    count = repairs.renew_vectors(embedder)
    return f"New vectors for {pluralize(count)}." if count else None
