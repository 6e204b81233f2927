"""The block of remembered things: what a line says, and that it reads back as it was written."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.core.types import Memory, Owner, Scope
from memchat.recall.memory_block import CLOSE, NOTHING, OPEN, BlockLine, line, parse, render
from memchat.text.sanitize import escape_fence

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
TODAY = NOON.date()


def memory(text: str = "User likes tea.", scope: Scope = Scope.USER, **others: Any) -> Memory:
    return Memory("id", Owner.user("al"), text, scope, "other", NOON, NOON, **others)


LINES = [
    (memory(), "- User likes tea. (noted 2026-06-03)"),
    (memory(valid_from=date(2020, 1, 1)), "- User likes tea. (since 2020-01-01)"),
    (memory(valid_to=date(2026, 6, 4)), "- User likes tea. (noted 2026-06-03, until 2026-06-04)"),
    (memory(valid_to=TODAY), "- User likes tea. (noted 2026-06-03, ended 2026-06-03)"),
    (memory(doubtful=True), "- User likes tea. (noted 2026-06-03, possibly outdated)"),
    (memory(scope=Scope.SESSION), "- User likes tea. (noted 2026-06-03, this conversation)"),
    (memory(scope=Scope.AGENT), "- User likes tea. (noted 2026-06-03, about the service)"),
]


@pytest.mark.parametrize(("remembered", "written"), LINES)
def test_a_line_says_since_when_and_whether_still(remembered: Memory, written: str) -> None:
    """So that a model can tell 'was' from 'is'."""
    assert line(remembered, TODAY) == written


def test_an_empty_block_says_so_and_reads_back_empty() -> None:
    """In the very words that are documented."""
    assert render([], TODAY) == f"{OPEN}\n{NOTHING}\n{CLOSE}"
    assert NOTHING == "No relevant memories found."
    assert parse(render([], TODAY)) == []


def test_the_last_block_of_a_prompt_is_read() -> None:
    """Whatever stands before and after; without a block there is nothing."""
    prompt = f"Example:\n{render([memory('Old.')], TODAY)}\n\n{render([memory()], TODAY)}\nMore words."
    assert parse(prompt) == [BlockLine("User likes tea.", "noted 2026-06-03")]
    assert parse("no block") == parse("") == parse(OPEN) == parse(f"{CLOSE}\n{OPEN}\n- x") == []


def test_brackets_in_a_memory_are_not_taken_for_its_dates() -> None:
    """Only the last ones are the notes."""
    assert parse(render([memory("User likes tea (green).")], TODAY))[0].text == "User likes tea (green)."
    assert parse(render([memory("User likes (tea)")], TODAY))[0] == BlockLine("User likes (tea)", "noted 2026-06-03")


@given(st.lists(st.text(min_size=1).filter(lambda text: bool(escape_fence(text))), max_size=4))
def test_any_texts_read_back_as_they_were_fenced(texts: list[str]) -> None:
    """Nothing that is stored can add a line, or leave the block."""
    block = render([memory(text) for text in texts], TODAY)
    assert [remembered.text for remembered in parse(block)] == [escape_fence(text) for text in texts]
    assert block.count(OPEN) == block.count(CLOSE) == 1
