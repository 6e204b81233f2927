"""The sign of life, and lines that break between words."""

import time

import pytest

from memchat.repl import spinner
from memchat.repl.layout import folded


def test_the_mark_is_shown_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while one mark appears; ending wipes it once and for all."""
    monkeypatch.setattr(spinner, "QUIET_S", 0.01)
    written: list[str] = []
    sign = spinner.Spinner(written.append)
    deadline = time.monotonic() + 10
    while not written and time.monotonic() < deadline:
        time.sleep(0.01)
    sign.end()
    sign.end()
    assert len(written) == 2
    assert "…" in written[0]
    assert written[1] == "\r\x1b[K"


def test_nothing_is_written_where_the_answer_is_quick() -> None:
    """Ended in time, the sign never shows, and there is nothing to wipe."""
    written: list[str] = []
    spinner.Spinner(written.append).end()
    assert written == []


def test_lines_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than the screen is broken at a space, what follows indented a little further."""
    monkeypatch.setenv("COLUMNS", "24")
    assert folded("  one two three four five six") == "  one two three four\n    five six"
    assert folded("short\n\n  kept") == "short\n\n  kept"
