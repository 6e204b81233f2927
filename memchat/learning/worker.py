"""Learn in the background: a worker thread does the pending jobs, one exchange or added memory at a time."""

import logging
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from memchat.errors import MemchatError, ModelError, StoreBusy, traceback_without_message
from memchat.library_warnings import ignore_library_warnings

if TYPE_CHECKING:
    from memchat.learning.pipeline import LearningContext, LearningResult

log = logging.getLogger(__name__)

BETWEEN_BATCHES_S = 0.02
"""Pause between two batches of messages to index, in seconds, so that other threads come first."""
INDEX_RETRY_S = 60.0
"""Pause after indexing messages failed, in seconds, since the embedder may be down for a while."""
END_WAIT_S = 600.0
"""How long a process waits for its pending jobs before it ends, in seconds; the rest is learned at the next start."""
QUIET_S = 0.7
"""How long a model on this machine is left alone after a turn, in seconds, since it answers one request at a time."""
IDLE_S = 2.0
"""How long the worker sleeps before it looks for jobs that have become due, in seconds."""


class LearningWorker:
    """A daemon thread that learns from the messages of `user` only, or with None from those of all users.

    It starts when it is first woken, unless it is `idle`. It calls `open_context` itself, since threads must not share
    connections.
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
        self._news = threading.Condition(threading.RLock())
        self._stopping = self._ended = False
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
        """Begin no further exchange until `notify`, so that the model is free to answer the user."""
        with self._news:
            self._held = True

    def notify(self) -> None:
        """Look for jobs, new or left from another time."""
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

    def wait_until_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until no job is left that this process could do now. Returns False after `timeout_s`.

        Jobs of other live processes, and jobs that wait for those, are not waited for. Returns at once when the worker
        has stopped or is idle. From now on, until `notify`, every exchange is tried once at most.
        """
        with self._news:
            self._held, self._ending = False, True
        self._wake()
        with self._news:
            return self._news.wait_for(lambda: self._settled or not self._thread.is_alive(), timeout_s)

    def wait_until(self, done: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until `done`, which is asked again after each job. Returns its last answer after `timeout_s`.

        Returns at once when the worker has stopped or is idle.
        """
        with self._news:
            self._news.wait_for(lambda: done() or self._ended or not self._thread.is_alive(), timeout_s)
        return done()

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop after the present step; wait for it at most `timeout_s` in all calls together.

        Remaining jobs stay pending on disk.
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
                self._settled = self._ended = True
                self._news.notify_all()

    def _step(self, context: "LearningContext") -> None:
        """Learn from one exchange, or rest. A busy store or a bug in one exchange does not stop the others."""
        try:
            if not self._process_next(context):
                if self._renewal is None:
                    self._renewal = context.store.vectors.renew_outdated(context.embedder)
                busy = next(self._renewal, None) is not None or self._index_messages(context)
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
        # Imported here, so that a chat's prompt does not wait for it.
        from memchat.learning.pipeline import learn

        with self._news:
            quiet = self._held or time.monotonic() < self._quiet_until
            if quiet and not self._ending:
                return False
        work = context.store.work.claim(self._user, self._skipped_jobs())
        if work is None:
            return False
        result = learn(context, work)
        if result.error is not None:
            with self._news:
                self._tried.add(work.id)
        self._report(replace(result, message_id=work.user_message_id or None, memory_id=work.memory_id))
        return True

    def _skipped_jobs(self) -> frozenset[int]:
        """Return the jobs that a process about to end has tried in vain, and leaves to the next one."""
        with self._news:
            return frozenset(self._tried) if self._ending else frozenset()

    def _index_messages(self, context: "LearningContext") -> bool:
        """Index the newest messages of the backlog. Returns True when there may be more to do at once."""
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
        """Pass `result` on. It stays learned even if it cannot be shown."""
        try:
            self._on_result(result)
        except Exception as error:
            _log_bug("what was learned could not be shown", error)
        with self._news:
            self._news.notify_all()

    def _rest(self, context: "LearningContext", seconds: float) -> None:
        with self._news:
            if not self._awake:
                self._settled = context.store.work.due(self._user, self._skipped_jobs()) == 0
                self._news.notify_all()
                quiet_s = self._quiet_until - time.monotonic()
                self._news.wait_for(
                    lambda: self._awake or self._stopping, min(seconds, quiet_s) if quiet_s > 0 else seconds
                )
            self._awake = False

    def _pause(self) -> None:
        """Pause after a failure. `wait_until_idle` returns meanwhile."""
        with self._news:
            self._awake, self._settled = False, True
            self._news.notify_all()
            self._news.wait_for(lambda: self._stopping, IDLE_S)


def _log_bug(what: str, error: Exception) -> None:
    log.error("%s: %s", what, traceback_without_message(error))
