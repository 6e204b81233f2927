"""Since when a fact holds, and its dates written out, by rules."""

from datetime import date

import pytest

from memchat.learning.extraction import Fact
from memchat.learning.periods import date_facts

TODAY = date(2026, 6, 3)


def beginning(quote: str) -> date | None:
    (fact,) = date_facts([Fact("User has something.", quote)], TODAY)
    return fact.valid_from


BEGINNINGS = [
    ("I've played the harp since 2012", date(2012, 1, 1)),
    ("we moved to Wells in 2020", date(2020, 1, 1)),
    ("I became a father last March", date(2026, 3, 1)),
    ("we moved here three weeks ago", date(2026, 5, 11)),
    ("I've had the shop for two years now", date(2024, 6, 1)),
    ("I just switched to night shifts", TODAY),
    ("I work at the port now", TODAY),
    ("Ich wohne seit 2018 in Kiel", date(2018, 1, 1)),
    ("Gestern sind wir nach Kiel gezogen", date(2026, 6, 2)),
    ("Ich rauche seit heute nicht mehr", TODAY),
    ("vivo en Vigo desde 2017", date(2017, 1, 1)),
    ("dejé de fumar hace tres días", date(2026, 5, 31)),
    ("je suis infirmière depuis 2015", date(2015, 1, 1)),
    ("nous avons déménagé il y a deux semaines", date(2026, 5, 20)),
    ("2019年から大阪に住んでいます", date(2019, 1, 1)),
    ("3日前に引っ越しました", date(2026, 5, 31)),
]


@pytest.mark.parametrize(("quote", "day"), BEGINNINGS)
def test_a_beginning_that_is_said_is_kept(quote: str, day: date) -> None:
    """In several languages; of a month or a year the first day."""
    assert beginning(quote) == day


@pytest.mark.parametrize(
    "quote",
    [
        "I live in Wells",
        "we fly to Oslo on 12 July",
        "my birthday is on 2 May",
        "I was born in 1988",
        "my exam is next Friday",
        "Ich fliege im Juli nach Oslo",
    ],
)
def test_plans_birthdays_and_facts_without_a_day_have_no_beginning(quote: str) -> None:
    """A day to come is no day from which something holds."""
    assert beginning(quote) is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("User moved to Wells yesterday.", "User moved to Wells on 2 June 2026."),
        ("Der Nutzer ist gestern umgezogen.", "Der Nutzer ist 2026-06-02 umgezogen."),
        ("ユーザーは昨日引っ越しました。", "ユーザーは2026年6月2日引っ越しました。"),
        ("User's bin day is Thursday.", "User's bin day is Thursday."),
    ],
)
def test_a_text_does_not_speak_of_yesterday(text: str, written: str) -> None:
    """It is read on other days; what comes every week stays."""
    (fact,) = date_facts([Fact(text, "quote")], TODAY)
    assert fact.text == written
