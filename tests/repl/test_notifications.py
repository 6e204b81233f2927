"""Quiet lines about what goes on behind the prompt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from memchat.core.types import Applied, Event, Memory, Owner, Scope
from memchat.errors import ModelError
from memchat.learning.pipeline import LearningResult
from memchat.llm.retry import RetryNotice
from memchat.repl.layout import age, quiet
from memchat.repl.notifications import NotificationQueue, error_lines, learning_lines, retry_line, used_line
from memchat.text.sanitize import one_line

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def memory(text: str) -> Memory:
    return Memory("0198f3c2-1a2b-7000-8000-000000000000", Owner.user("al"), text, Scope.USER, "place", NOW, NOW)


BERLIN = memory("Lives in Berlin.")
AMSTERDAM = memory("Lives in Amsterdam.")


@pytest.mark.parametrize(
    ("applied", "line"),
    [
        ((), ""),
        ((Applied(Event.ADD, BERLIN),), "Remembered: Lives in Berlin."),
        ((Applied(Event.CONFIRM, BERLIN),), ""),
        (
            (Applied(Event.ADD, AMSTERDAM, (replace(BERLIN, superseded_by=AMSTERDAM.id),)),),
            "Updated: Lives in Amsterdam. (was: Lives in Berlin.)",
        ),
        ((Applied(Event.END, BERLIN),), "No longer true: Lives in Berlin."),
        ((Applied(Event.DOUBT, BERLIN),), "Possibly outdated: Lives in Berlin."),
        ((Applied(Event.DELETE, BERLIN),), "Forgotten: Lives in Berlin."),
        (
            (Applied(Event.ADD, BERLIN), Applied(Event.ADD, memory("Is vegetarian."))),
            "Remembered: Lives in Berlin. · Remembered: Is vegetarian.",
        ),
        ((Applied(Event.ADD, memory("a\nb\x1b[2J\tc")),), "Remembered: a b c"),
    ],
)
def test_a_lesson_is_told_in_one_line(applied: tuple[Applied, ...], line: str) -> None:
    """What is new, changed, ended or gone; what was only said again is not worth a line."""
    assert list(learning_lines(LearningResult(applied))) == [line][: len(line)]


def test_what_could_not_be_read_is_told_on_a_line_of_its_own() -> None:
    """Each reason once, whether or not something else was learned."""
    reasons = "in the extraction model's answer a fact has no quote; a fact is int."
    lost = f"Part of what you said may not have been remembered: {reasons}"
    unparsed = ("a fact has no quote", "a fact has no quote", "a fact is int")
    assert list(learning_lines(LearningResult(unparsed=unparsed))) == [lost]
    notes = NotificationQueue()
    notes(LearningResult((Applied(Event.ADD, BERLIN),), unparsed))
    assert notes.take() == ["Remembered: Lives in Berlin.", lost]


def test_notes_wait_until_they_are_taken_and_announce_themselves() -> None:
    """A line brought by another thread is kept for whoever owns the screen."""
    notes = NotificationQueue()
    calls: list[int] = []
    notes.arrived = lambda: calls.append(1)
    notes(LearningResult((Applied(Event.ADD, BERLIN),)))
    assert calls == [1]
    assert notes.take() == ["Remembered: Lives in Berlin."]
    assert notes.take() == []


def test_a_lesson_of_nothing_says_nothing() -> None:
    """Small talk leaves the screen alone."""
    notes = NotificationQueue()
    notes(LearningResult())
    assert notes.take() == []


def test_a_failure_that_keeps_coming_back_is_said_once() -> None:
    """Until learning has worked again."""
    notes = NotificationQueue()
    for _ in range(3):
        notes(LearningResult(error="The key was rejected."))
    assert len(notes.take()) == 1
    notes(LearningResult())
    notes(LearningResult(error="The key was rejected."))
    assert len(notes.take()) == 1


def test_a_retry_says_why_and_for_how_long() -> None:
    """One short line with the way to stop it."""
    assert (
        retry_line(RetryNotice("Too many requests.", 2.4, 1))
        == "Too many requests. Trying again in 2 s… (Ctrl-C to stop)"
    )
    assert "in 1 s" in retry_line(RetryNotice("Cut off.", 0.01, 1))


def test_an_error_has_its_hint_on_a_line_of_its_own() -> None:
    """What happened, then what to do; nothing a terminal would obey."""
    assert error_lines(ModelError("No \x1b[31mconnection.", hint="Is it running?")) == "No connection.\nIs it running?"
    assert error_lines(ModelError("No connection.")) == "No connection."


def test_quiet_lines_are_dimmed_only_where_that_is_wanted() -> None:
    """Not in a pipe, not with NO_COLOR, not on a terminal that cannot."""
    assert quiet("x", Terminal(), {"TERM": "xterm"}) == "\x1b[2mx\x1b[0m"
    assert quiet("x", StringIO(), {"TERM": "xterm"}) == "x"
    assert quiet("x", Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}) == "x"
    assert quiet("x", Terminal(), {"TERM": "dumb"}) == "x"


def test_one_line_is_one_line() -> None:
    """White space of any kind becomes a blank."""
    assert one_line(" a\n\n b\tc\u2028d ") == "a b c d"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "today"),
        (1, "yesterday"),
        (2, "2 days ago"),
        (13, "13 days ago"),
        (14, "2 weeks ago"),
        (59, "8 weeks ago"),
        (60, "2 months ago"),
        (729, "24 months ago"),
        (730, "2 years ago"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_says_enough(days: int, said: str) -> None:
    """By the days of the calendar."""
    assert age(NOW - timedelta(days=days), NOW) == said


@pytest.mark.parametrize(
    ("memories", "excerpts", "applied", "line"),
    [
        (0, 0, (), ""),
        (1, 0, (), "used 1 memory"),
        (3, 2, (), "used 3 memories, 2 excerpts"),
        (0, 1, (Applied(Event.CONFIRM, BERLIN),), "used 1 excerpt"),
        (0, 0, (Applied(Event.ADD, BERLIN),), "Remembered: Lives in Berlin."),
        (3, 2, (Applied(Event.ADD, BERLIN),), "used 3 memories, 2 excerpts · learned 1: Lives in Berlin."),
        (
            2,
            0,
            (Applied(Event.ADD, AMSTERDAM, (BERLIN,)), Applied(Event.ADD, memory("Is vegetarian."))),
            "used 2 memories · learned 2: Updated: Lives in Amsterdam. (was: Lives in Berlin.) · Is vegetarian.",
        ),
    ],
)
def test_one_line_under_an_answer(memories: int, excerpts: int, applied: tuple[Applied, ...], line: str) -> None:
    """What was used and what was learned; none where there is neither."""
    assert used_line(memories, excerpts, applied) == line


def test_what_stands_under_the_answer_is_not_said_again() -> None:
    """What another message taught still waits; what came to nothing is not waited for."""
    notes = NotificationQueue()
    notes(LearningResult((Applied(Event.ADD, BERLIN),), message_id="before"))
    notes(LearningResult((Applied(Event.ADD, AMSTERDAM),), message_id="this"))
    notes(LearningResult(message_id="empty"))
    assert [change.memory for change in notes.take_learned("this", 0.0)] == [AMSTERDAM]
    assert notes.take_learned("this", 0.0) == notes.take_learned("empty", 60.0) == ()
    assert notes.take_learned("unheard of", 0.0) == ()
    assert notes.take() == ["Remembered: Lives in Berlin."]
