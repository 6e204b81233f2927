"""The lease on a job: the id of this process, how long it lasts, and whether its holder still lives."""

import os
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from memchat.errors import StoreError

CLAIM_S = 900
"""Duration of a lease, in seconds, if the death of its process cannot be detected."""


@cache
def process_lease_id() -> str:
    """Return a name that only this process has: its id and a random part, since ids are reused."""
    return f"{os.getpid()}.{uuid.uuid4().hex[:12]}"


@contextmanager
def releasing() -> Generator[None]:
    """Release a lease in the block. If the write fails (disk full), change this process's id so that its leases count
    as abandoned."""
    try:
        yield
    except StoreError:
        process_lease_id.cache_clear()
        raise


def holder_is_dead(claim: str) -> bool:
    """Return whether the process behind `claim` has certainly ended. False if that cannot be known."""
    if claim == process_lease_id() or sys.platform == "win32":
        return False
    try:
        process = int(claim.split(".", maxsplit=1)[0])
    except ValueError:
        return True
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
