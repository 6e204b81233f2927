"""What a request says about its answer."""

import pytest

from memchat.recall.request_cues import Event, asks_about_assistant, asks_for_several, event_in, place_asked


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


@pytest.mark.parametrize(
    "text",
    [
        "What did you recommend last week?",
        "Which of the two did you prefer?",
        "What was the second option you gave me?",
        "Which stretch did you want me to do?",
        "What were the ideas you had for our anniversary?",
        "How much salt does your bread recipe need?",
        "How many spoons was it, according to you?",
        "Which option have you given me first?",
        "Welche Namen hattest du für die Katze?",
        "Wie hieß das Buch, das du mir genannt hast?",
        "Die Etappe, die du meintest, wie hieß sie?",
        "Was haben Sie mir zum Wandern empfohlen?",
        "¿Cuál era la segunda opción que me diste?",
        "¿Qué restaurante me recomendaste?",
        "¿Qué me había recomendado usted, o qué me comentaste?",
        "Quel livre tu m'as recommandé ?",
        "Quelle idée m'as-tu donnée ?",
        "Che libri mi hai consigliato?",
        "Welk boek heb je mij aangeraden?",
    ],
)
def test_a_question_for_the_assistants_words_is_recognised(text: str) -> None:
    """By what the assistant did: it said, gave, preferred or wrote."""
    assert asks_about_assistant(text)


@pytest.mark.parametrize(
    "text",
    [
        "Would you recommend a restaurant?",
        "Can you give me three ideas?",
        "What did my doctor recommend?",
        "Was haben sie über mich gesagt?",
        "¿Qué ha dicho mi médico?",
        "Do you prefer tea?",
        "What did I tell you about my sister?",
    ],
)
def test_a_new_request_and_a_question_for_others_words_are_not(text: str) -> None:
    """Although they use the same verbs."""
    assert not asks_about_assistant(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("What was the second option you gave me?", 2),
        ("And the third of your ideas?", 3),
        ("What was the last tip?", -1),
        ("Tell me more about option 3.", 3),
        ("Was war der zweite Name?", 2),
        ("¿Cuál era la primera opción?", 1),
        ("Quelle était la troisième idée ?", 3),
        ("What did you say last week?", None),
        ("I want a second opinion.", None),
        ("Which options did you give me?", None),
    ],
)
def test_the_place_in_a_list_that_is_asked_for_is_read(text: str, place: int | None) -> None:
    """By an ordinal before what lists are made of, or by a number behind it."""
    assert place_asked(text) == place
