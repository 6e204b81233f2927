"""Quiet lines about what goes on behind the prompt: what was learned, what is tried again."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from memchat.core.types import Applied, Event
from memchat.errors import MemchatError
from memchat.repl.layout import duration, one_line
from memchat.text.sanitize import strip_control_chars

if TYPE_CHECKING:
    from memchat.learning.pipeline import LearningResult
    from memchat.memories.remember import RememberResult


class Wait(Protocol):
    """A wait before another attempt to reach the model, `attempt` counted from 1."""

    @property
    def reason(self) -> str: ...

    @property
    def wait_s(self) -> float: ...

    @property
    def attempt(self) -> int: ...


class NotificationQueue:
    """Lines from other threads that wait until the screen has a place for them.

    Give it to the chat as `on_learned`, and its `retrying` to the app as `on_retry`. `arrived` is called after each
    line and each message that was learned from, on the thread that brought it; `at_once` prints what the person waits
    for, `on_wait` shows a wait in the place of that. `learned` says what came of each message that was learned from. An
    error that keeps coming back is said once.
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
            self.add(f"Not learned from yet: {result.error} It is kept; memchat status shows it.")
        self._last_error = result.error

    def retrying(self, notice: Wait) -> None:
        """Say that the model is tried again, where a person waits for it: not for what the learner does behind."""
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
        # Read once: the loop may take it away meanwhile.
        if (arrived := self.arrived) is not None:
            arrived()

    @property
    def waiting(self) -> bool:
        """Whether there are lines to take."""
        return bool(self._lines)

    def take(self) -> list[str]:
        """The lines that came since the last time, oldest first."""
        with self._changed:
            lines, self._lines = self._lines, []
        return [line for line, _ in lines]

    def take_learned(self, message_id: str, timeout_s: float) -> tuple[Applied, ...]:
        """What the message taught, taken out of the lines that wait; nothing where that is not known in time."""
        with self._changed:
            self._changed.wait_for(lambda: message_id in self._heard_of, timeout_s)
            kept = [(line, of) for line, of in self._lines if of != message_id]
            waited, self._lines = len(kept) < len(self._lines), kept
        return self.learned[message_id] if waited else ()


def learning_lines(result: "LearningResult") -> Iterator[str]:
    """One line that says what was learned, one that says what may be missing; none when there is nothing to say."""
    return filter(None, (learned_line(result.applied), unparsed_line(result.unparsed)))


def learned_line(applied: tuple[Applied, ...]) -> str:
    """What was learned, in one line; empty where that is nothing new."""
    return " · ".join(_parts(applied))


def unparsed_line(unparsed: Sequence[str]) -> str:
    """What may be missing, in one line."""
    faults = "; ".join(dict.fromkeys(unparsed))
    return f"Something you said may not be kept: in the extraction model's answer {faults}." if faults else ""


def used_line(memories: int, excerpts: int, applied: tuple[Applied, ...] = ()) -> str:
    """How much of memory was in a prompt, and what was learned meanwhile; empty where nothing was."""
    counts = ((memories, "memory", "memories"), (excerpts, "excerpt", "excerpts"))
    used = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
    learned = list(_parts(applied))
    if not (used and learned):
        return f"used {used}" if used else learned_line(applied)
    texts = " · ".join(part.removeprefix(f"{_WORDS[Event.ADD]}: ") for part in learned)
    return f"used {used} · learned {len(learned)}: {texts}"


def _parts(applied: tuple[Applied, ...]) -> Iterator[str]:
    for change in applied:
        text = one_line(change.memory.text)
        if change.event is Event.ADD and change.replaced:
            former = "; ".join(one_line(memory.text) for memory in change.replaced)
            yield f"Updated: {text} (was: {former})"
        elif change.event in _WORDS:
            yield f"{_WORDS[change.event]}: {text}"


_WORDS = {
    Event.ADD: "Remembered",
    Event.UPDATE: "Updated",
    Event.END: "No longer so",
    Event.DOUBT: "Perhaps outdated",
    Event.DELETE: "Forgotten",
}


def remember_lines(told: "RememberResult", short: Mapping[str, str], *, named: bool = False) -> list[str]:
    """What became of a text that was told, with its id where it is to be `named`, and what is close to it.

    `short` says how short the ids may be written.
    """
    verb = "Updated" if told.replaced else "Known already" if told.known else "Remembered"
    place = f" {short.get(told.memory.id, told.memory.id)}" if named else ""
    always = " (for every answer)" if told.memory.standing else ""
    was = "; ".join(one_line(memory.text) for memory in told.replaced)
    line = f"{verb}{place}: {one_line(told.memory.text)}{always}{was and f' (was: {was})'}"
    lines = [line] if told.undecided is None else [line, f"  What it replaces is not known: {told.undecided}"]
    return [*lines, *(f"  close to it: {short.get(m.id, m.id)}  {one_line(m.text)}" for m in told.similar)]


def retry_line(notice: Wait) -> str:
    """What is shown while the model is waited for."""
    reason = one_line(notice.reason).rstrip(".")
    return f"{reason}. Trying again in {duration(max(notice.wait_s, 1))}… (Ctrl-C to stop)"


def error_lines(error: MemchatError) -> str:
    """An expected failure: what happened, and on a line of its own what to do."""
    return strip_control_chars(error.message if not error.hint else f"{error.message}\n{error.hint}")
