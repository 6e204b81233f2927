"""Titles of conversations in many scripts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.text.titles import COLUMNS, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Short  and\nsweet", "Short and sweet"),
        (
            "Kannst du mir bitte erklären, wie die Krankenversicherungspflicht funktioniert?",
            "Kannst du mir bitte erklären, wie die",
        ),
        (
            "Помоги мне составить расписание тренировок на следующие два месяца",
            "Помоги мне составить расписание тренировок на следующие два",
        ),
        (
            "来月の京都旅行の計画を立てたいです。二泊三日で、寺と庭園を中心に回りたいと思っています。",
            "来月の京都旅行の計画を立てたいです。二泊三日で、",
        ),
        (
            "我想学做几道家常菜，最好是半个小时以内能做完的，而且不要太辣，家里有小孩。",
            "我想学做几道家常菜，最好是半个小时以内能做完的，",
        ),
        (
            "أريد أن أتعلم اللغة الإسبانية في ستة أشهر، فكيف أبدأ وما الكتب المناسبة؟",
            "أريد أن أتعلم اللغة الإسبانية في ستة أشهر، فكيف أبدأ وما",
        ),
    ],
)
def test_a_title_ends_where_a_word_or_a_clause_does(text: str, title: str) -> None:
    """In scripts with and without spaces."""
    assert title_of(text) == title


@pytest.mark.parametrize("cluster", ["กี่", "क्षि", "e\u0301", "👩‍👩‍👧", "👍🏽", "ស្រី", "한"])
@pytest.mark.parametrize("before", range(3))
def test_no_character_is_cut_in_two(cluster: str, before: int) -> None:
    """Not between a letter and its signs, nor within joined emoji."""
    title = title_of("x" * before + cluster * 80)
    assert (title[before:] or cluster).replace(cluster, "") == ""
    assert title


@given(st.text(max_size=300))
def test_a_title_is_a_beginning_that_fits(text: str) -> None:
    """Whatever was said, and never nothing of something."""
    line, title = " ".join(text.split()), title_of(text)
    assert line.startswith(title)
    assert bool(title) == bool(line)
    wide = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in title if unicodedata.category(c)[0] in "LN")
    assert wide <= COLUMNS
