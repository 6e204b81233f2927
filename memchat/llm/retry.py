"""Retry after a failure that may pass, and announce every wait."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from memchat.errors import ModelError, ModelLoading, ModelUnreachable, RateLimited

Result = TypeVar("Result")

LONGEST_WAIT_S = 60.0
LONGEST_LOADING_S = 300.0
"""Maximum time for a server to load a model, in seconds."""
_LOADING_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(frozen=True, slots=True)
class RetryNotice:
    """Announces a wait: its reason, its length, and the number of the retry after it, from 1."""

    reason: str
    wait_s: float
    attempt: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retry up to `retries` times after a 429, a 5xx or a failed connection; other errors are raised at once.

    The wait is what the provider asked for, else 1, 2, 4 … seconds. A provider that asks for more than a minute is not
    retried; the error says how long it wants. A server that is loading its model is waited for up to five minutes,
    independently of `retries`, since it has not failed.
    """

    retries: int = 3
    on_retry: Callable[[RetryNotice], None] | None = None
    sleep: Callable[[float], None] = time.sleep

    def attempts(self) -> "Attempts":
        """Begin the attempts of one call."""
        return Attempts(self)

    def run(self, call: Callable[[], Result]) -> Result:
        """Return the result of `call`, with the retries of the policy."""
        attempts = self.attempts()
        while True:
            try:
                return call()
            except ModelError as error:
                failure = error
            attempts.pause(failure)


class Attempts:
    """Counts the failures of one call."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failed = 0
        self._loading = 0
        self._loading_s = 0.0

    def pause(self, error: ModelError) -> None:
        """Wait before the next attempt; raise `error` if there is none."""
        if isinstance(error, ModelLoading):
            wait_s = _LOADING_PAUSES_S[min(self._loading, len(_LOADING_PAUSES_S) - 1)]
            self._loading += 1
            self._loading_s += wait_s
            if self._loading_s > LONGEST_LOADING_S:
                raise error
            self._wait(error, wait_s, self._loading)
            return
        self._failed += 1
        if self._failed > self._policy.retries or not isinstance(error, RateLimited | ModelUnreachable):
            raise error
        wait_s = error.retry_after_s if error.retry_after_s is not None else 2.0 ** (self._failed - 1)
        if wait_s > LONGEST_WAIT_S:
            raise error
        self._wait(error, wait_s, self._failed)

    def _wait(self, error: ModelError, wait_s: float, attempt: int) -> None:
        if self._policy.on_retry is not None:
            self._policy.on_retry(RetryNotice(error.message, wait_s, attempt))
        self._policy.sleep(wait_s)


def duration(seconds: float) -> str:
    """Format a wait in readable units, rounded up: 45 s, 2 min, 1 h 30 min, 2 days."""
    left = math.ceil(seconds)
    if left < 120:
        return f"{left} s"
    minutes = math.ceil(left / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{math.ceil(hours / 24)} days"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
