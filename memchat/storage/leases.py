"""Which process is at work on a piece of pending work, and whether it still lives."""

import os
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from memchat.errors import StoreError

CLAIM_S = 900
"""How long a claim holds, in seconds, where it cannot be seen that its process has died."""


@cache
def process_lease_id() -> str:
    """A name for this process that no other has: its id and a random part, for ids are used again."""
    return f"{os.getpid()}.{uuid.uuid4().hex[:12]}"


@contextmanager
def releasing() -> Generator[None]:
    """For what writes that a claim has ended: where that fails, as on a full disk, nobody waits for the claim.

    This process then takes another name, and all that it has claimed so far is free.
    """
    try:
        yield
    except StoreError:
        process_lease_id.cache_clear()
        raise


def holder_is_dead(claim: str) -> bool:
    """Whether the process behind `claim` has surely ended. False where that cannot be known."""
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
