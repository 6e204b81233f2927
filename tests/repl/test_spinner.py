"""The sign of life, and lines that break between words."""

import time

import pytest

from memchat.repl import spinner
from memchat.repl.layout import duration, wrap_lines
from memchat.repl.spinner import countdown_label, waiting_label
from memchat.terminal import cells


def test_the_mark_is_shown_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while one mark appears; ending wipes it once and for all."""
    monkeypatch.setattr(spinner, "QUIET_S", 0.01)
    written: list[str] = []
    sign = spinner.Spinner(written.append, waiting_label())
    deadline = time.monotonic() + 60
    while not written and time.monotonic() < deadline:
        time.sleep(0.01)
    sign.end()
    sign.end()
    assert len(written) == 2
    assert "Ctrl-C stops" in written[0]
    assert "…" in written[0]
    assert written[1] == "\r\x1b[K"


def test_nothing_is_written_where_the_answer_is_quick() -> None:
    """Ended in time, the sign never shows, and there is nothing to wipe."""
    written: list[str] = []
    spinner.Spinner(written.append, waiting_label()).end()
    assert written == []


def test_lines_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than the screen is broken at a space, what follows indented a little further."""
    monkeypatch.setenv("COLUMNS", "24")
    assert wrap_lines("  one two three four five six") == "  one two three four\n    five six"
    assert wrap_lines("short\n\n  kept") == "short\n\n  kept"


def test_labels_say_for_how_long_and_how_to_stop() -> None:
    """Seconds waited so far, or left to wait."""
    assert waiting_label()(0.6) == "… · Ctrl-C stops"
    assert waiting_label("loading")(12.2) == "loading… 12 s · Ctrl-C stops"
    assert countdown_label("trying again", 130)(10.0) == "trying again in 2 min · Ctrl-C stops"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.2, "0 s"),
        (6, "6 s"),
        (59.4, "59 s"),
        (90, "1 min 30 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (5400, "1 h 30 min"),
    ],
)
def test_a_wait_is_given_in_peoples_units(seconds: float, shown: str) -> None:
    """Seconds, minutes, hours."""
    assert duration(seconds) == shown


def test_wide_characters_are_broken_by_the_columns_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the screen."""
    monkeypatch.setenv("COLUMNS", "20")
    lines = wrap_lines("  " + "日本語" * 6).split("\n")
    assert "".join(line.strip() for line in lines) == "日本語" * 6
    assert [cells(line) for line in lines] == [16, 20, 10]
