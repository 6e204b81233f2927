"""What rules read and what a small model notes, put together."""

from datetime import date

import pytest

from memchat.learning.combination import combined
from memchat.learning.extraction import Extraction, Fact, MemoryReference

SAID = "My wife Ines is a midwife and we have lived in Faro since 2019"
RULED = Fact("User's wife Ines is a midwife.", "My wife Ines is a midwife", category="relationship")


@pytest.mark.parametrize(
    ("noted", "texts"),
    [
        ("The wife of the user, Ines, is a midwife.", [RULED.text]),
        ("User has lived in Faro since 2019.", [RULED.text, "User has lived in Faro since 2019."]),
        ("User's wife Ines is a midwife in Faro, since 2019.", ["User's wife Ines is a midwife in Faro, since 2019."]),
    ],
)
def test_of_two_that_say_the_same_the_fuller_is_kept(noted: str, texts: list[str]) -> None:
    """With the category and the day that the rules know; what only one of them has is kept as it is."""
    both = combined(Extraction((RULED,)), Extraction((Fact(noted, SAID),)))
    assert [fact.text for fact in both.facts] == texts
    assert both.facts[0].category == "relationship"


def test_the_day_that_the_rules_know_goes_with_the_fuller_text() -> None:
    """The model was not asked for one."""
    ruled = Fact("User lives in Faro.", "we live in Faro", valid_from=date(2019, 1, 1))
    both = combined(Extraction((ruled,)), Extraction((Fact("User lives in Faro by the lagoon.", "we live in Faro"),)))
    assert [(fact.text, fact.valid_from) for fact in both.facts] == [
        ("User lives in Faro by the lagoon.", date(2019, 1, 1))
    ]


def test_what_holds_is_kept_rather_than_the_change() -> None:
    """ "Where do I live?" is answered better by where somebody lives than by a move."""
    ruled = Fact("User lives in Faro.", "I just moved to Faro")
    both = combined(Extraction((ruled,)), Extraction((Fact("User moved to Faro.", "I just moved to Faro"),)))
    assert [fact.text for fact in both.facts] == ["User lives in Faro."]


def test_an_ending_that_the_rules_saw_is_no_fact_as_well() -> None:
    """ "I no longer ski" ends what was known."""
    ruled = Extraction(ended=(MemoryReference(1, "I no longer ski"),))
    both = combined(ruled, Extraction((Fact("User no longer skis.", "I no longer ski"),)))
    assert both.facts == ()
    assert both.ended == ruled.ended
