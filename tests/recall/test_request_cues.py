"""What a request says about its answer."""

import pytest

from memchat.recall.request_cues import Event, asks_for_several, event_in


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("What activities has Melanie done with her family?", True),
        ("Which new games did John start to play?", True),
        ("What kind of food do I like?", True),
        ("What are my hobbies?", True),
        ("How many marathons have I run?", True),
        ("Welche Bücher habe ich gelesen?", True),
        ("¿Qué libros he leído?", True),
        ("Quels livres ai-je lus ?", True),
        ("我去过哪些城市？", True),
        ("What is my sister's name?", False),
        ("Which bus goes there?", False),
        ("What status has my order?", False),
        ("When did I move to Berlin?", False),
        ("How does this work?", False),
        ("What was his first job?", False),
    ],
)
def test_a_request_for_a_list_is_told_from_one_for_a_single_thing(text: str, several: bool) -> None:
    """By a plural behind "what" or "which", or by a word for many things."""
    assert asks_for_several(text) is several


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Where did I work before the move?", Event("the move", before=True)),
        ("What did I eat after I left Porto, again?", Event("I left Porto", before=False)),
        ("Who was my doctor since my surgery?", Event("my surgery", before=False)),
        ("Wo habe ich vor dem Umzug gearbeitet?", Event("dem Umzug gearbeitet", before=True)),
        ("¿Qué coche tenía antes de mi boda?", Event("mi boda", before=True)),
        ("Shall I call before noon?", None),
        ("Where do I work?", None),
    ],
)
def test_what_a_request_dates_its_answer_by_is_read(text: str, event: Event | None) -> None:
    """Something that happened to somebody, not an hour of the day."""
    assert event_in(text) == event
