"""The learner: a worker behind the prompt that turns pending work into memories, one exchange at a time."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from memchat.core.types import Memory
from memchat.errors import MemchatError, ModelError, StoreBusy, traceback_without_message
from memchat.library_warnings import ignore_library_warnings

if TYPE_CHECKING:
    from memchat.learning.pipeline import LearningContext, LearningResult

log = logging.getLogger(__name__)

BETWEEN_BATCHES_S = 0.02
"""How long the worker lets others go first, in seconds, between two batches of messages to index."""
INDEX_RETRY_S = 60.0
"""How long indexing messages rests after a failure, in seconds: an embedder that is down is not asked all the time."""
END_WAIT_S = 600.0
"""How long a process that ends waits for what it has to learn, in seconds; the rest is taken up the next time."""
QUIET_S = 0.7
"""How long a model on this machine is left alone after a turn, in seconds: it answers one request at a time."""
IDLE_S = 2.0
"""How long the worker sleeps, in seconds, before it looks for work whose waiting time is over."""


class LearningWorker:
    """One daemon thread that learns from what `user` said, and from nobody else; with None from what anybody said.

    It starts when it is first woken, unless it is `idle` for good. `open_context` is called on it, so that connections
    are not shared between threads.
    """

    def __init__(
        self,
        open_context: "Callable[[], LearningContext]",
        on_result: "Callable[[LearningResult], None]",
        *,
        user: str | None,
        idle: bool = False,
        quiet_s: float = 0.0,
    ) -> None:
        self._open_context = open_context
        self._on_result = on_result
        self._user = user
        self._may_start = not idle
        self._told: deque[tuple[Memory, date]] = deque()
        self._news = threading.Condition(threading.RLock())
        self._stopping = False
        self._waited_s = 0.0
        self._awake = False
        self._settled = False
        self._index_from = 0.0
        self._quiet_s = quiet_s
        self._quiet_until = 0.0
        self._held = False
        self._ending = False
        self._tried: set[int] = set()
        self._renewal: Generator[int] | None = None
        self._thread = threading.Thread(target=self._run, name="learner", daemon=True)

    def hold(self) -> None:
        """Begin no further exchange until `notify`: a model that answers the person is not asked anything else."""
        with self._news:
            self._held = True

    def notify(self) -> None:
        """There may be work, new or left from another time."""
        with self._news:
            self._held = self._ending = False
            self._tried.clear()
            self._quiet_until = time.monotonic() + self._quiet_s
        self._wake()

    def _wake(self) -> None:
        with self._news:
            self._awake, self._settled = True, False
            self._news.notify_all()
            if self._may_start and not self._stopping:
                self._may_start = False
                self._thread.start()

    def compare(self, memory: Memory, today: date) -> None:
        """Have the language model decide what the hand-written `memory` replaces; report it to `on_result`."""
        self._told.append((memory, today))
        self.notify()

    def wait_until_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is left that could be learned here now. False when that takes longer than `timeout_s`.

        What another live process is at is not waited for, nor is what must wait for that.
        A learner that has stopped, or is idle, has nothing to wait for.

        From now on, until `notify`, every exchange is tried once at most.
        """
        with self._news:
            self._held, self._ending = False, True
        self._wake()
        with self._news:
            return self._news.wait_for(lambda: self._settled or not self._thread.is_alive(), timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop after the present step, waited for no longer than `timeout_s` in all calls together.

        Work left over stays pending on disk.
        """
        with self._news:
            self._stopping = True
            self._news.notify_all()
        if self._thread.is_alive():
            began = time.monotonic()
            self._thread.join(max(timeout_s - self._waited_s, 0.0))
            self._waited_s += time.monotonic() - began

    @ignore_library_warnings()
    def _run(self) -> None:
        from memchat.text.embedding import load_numpy

        context: LearningContext | None = None
        try:
            load_numpy()
            context = self._open_context()
            if context.indexes_messages:
                context.store.message_index.queue_foreign()
            while not self._stopping:
                self._step(context)
        except MemchatError as error:
            log.warning("the learner has stopped: %s", error.message)
            self._report_failure(error.message)
        finally:
            if context is not None:
                context.close()
            with self._news:
                self._settled = True
                self._news.notify_all()

    def _step(self, context: "LearningContext") -> None:
        """One exchange, or a rest. Neither a busy store nor a bug in one exchange ends the learning of the others."""
        try:
            if not (self._compare_next(context) or self._process_next(context)):
                busy = self._renew_vectors(context) or self._index_messages(context)
                self._rest(context, BETWEEN_BATCHES_S if busy else IDLE_S)
        except StoreBusy as error:
            self._report_failure(error.message)
            self._pause()
        except MemchatError:
            raise
        except Exception as error:
            from memchat.learning.pipeline import bug_message

            _log_bug("learning failed", error)
            self._report_failure(bug_message(error))
            self._pause()

    def _process_next(self, context: "LearningContext") -> bool:
        # Loaded here, for a chat's prompt does not wait for it.
        from memchat.learning.pipeline import learn

        if not self._may_claim():
            return False
        work = context.store.work.claim(self._user, self._skipped())
        if work is None:
            return False
        result = learn(context, work)
        if result.error is not None:
            with self._news:
                self._tried.add(work.id)
        self._report(replace(result, message_id=work.user_message_id))
        return True

    def _may_claim(self) -> bool:
        with self._news:
            return self._ending or not (self._held or time.monotonic() < self._quiet_until)

    def _skipped(self) -> frozenset[int]:
        """What a process that ends has tried in vain, and leaves to the next one."""
        with self._news:
            return frozenset(self._tried) if self._ending else frozenset()

    def _compare_next(self, context: "LearningContext") -> bool:
        from memchat.learning.comparison import compare_told

        if not self._told:
            return False
        self._report(compare_told(context, *self._told.popleft()))
        return True

    def _renew_vectors(self, context: "LearningContext") -> bool:
        """Read some memories again that an earlier built-in embedder read. True while there are more."""
        if self._renewal is None:
            self._renewal = context.store.vectors.renew_outdated(context.embedder)
        return next(self._renewal, None) is not None

    def _index_messages(self, context: "LearningContext") -> bool:
        """Make the newest messages of the backlog findable. True when there may be more to do at once."""
        if not context.indexes_messages or time.monotonic() < self._index_from:
            return False
        try:
            return context.store.message_index.index_next(self._user, context.embedder) > 0
        except ModelError as error:
            log.warning("messages could not be indexed: %s", error.message)
        except (MemchatError, MemoryError):
            raise
        except Exception as error:
            _log_bug("messages could not be indexed", error)
        self._index_from = time.monotonic() + INDEX_RETRY_S
        return False

    def _report_failure(self, reason: str) -> None:
        from memchat.learning.pipeline import LearningResult

        self._report(LearningResult(error=reason))

    def _report(self, result: "LearningResult") -> None:
        """What is learned is learned, whether or not it can be shown."""
        try:
            self._on_result(result)
        except Exception as error:
            _log_bug("what was learned could not be shown", error)

    def _rest(self, context: "LearningContext", seconds: float) -> None:
        with self._news:
            if not self._awake:
                self._settled = context.store.work.due(self._user, self._skipped()) == 0 and not self._told
                self._news.notify_all()
                quiet_s = self._quiet_until - time.monotonic()
                self._news.wait_for(
                    lambda: self._awake or self._stopping, min(seconds, quiet_s) if quiet_s > 0 else seconds
                )
            self._awake = False

    def _pause(self) -> None:
        """Nothing can be learned for the moment, also not by those who ask to settle."""
        with self._news:
            self._awake, self._settled = False, True
            self._news.notify_all()
            self._news.wait_for(lambda: self._stopping, IDLE_S)


def _log_bug(what: str, error: Exception) -> None:
    log.error("%s: %s", what, traceback_without_message(error))
