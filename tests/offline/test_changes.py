"""What becomes of known memories when the offline model hears something new."""

import pytest

from tests.offline.cases import learned, texts


@pytest.mark.parametrize(
    ("known", "message", "text"),
    [
        ("User lives in Turin.", "We moved to Ghent.", "User lives in Ghent."),
        ("The user lives in Berlin", "I live in Rome now", "User lives in Rome."),
        (
            "User is a baker at Morlund's.",
            "I'm working for the Castle Hotel now",
            "User is working for the Castle Hotel.",
        ),
        ("User's rent is 940 euros.", "Rent went up to 1,010", "User's rent went up to 1,010."),
        ("User's order #4821 still has not arrived.", "Order #4821 arrived.", "User's order #4821 arrived."),
        ("User's favourite editor is Helix.", "My favourite editor is Zed.", "User's favourite editor is Zed."),
        ("User uses Vim.", "I switched from Vim to Zed", "User switched from Vim to Zed."),
        ("User is vegetarian.", "I'm vegan.", "User is vegan."),
        ("User's name is Sam.", "My name is Samuel.", "User's name is Samuel."),
        ("User works at Siemens.", "I joined Bosch", "User joined Bosch."),
        ("User is a nurse.", "I'm a teacher now", "User is a teacher."),
        ("User's wedding is on 5 June 2026.", "My wedding is on 12 June", "User's wedding is on 12 June 2026."),
        ("User is single.", "I got married!", "User got married."),
        ("User is 33.", "I'm 34 years old", "User is 34 years old."),
        ("User likes coffee.", "I don't like coffee", "User does not like coffee."),
        ("User has a dog.", "I have a dog called Rex", "User has a dog called Rex."),
        ("User wants to be called Al.", "Call me Alex", "User wants to be called Alex."),
        ("User switched from Vim to Helix.", "I'm back on Vim.", "User is back on Vim."),
        (
            "User wants the assistant to answer in German.",
            "Always answer in French",
            "User wants the assistant to answer in French.",
        ),
        (
            "User wants the assistant to use metric units.",
            "Always use imperial units",
            "User wants the assistant to use imperial units.",
        ),
    ],
)
def test_a_newer_statement_takes_the_place_of_what_it_changes(known: str, message: str, text: str) -> None:
    """Of things there is one of, the newer is kept and says which it replaces."""
    (fact,) = learned(message, [known]).facts
    assert (fact.text, fact.replaces, fact.mistaken) == (text, (1,), False)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("User has a rabbit called Clover.", "I have a cat called Tom."),
        ("User speaks Polish.", "I speak Italian."),
        ("User lives in Utrecht.", "As a kid I lived in Prague"),
        ("User's sister Ana is vegan.", "I'm vegetarian"),
        ("User lives in Utrecht.", "I'm flying to Oslo tomorrow"),
        ("User lives in Utrecht.", "I moved to Linux"),
        ("User's order #4821 has not arrived.", "Order #99 arrived."),
        ("User likes tea.", "I hate rain"),
        ("User works at Bosch.", "I also work at a bar on Fridays"),
    ],
)
def test_other_facts_on_a_subject_stay(known: str, message: str) -> None:
    """More of a kind is no change."""
    (fact,) = learned(message, [known]).facts
    assert fact.replaces == ()


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("User is vegetarian.", "I'm a vegetarian, remember."),
        ("User lives in Berlin.", "i live in berlin"),
        ("The user's favorite color is green", "My favorite color is green!"),
        ("User's name is Marin.", "I said Marin, not Martin"),
    ],
)
def test_the_same_fact_again_is_confirmed(known: str, message: str) -> None:
    """What is known already is no new fact, in whatever words."""
    found = learned(message, [known])
    assert found.facts == ()
    assert [mention.number for mention in found.confirmed] == [1]


@pytest.mark.parametrize(
    ("known", "message", "text"),
    [
        (
            "User lives in Lille with their two sons.",
            "argh no, Lyon, not Lille!!",
            "User lives in Lyon with their two sons.",
        ),
        ("User has invited 86 guests.", "sorry, 68 guests, not 86", "User has invited 68 guests."),
        ("User's order C-2209 came broken.", "sorry, wrong number, it's C-2290", "User's order C-2290 came broken."),
        ("User lives in Lille.", "No, I live in Lyon.", "User lives in Lyon."),
    ],
)
def test_a_correction_marks_the_old_fact_as_mistaken(known: str, message: str, text: str) -> None:
    """Only the wrong word changes; the rest of the fact is kept."""
    (fact,) = learned(message, [known]).facts
    assert (fact.text, fact.replaces, fact.mistaken) == (text, (1,), True)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("User plays tennis on Wednesdays.", "I no longer play tennis, my elbow's done"),
        ("User volunteers at the food bank.", "not volunteering at the food bank any more"),
        ("User drives an old Saab 900.", "Sold the Saab yesterday"),
        ("User's boyfriend Jonas is a chef.", "Jonas and I aren't together any more."),
        ("User works at Bosch.", "I quit my job"),
    ],
)
def test_what_is_said_to_be_over_ends(known: str, message: str) -> None:
    """An end with nothing new in its place is no new fact."""
    found = learned(message, ["User is 34.", known])
    assert (found.facts, [mention.number for mention in found.ended]) == ((), [2])


def test_the_end_of_one_thing_leaves_others_alone() -> None:
    """Neither another employer nor another person's diet ends with the user's own."""
    assert learned("I no longer work at Siemens", ["User works at Bosch."]).ended == ()
    assert learned("I'm not vegan any more", ["User's sister Ana is vegan."]).ended == ()


def test_a_move_makes_what_hung_on_the_old_home_doubtful() -> None:
    """Commute and landlord may be outdated; health is not."""
    known = [
        "User lives in Hamburg.",
        "User's commute takes 20 minutes.",
        "User is allergic to nuts.",
        "User's landlord is Petersen.",
    ]
    assert learned("I've moved to Leipzig!", known).outdated == (2, 4)


def test_a_new_job_makes_what_hung_on_the_old_one_doubtful() -> None:
    """The boss may be another; tastes are not."""
    known = ["User works at Siemens.", "User's boss is Karin.", "User likes tea."]
    assert learned("I work at Bosch now.", known).outdated == (2,)


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("Forget that I'm vegan", [1]),
        ("please forget what I told you about my sister", [2]),
        ("Delete everything you know about Berlin", [3, 4]),
        ("forget it", []),
        ("delete the second line", []),
    ],
)
def test_what_the_user_asks_to_forget_is_found_by_its_words(message: str, numbers: list[int]) -> None:
    """The nearest memory is meant; all that share the words, where all are asked for."""
    known = ["User is vegan.", "User's sister Ana is vegan.", "User lives in Berlin.", "User works in Berlin."]
    found = learned(message, known)
    assert ([mention.number for mention in found.forget], texts(found)) == (numbers, [])


def test_an_arrival_counts_only_where_something_waits_for_it() -> None:
    """'The refund arrived' says nothing to someone who knows of no refund."""
    assert learned("The 79.90 arrived in my account") == learned("")
    (fact,) = learned("The 79.90 arrived in my account", ["User has not seen the 79.90 of order 5518 yet."]).facts
    assert fact.replaces == (1,)
