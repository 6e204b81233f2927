"""Dates as people say them, written out."""

from datetime import date

import pytest

from memchat.text.dates import resolve_dates

WEDNESDAY = date(2026, 3, 18)


@pytest.mark.parametrize(
    ("said", "written", "day"),
    [
        ("I came yesterday", "I came on 17 March 2026", date(2026, 3, 17)),
        ("I leave tomorrow morning", "I leave on the morning of 19 March 2026", date(2026, 3, 19)),
        ("I came two weeks ago", "I came in the week of 2 March 2026", date(2026, 3, 2)),
        ("it is in a month", "it is in April 2026", date(2026, 4, 1)),
        ("I came last week", "I came in the week of 9 March 2026", date(2026, 3, 9)),
        ("it starts next month", "it starts in April 2026", date(2026, 4, 1)),
        ("I came last Monday", "I came on 16 March 2026", date(2026, 3, 16)),
        ("I came on Monday", "I came on 16 March 2026", date(2026, 3, 16)),
        ("it is on Monday", "it is on 23 March 2026", date(2026, 3, 23)),
        ("it is next Friday", "it is on 27 March 2026", date(2026, 3, 27)),
        ("it was moved to Friday", "it was moved to 20 March 2026", date(2026, 3, 20)),
        ("it is on 2 April", "it is on 2 April 2026", date(2026, 4, 2)),
        ("it is on May 3rd", "it is on 3 May 2026", date(2026, 5, 3)),
        ("it happened on 2 April", "it happened on 2 April 2025", date(2025, 4, 2)),
        ("I need flour for the fair on 6 December", "I need flour for the fair on 6 December 2026", date(2026, 12, 6)),
        ("I need it before the 14th", "I need it before 14 April 2026", date(2026, 4, 14)),
        ("it starts in May", "it starts in May 2026", date(2026, 5, 1)),
        ("I broke it in January", "I broke it in January 2026", date(2026, 1, 1)),
        ("since last summer", "since summer 2025", date(2025, 6, 1)),
        ("done by the end of August", "done by the end of August 2026", date(2026, 8, 1)),
    ],
)
def test_relative_dates_are_resolved_by_the_day_of_the_message(said: str, written: str, day: date) -> None:
    """Verbs tell whether a bare date lies behind or ahead."""
    found = resolve_dates(said, WEDNESDAY)
    assert (found.text, found.day) == (written, day)


@pytest.mark.parametrize(
    "said",
    [
        "I play on Mondays",
        "it is on FRİDAY",
        "I came NİNE days ago",
        "I came LAſT week",
        "ıt was on frıday",
        "every Friday",
        "my sister June is vegan",
        "I may go",
        "since 2019",
        "for three years",
        "on 31 June",
        "the 4th floor",
        "in the week of 2 March 2026",
        "",
    ],
)
def test_other_words_stay(said: str) -> None:
    """Repeated days, names, durations, bare years and days that do not exist are no dates to resolve."""
    assert resolve_dates(said, WEDNESDAY).text == said


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2026, 12, 31), date(2026, 1, 31), date(2027, 1, 1)])
def test_any_day_can_be_today(today: date) -> None:
    """Ends of months and years and leap days are no trouble."""
    said = ("yesterday", "next month", "last month", "in a month", "on the 31st", "29 February", "last weekend")
    assert all("  " not in resolve_dates(f"it is {words}", today).text for words in said)
