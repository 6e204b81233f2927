"""Trying again after a failure that may pass, with every wait announced."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from memchat.errors import ModelError, ModelUnreachable, RateLimited

Result = TypeVar("Result")

LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class RetryNotice:
    """Said before each wait: why, for how long, and which retry comes after it, counted from 1."""

    reason: str
    wait_s: float
    attempt: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Up to `retries` more attempts after a 429, a 5xx or a failed connection; nothing else is tried again.

    The wait is what the provider asked for, else 1, 2, 4 … seconds. A provider that asks for more than a minute gets
    no retry: the error says how long it wants.
    """

    retries: int = 3
    on_retry: Callable[[RetryNotice], None] | None = None
    sleep: Callable[[float], None] = time.sleep

    def pause(self, error: ModelError, attempt: int) -> None:
        """Wait before retry number `attempt`, counted from 1; raise `error` where there is to be none."""
        if attempt > self.retries or not isinstance(error, RateLimited | ModelUnreachable):
            raise error
        wait_s = error.retry_after_s if error.retry_after_s is not None else 2.0 ** (attempt - 1)
        if wait_s > LONGEST_WAIT_S:
            raise error
        if self.on_retry is not None:
            self.on_retry(RetryNotice(error.message, wait_s, attempt))
        self.sleep(wait_s)

    def run(self, call: Callable[[], Result]) -> Result:
        """The result of `call`, tried again as the policy says."""
        attempt = 0
        while True:
            try:
                return call()
            except ModelError as error:
                failure = error
            attempt += 1
            self.pause(failure, attempt)
