"""Cues for what was stored without a model."""

import pytest

from memchat.core.types import CATEGORIES, MAX_CUES
from memchat.recall.default_cues import default_cues


@pytest.mark.parametrize(
    ("category", "text", "cue"),
    [
        ("preference", "User is vegetarian.", "choosing a restaurant"),
        ("other", "I am allergic to nuts", "recipes and groceries"),
        ("place", "User lives in Berlin.", "places near me"),
        ("support", "User's order #4821 has not arrived.", "delivery and order questions"),
        ("relationship", "User has two dogs.", "choosing a vet"),
        ("project", "User is writing an app in Rust.", "writing code for me"),
        ("event", "User won a prize.", "what happened lately"),
    ],
)
def test_category_and_words_give_the_situations(category: str, text: str, cue: str) -> None:
    """Key words go before the category, so that texts of no category have cues, too."""
    assert cue in default_cues(category, text)


@pytest.mark.parametrize("category", [*CATEGORIES, "of their own"])
def test_there_are_never_more_than_are_kept(category: str) -> None:
    """However many words match, and none twice."""
    cues = default_cues(category, "User's vegan wife drives a car to an order, a dog, a flat, a book and a tea.")
    assert len(cues) == len(set(cues)) == MAX_CUES


def test_no_category_and_no_known_word_give_none() -> None:
    """Nothing is guessed."""
    assert default_cues("other", "User counts clouds.") == ()
