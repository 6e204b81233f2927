"""Repair the database for `memchat doctor --fix`: everything that can be made again from the memories."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from memchat.core.protocols import Embedder
from memchat.errors import StoreError
from memchat.storage.protocols import Repairs
from memchat.text.plurals import pluralize

Result = TypeVar("Result")


def repair(repairs: Repairs, embedder: Callable[[], Embedder]) -> Iterator[str]:
    """Repair what can be repaired, and yield a sentence for each repair.

    Skips a repair that the damage prevents; the next check names it. Vectors of another embedder are left to
    `memchat reindex`, which may cost money. Raises ModelError when vectors are missing and the embedder fails.
    """

    def attempt(repair_step: Callable[[], Result]) -> Result | None:
        try:
            with repairs.damage_as_store_error():
                return repair_step()
        except StoreError:
            return None

    if copy := attempt(repairs.rebuild_indexes):
        yield f"SQLite's indexes were rebuilt; the database before that is kept as {copy}."
    if strays := attempt(repairs.remove_strays):
        yield f"Rows without an owner, removed or reassigned: {strays}."
    if (memories := attempt(repairs.rebuild_fulltext)) is not None:
        yield f"The full-text index was repaired, for {pluralize(memories, 'memory', 'memories')}."
    if vectors := attempt(lambda: repairs.renew_vectors(embedder)):
        yield f"New vectors for {pluralize(vectors, 'memory', 'memories')}."
    if messages := attempt(repairs.requeue_messages):
        yield f"Messages to index again during the next chat: {messages}."
