"""What no longer holds is quoted as such, whoever said it and in any language; what was said after the end is not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from memchat.core.types import Add, Draft, End, Memory, Message, Owner
from memchat.recall.excerpts import ExcerptQuery, messages_of
from memchat.recall.staleness import Staleness
from memchat.text.embedding import embed
from tests.recall.changed_facts import MISSED, OUTDATED, Changed, changed_facts
from tests.recall.talk import USER, Talk


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talk = Talk(tmp_path)
    with talk.app:
        yield talk


def found(talk: Talk, asked: str, conversation: str | None = None) -> dict[str, Staleness | None]:
    """Every message that may be quoted, however little it has to do with `asked`, with what is known against it."""
    finder = talk.app.recall_over(talk.app.store).excerpts
    assert finder is not None
    view = replace(messages_of(talk.session()), only_session=conversation)
    query = ExcerptQuery(asked, view, 100_000, most=1_000, ordinary_tokens=100_000, floor=False)
    return {one.text: one.stale for one in finder.search(query)}


def tell(talk: Talk, changed: Changed) -> list[Message]:
    """Have all of it said and learned; return the first message of each conversation."""
    first, *others = [talk.said(*map(without_label, lines)) for lines in changed.before]
    former = talk.know(changed.memory, first[0], first[0].text)
    change = talk.said(changed.change, "OK.", days=20)
    if changed.now:
        talk.know(changed.now, change[0], changed.change, former)
    else:
        talk.now += timedelta(minutes=1)
        end(talk, former, talk.now.date())
    after = [talk.said(*map(without_label, lines)) for lines in changed.after]
    talk.now += timedelta(days=10)
    return [messages[0] for messages in (first, *others, change, *after)]


def without_label(line: str) -> str:
    return line.removeprefix(OUTDATED).removeprefix(MISSED)


def outdated(changed: Changed) -> set[str]:
    return {line.removeprefix(OUTDATED) for lines in changed.before for line in lines if line.startswith(OUTDATED)}


def marked(talk: Talk, conversations: list[Message]) -> set[str]:
    """All messages of `conversations` that are marked; each must be quoted."""
    marks = {text: what for one in conversations for text, what in found(talk, one.text, one.session_id).items()}
    return {text for text, what in marks.items() if what}


def end(talk: Talk, memory: Memory, day: date) -> None:
    talk.app.store.apply([End(memory.id, day)], [None])


def moved(talk: Talk, said: Message, mistaken: bool = False) -> Memory:
    """From Berlin to Amsterdam, as `said`."""
    berlin = talk.know("User lives in Berlin.")
    draft = Draft("User lives in Amsterdam.", Owner.user(USER), evidence=talk.evidence(said, said.text))
    add = Add(draft, (berlin.id,), mistaken=mistaken)
    talk.app.store.apply([add], embed(talk.app.embedder, [draft]))
    return berlin


@pytest.mark.parametrize("changed", changed_facts(), ids=lambda changed: changed.name)
def test_what_no_longer_holds_is_marked_and_nothing_else_is(talk: Talk, changed: Changed) -> None:
    """Not the advice on something else that followed a statement, nor what was said after the change."""
    conversations = tell(talk, changed)
    assert marked(talk, conversations) == outdated(changed)


def test_facts_of_one_person_are_not_taken_for_each_other(talk: Talk) -> None:
    """Many that changed, in many languages."""
    conversations = [one for changed in changed_facts() for one in tell(talk, changed)]
    assert marked(talk, conversations) == set().union(*map(outdated, changed_facts()))


def test_what_was_said_on_the_day_of_a_change_counts_by_its_moment(talk: Talk) -> None:
    """Hours before the change it was so; hours after it is a visit."""
    talk.said("Rainy Berlin this morning.", "Take an umbrella.")
    (said, *_) = talk.said("We live in Amsterdam now.", "Lovely.", days=0.1)
    moved(talk, said)
    talk.said("My talk in Berlin went well.", "Great.", days=0.1)
    marks = found(talk, "Berlin")
    assert marks["Rainy Berlin this morning."]
    assert marks["My talk in Berlin went well."] is None


def test_messages_of_one_moment_count_in_their_order(talk: Talk) -> None:
    """As of an imported conversation without times."""
    said = talk.said("Rainy Berlin this morning.", "Take an umbrella.", "We live in Amsterdam now.", "Far from Berlin!")
    moved(talk, said[2])
    marks = found(talk, "Berlin")
    assert marks["Rainy Berlin this morning."]
    assert marks["Far from Berlin!"] is None


def test_a_fact_of_the_day_on_which_it_ends_is_outdated(talk: Talk) -> None:
    """What was said between the two, too."""
    (said, *_) = talk.said("I rented a Vespa for the week.", "A Vespa suits narrow streets.")
    vespa = talk.know("User has rented a Vespa.", said, said.text)
    talk.said("I gave the rented one back, it was too loud.", "OK.", days=0.1)
    talk.now += timedelta(minutes=1)
    end(talk, vespa, talk.now.date())
    talk.said("A rented Vespa stands before my door.", "Whose?", days=0.1)
    marks = found(talk, "Vespa")
    assert marks["I rented a Vespa for the week."]
    assert marks["A Vespa suits narrow streets."]
    assert marks["A rented Vespa stands before my door."] is None


def test_what_is_learned_late_counts_from_when_it_was_said(talk: Talk) -> None:
    """As of imported conversations, or when the provider was away for a week."""
    talk.said("Rainy Berlin this morning.", "Take an umbrella.")
    (said, *_) = talk.said("We live in Amsterdam now.", "Lovely.")
    talk.said("My talk in Berlin went well.", "Great.")
    talk.now += timedelta(days=7)
    moved(talk, said)
    marks = found(talk, "Berlin")
    assert marks["Rainy Berlin this morning."]
    assert marks["My talk in Berlin went well."] is None


def test_a_fact_that_was_known_before_it_replaced_another_does_not_date_the_change(talk: Talk) -> None:
    """Its evidence is older than the words that it replaces."""
    (said, *_) = talk.said("We bought a house in Amsterdam.", "Congratulations.")
    talk.know("User lives in Amsterdam.", said, said.text)
    talk.said("Rainy Berlin this morning.", "Take an umbrella.")
    talk.know("User lives in Amsterdam.", None, "", talk.know("User lives in Berlin."))
    assert found(talk, "Berlin")["Rainy Berlin this morning."]


def test_a_mistake_is_left_out_whenever_it_was_said(talk: Talk) -> None:
    """It never held, so a later mention is the same mistake."""
    (said, *_) = talk.said("No, I live in Amsterdam.", "Sorry!")
    moved(talk, said, mistaken=True)
    talk.said("Thanks!", "As you live in Berlin, try the Wannsee.")
    assert not any("Berlin" in text for text in found(talk, "Berlin"))


def test_a_fact_that_is_yet_to_change_still_holds(talk: Talk) -> None:
    """Until the day on which its successor begins."""
    (said, *_) = talk.said("I live in Berlin.", "A great city.")
    berlin = talk.know("User lives in Berlin.", said, said.text)
    draft = Draft("User lives in Amsterdam.", Owner.user(USER), valid_from=date(2026, 5, 1))
    talk.app.store.apply([Add(draft, (berlin.id,))], embed(talk.app.embedder, [draft]))
    talk.said("Rainy Berlin this morning.", "Take an umbrella.")
    assert found(talk, "Berlin")["I live in Berlin."] is None
    talk.now = datetime(2026, 5, 2, 9, tzinfo=UTC)
    talk.said("My talk in Berlin went well.", "Great.")
    marks = found(talk, "Berlin")
    assert marks["I live in Berlin."]
    assert marks["Rainy Berlin this morning."]
    assert marks["My talk in Berlin went well."] is None


def test_a_statement_about_a_time_that_was_over_is_not_outdated(talk: Talk) -> None:
    """It says itself that it is the past."""
    (said, *_) = talk.said("I lived in Lisbon until May 2024.", "What was it like?")
    draft = Draft(
        "User lived in Lisbon until May 2024.",
        Owner.user(USER),
        valid_to=date(2024, 5, 31),
        evidence=talk.evidence(said, said.text),
    )
    talk.app.store.apply([Add(draft)], embed(talk.app.embedder, [draft]))
    assert found(talk, "Lisbon")["I lived in Lisbon until May 2024."] is None


@pytest.mark.parametrize(
    ("former", "now", "said"),
    [
        ("User smokes.", "User stopped smoking.", "Since you smoke, mind the terms of the insurance."),
        ("User is vegan.", "User is not vegan.", "As a vegan you may want oat milk."),
        (
            "Der Nutzer ist schwanger.",
            "Der Nutzer ist nicht mehr schwanger.",
            "Wer schwanger ist, isst kein Sushi.",
        ),
        ("用户抽烟。", "用户不再抽烟。", "你抽烟，所以保险更贵。"),
    ],
)
def test_a_fact_that_is_denied_in_its_own_words_is_outdated(talk: Talk, former: str, now: str, said: str) -> None:
    """All of its words stand in what replaced it."""
    talk.said("And what else?", said)
    talk.know(now, None, "", talk.know(former))
    (staleness,) = [one for text, one in found(talk, said).items() if text == said]
    assert staleness


@pytest.mark.parametrize(
    ("former", "now", "said"),
    [
        ("User has a cat.", "User has a cat named Miso.", "Does your cat go outside?"),
        ("User stopped smoking.", "User stopped smoking in May.", "Well done that you stopped smoking."),
        ("User is not vegan.", "User is not vegan or vegetarian.", "As you are not vegan, try the omelette."),
    ],
)
def test_a_fact_that_was_only_completed_is_not_outdated(talk: Talk, former: str, now: str, said: str) -> None:
    """What replaced it says the same and more."""
    talk.said("And what else?", said)
    talk.know(now, None, "", talk.know(former))
    assert found(talk, said)[said] is None


def test_words_before_two_changes_are_outdated_by_the_last(talk: Talk) -> None:
    """An edit by hand, and then a move."""
    (said, *_) = talk.said("I live in Berlin.", "A great city.")
    berlin = talk.know("User lives in Berlin.", said, said.text)
    hamburg = talk.app.memory_service.edit(berlin, "User lives in Hamburg.")
    talk.know("User lives in Amsterdam.", None, "", hamburg)
    staleness = found(talk, "Berlin")["I live in Berlin."]
    assert staleness
    assert staleness.now == "User lives in Amsterdam."


def test_what_was_said_after_an_edit_by_hand_is_not_outdated(talk: Talk) -> None:
    """By then Berlin is a visit."""
    (said, *_) = talk.said("I live in Berlin.", "A great city.")
    talk.app.memory_service.edit(talk.know("User lives in Berlin.", said, said.text), "User lives in Hamburg.")
    talk.said("My talk in Berlin went well.", "Great.")
    marks = found(talk, "Berlin")
    assert marks["I live in Berlin."]
    assert marks["My talk in Berlin went well."] is None


def test_a_short_answer_to_an_outdated_question_is_marked(talk: Talk) -> None:
    """It says what the question asks about."""
    talk.said("Hello there, I am back.", "How many years have you lived in Berlin?", "Almost five years.", "I see.")
    talk.know("User lives in Amsterdam.", None, "", talk.know("User lives in Berlin."))
    shown = talk.shown("How many years have I lived in Berlin?")
    assert "(asked: How many years have you lived in Berlin?) Almost five years. (no longer so; now:" in shown
