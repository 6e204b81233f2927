"""Run requests that wait for a model in threads of their own, and refuse those beyond a limit with status 503."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from starlette.exceptions import HTTPException

RUNNING = 200
"""Maximum number of running model calls; each holds a thread and a database connection."""
WAITING = 400
"""Maximum number of calls that wait for one of these threads."""
LEARNING = 20
"""Maximum number of adds that learn at a time. Each embeds, searches and writes; many at once would hold up every other
request."""
RETRY_AFTER_S = 10

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class ModelCalls:
    """Runs blocking calls on at most `running` threads; rejects more than `waiting` queued calls with 503."""

    def __init__(self, running: int = RUNNING, waiting: int = WAITING) -> None:
        self._limiter = anyio.CapacityLimiter(running)
        self._most = running + waiting
        self._pending = 0

    @property
    def pending(self) -> int:
        """Number of calls that are running or waiting for a thread."""
        return self._pending

    async def run(self, call: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        """Run `call` to its end, even if the client disconnects, and return its result."""
        if self._pending >= self._most:
            raise HTTPException(
                503, "Too many requests are waiting for the model.", headers={"Retry-After": str(RETRY_AFTER_S)}
            )
        self._pending += 1
        try:
            return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)
        finally:
            self._pending -= 1
