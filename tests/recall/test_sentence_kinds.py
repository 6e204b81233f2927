"""Sentences: greetings and questions are told from statements."""

import pytest

from memchat.recall.sentence_kinds import is_greeting, only_asks


@pytest.mark.parametrize(
    ("sentence", "greeting"),
    [
        ("Thanks, Melanie!", True),
        ("Hey Sam!", True),
        ("Good morning.", True),
        ("Guten Morgen!", True),
        ("Yes, Stockholm.", False),
        ("Stockholm!", False),
        ("I adopted a beagle.", False),
    ],
)
def test_a_greeting_may_name_the_person_spoken_to(sentence: str, greeting: bool) -> None:
    """A name behind yes or no is an answer."""
    assert is_greeting(sentence) is greeting


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Hey Anna! What did you do? Was it fun?", True),
        ("Evan: Any new hobbies?", True),
        ("I paint. And you?", False),
        ("Take care!", False),
    ],
)
def test_a_message_only_asks_if_nothing_but_greetings_stands_beside_its_questions(text: str, asks: bool) -> None:
    """The name of who speaks does not count."""
    assert only_asks(text) is asks
