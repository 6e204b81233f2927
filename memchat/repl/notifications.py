"""Notifications about background work: what was learned, which calls are retried."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from memchat.core.types import Applied, Event
from memchat.errors import MemchatError
from memchat.repl.layout import duration
from memchat.text.plurals import pluralize
from memchat.text.sanitize import one_line, strip_control_chars

if TYPE_CHECKING:
    from memchat.learning.pipeline import LearningResult
    from memchat.memories.remember import RememberResult


class Wait(Protocol):
    """A wait of `wait_s` seconds before another attempt to reach the model; `attempt` counts from 1."""

    @property
    def reason(self) -> str: ...

    @property
    def wait_s(self) -> float: ...

    @property
    def attempt(self) -> int: ...


class NotificationQueue:
    """Lines from other threads, kept until the screen can show them.

    Pass it to the chat as `on_learned`, and its `retrying` to the app as `on_retry`. `arrived` is called after each new
    line and each message that was learned from, on the thread that added it. `at_once` prints a line immediately;
    `on_wait`, if set, shows a retry instead. `learned` maps message ids to what was learned from them. A repeated error
    is shown once.
    """

    def __init__(self) -> None:
        self.arrived: Callable[[], None] | None = None
        self.at_once: Callable[[str], None] | None = None
        self.on_wait: Callable[[Wait], None] | None = None
        self.learned: dict[str, tuple[Applied, ...]] = {}
        self._lines: list[tuple[str, str | None]] = []
        self._heard_of: set[str] = set()
        self._last_error: str | None = None
        self._changed = threading.Condition()

    def __call__(self, result: "LearningResult") -> None:
        if result.message_id is not None and result.applied:
            self.learned[result.message_id] = result.applied
        with self._changed:
            if line := learned_line(result.applied):
                self._lines.append((line, result.message_id))
            if result.message_id is not None:
                self._heard_of.add(result.message_id)
            self._changed.notify_all()
        self._tell()
        if line := unparsed_line(result.unparsed):
            self.add(line)
        if result.error is not None and result.error != self._last_error:
            added = result.memory_id is not None
            failed = "decide what an added memory replaces" if added else "learn from your last message"
            self.add(f"Could not {failed} yet: {result.error} Will retry; see memchat status.")
        self._last_error = result.error

    def retrying(self, notice: Wait) -> None:
        """Show that the model is retried, on the main thread only: retries of the learning thread are silent."""
        if threading.current_thread() is not threading.main_thread():
            return
        if self.on_wait is not None:
            self.on_wait(notice)
        elif self.at_once is not None:
            self.at_once(retry_line(notice))

    def add(self, line: str) -> None:
        with self._changed:
            self._lines.append((line, None))
        self._tell()

    def _tell(self) -> None:
        # Read it once: the main loop may reset it meanwhile.
        if (arrived := self.arrived) is not None:
            arrived()

    @property
    def waiting(self) -> bool:
        """Return whether there are lines to take."""
        return bool(self._lines)

    def take(self) -> list[str]:
        """Return and remove the waiting lines, oldest first."""
        with self._changed:
            lines, self._lines = self._lines, []
        return [line for line, _ in lines]

    def take_learned(self, message_id: str, timeout_s: float) -> tuple[Applied, ...]:
        """Return what was learned from the message and remove its line; empty if not known within `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: message_id in self._heard_of, timeout_s)
            kept = [(line, of) for line, of in self._lines if of != message_id]
            waited, self._lines = len(kept) < len(self._lines), kept
        return self.learned[message_id] if waited else ()


def learning_lines(result: "LearningResult") -> Iterator[str]:
    """Yield a line with what was learned and a line with what may be missing, as far as there is any."""
    return filter(None, (learned_line(result.applied), unparsed_line(result.unparsed)))


def learned_line(applied: tuple[Applied, ...]) -> str:
    """Describe what was learned in one line; empty if nothing was."""
    return " · ".join(_parts(applied))


def unparsed_line(unparsed: Sequence[str]) -> str:
    """Describe what may not have been remembered; empty if nothing is missing."""
    faults = "; ".join(dict.fromkeys(unparsed))
    return f"{_UNPARSED} in the extraction model's answer {faults}." if faults else ""


def used_line(memories: int, excerpts: int, applied: tuple[Applied, ...] = ()) -> str:
    """Describe how much of memory was in a prompt and what was learned from the message; empty if nothing was."""
    counts = ((memories, "memory", "memories"), (excerpts, "excerpt", "excerpts"))
    used = ", ".join(pluralize(count, one, many) for count, one, many in counts if count)
    learned = list(_parts(applied))
    if not (used and learned):
        return f"used {used}" if used else learned_line(applied)
    texts = " · ".join(part.removeprefix(f"{_LABELS[Event.ADD]}: ") for part in learned)
    return f"used {used} · learned {len(learned)}: {texts}"


def _parts(applied: tuple[Applied, ...]) -> Iterator[str]:
    for change in applied:
        text = one_line(change.memory.text)
        if change.event is Event.ADD and change.replaced:
            former = "; ".join(one_line(memory.text) for memory in change.replaced)
            yield f"Updated: {text} (was: {former})"
        elif change.event in _LABELS:
            yield f"{_LABELS[change.event]}: {text}"


_UNPARSED = "Part of what you said may not have been remembered:"
_LABELS = {
    Event.ADD: "Remembered",
    Event.UPDATE: "Updated",
    Event.END: "No longer true",
    Event.DOUBT: "Possibly outdated",
    Event.DELETE: "Forgotten",
}


def remember_lines(result: "RememberResult", short: Mapping[str, str], *, named: bool = False) -> list[str]:
    """Describe what was remembered, what it replaced and what is similar to it.

    With `named`, the line includes the id of the memory. `short` maps ids to their short forms.
    """
    label = "Updated" if result.replaced else "Already known" if result.known else "Remembered"
    id_ = f" {short.get(result.memory.id, result.memory.id)}" if named else ""
    always = " (for every answer)" if result.memory.standing else ""
    was = "; ".join(one_line(memory.text) for memory in result.replaced)
    lines = [f"{label}{id_}: {one_line(result.memory.text)}{always}{was and f' (was: {was})'}"]
    if result.undecided is not None:
        lines.append(f"  Could not decide yet what it replaces: {result.undecided}")
    return [*lines, *(f"  Similar: {short.get(m.id, m.id)}  {one_line(m.text)}" for m in result.similar)]


def retry_line(notice: Wait) -> str:
    """Return the line that is shown while memchat waits to try the model again."""
    reason = one_line(notice.reason).rstrip(".")
    return f"{reason}. Trying again in {duration(max(notice.wait_s, 1))}… (Ctrl-C to stop)"


def error_lines(error: MemchatError) -> str:
    """Format an expected failure: what happened, and on the next line what to do."""
    return strip_control_chars(error.message if not error.hint else f"{error.message}\n{error.hint}")
