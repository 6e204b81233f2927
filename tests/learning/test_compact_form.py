"""The compact form: lines of a small model, and what rules of ours make of them."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.config import ExtractionForm
from memchat.core.types import Memory, Owner, Role, Scope
from memchat.errors import BadReply
from memchat.learning import compact_form
from memchat.learning.changes import with_changes
from memchat.learning.clauses import is_wish, telling_clauses
from memchat.learning.compact_extraction import extract_compactly
from memchat.learning.evidence import EvidenceGate
from memchat.learning.extraction import Exchange
from memchat.learning.forms import FormPolicy
from memchat.learning.pipeline import LearningResult
from memchat.llm.builtin_embedder import BuiltinEmbedder
from memchat.llm.model_size import parameters_of
from memchat.llm.wordpieces import EnglishWordPieces
from memchat.offline.model import OfflineModel
from memchat.storage.extraction_forms import MAX_UNUSABLE
from tests.learning import harness
from tests.learning.harness import Home, ScriptedModel

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
EMBEDDER = BuiltinEmbedder()


def heard(said: str, *known: str) -> Exchange:
    memories = [
        Memory(f"id-{n}", Owner.user("al"), text, Scope.USER, "other", NOON, NOON) for n, text in enumerate(known)
    ]
    return Exchange(date(2026, 6, 3), said, known=memories)


def noted(answer: str, said: str) -> list[tuple[str, str]]:
    return [(fact.text, fact.quote) for fact in compact_form.read(answer, heard(said)).facts]


@pytest.fixture
def home(tmp_path: Path) -> Generator[Home]:
    with Home(tmp_path) as opened:
        yield opened


def test_the_prompt_is_short() -> None:
    """Examples and all, in word pieces, which are a little smaller than the tokens of small models."""
    (asked,) = compact_form.requests(heard("I live in Graz."))
    messages = asked.messages[:-1]
    (pieces, *_) = EnglishWordPieces().pieces([" ".join(message.content for message in messages)])
    assert len(pieces) <= 350


@pytest.mark.parametrize(
    "answer",
    [
        "User keeps bees.\nUser lives in Graz.",
        "- User keeps bees. User lives in Graz.",
        "1. User keeps bees.\n\n2. User lives in Graz.",
    ],
)
def test_each_sentence_is_a_fact_with_the_words_that_bear_it(answer: str) -> None:
    """In whatever kind of list they come."""
    said = "Hello there! I live in Graz. On weekends I keep bees."
    assert noted(answer, said) == [
        ("User keeps bees.", "On weekends I keep bees."),
        ("User lives in Graz.", "I live in Graz."),
    ]


NOT_NOTED = [
    ("User is a nurse.\nUser has two cats, Pip and Bo.", "I live in Graz."),
    ("The capital of Austria is Vienna.", "I live in Graz. What's the capital of Austria?"),
    ("Yes, User's knee hurts after running.", "Is it normal that a knee hurts after running?"),
    ("User moved to Rome.", "If I moved to Rome, I'd be happy"),
    ("User is so tired.", "I'm so tired today"),
    ("User writes a poem about bees.", "Write a poem about bees."),
    ("none", "I live in Graz."),
    ("User lives in Graz?", "I live in Graz."),
    ("Herons can stand for 9 hours.", "how long can herons stand"),
    ("User has a headache today.", "I'm under the weather today"),
    ("User hates this rain.", "I hate this rain"),
    ("User has to run.", "gotta run, taxi's here"),
    ("User had lunch.", "just had lunch"),
    ("User's laptop is at 9%.", "my laptop is at 9%"),
    ("User likes olives.", "I don't like olives"),
    ("User is not allergic to cats.", "I'm allergic to cats"),
    ("User wants to use a ladder.", "ah, a ladder then"),
    ("Mia wants one.", "My sister Mia wants one"),
    ("The pub is loud.", "the pub is loud"),
    ("User's name is Ola.", 'Put this into Dutch: "My name is Ola and I dive"'),
    ("User's name is Ola.", "Proofread: my name is Ola and I dive"),
    ("User is 90% tea.", "I'm basically 90% tea"),
    ("User is at the kitchen table.", "I'm at the kitchen table"),
    ("User can't decide between rice and bread.", "can't decide between rice and bread tonight"),
    ("Der Nutzer wünscht einen schönen Abend.", "haha danke, schönen Abend"),
    ("User's password is Hawk.", "my password is Hawk"),
    ("User earns 50k.", "Say I earn 50k, what could I borrow?"),
    ("User was on a raft of bread.", "I had the weirdest dream. I was on a raft of bread."),
    ("User is Captain Flint.", "Let's play: you are my parrot and I'm Captain Flint."),
    ("User is so nervous.", "I'm so nervous"),
    ("User started.", "I started"),
    ("Priya's colleague had twins.", "My colleague Priya had twins"),
    ("User owes 30 pounds.", "be a stern clerk, I'm a man who owes 30 pounds"),
    ("User's boss says they are too quiet.", "my boss says I'm too quiet"),
    ("User's uncle thinks chess is dead.", "My uncle thinks chess is dead"),
    ("Der Vater des Nutzers findet, Tee macht krank.", "Mein Vater findet, Tee macht krank."),
    ("User puts 80 a week aside.", "say somebody puts 80 a week aside"),
    ("User paints boats.", "she paints boats"),
    ("User grew up with it.", "I grew up with it"),
    ("Der Nutzer bäckt gern Brot mit Zoltan.", "I like baking bread"),
    ("User needs to undo a merge.", "how do I undo a merge but keep the files"),
    ("User would take the red one for fun.", "I'd take the red one for fun"),
    ("User owes a tenner.", "she owes me a tenner"),
    ("User is a disaster.", "In return I mend her bike, which is honestly a disaster"),
    ("One of the user's neighbours has gone quiet.", "The small one has gone quiet."),
    ("User stayed there twice, for a fair.", "I stayed there twice, for a fair"),
    ("User keeps bees.", "Clean up these minutes please\nAnna: I keep bees\nBert: so do my aunts"),
    ("User keeps bees.", "what do they mean\nAnna B.: I keep bees\n[10:02] Bert: and I hate honey"),
    ("", "I live in Graz."),
]


@pytest.mark.parametrize(("answer", "said"), NOT_NOTED)
def test_examples_answers_and_passing_things_are_not_noted(answer: str, said: str) -> None:
    """What the message does not tell as lasting stays out, whatever the model writes."""
    assert noted(answer, said) == []


NOTED = [
    ("Mia plays chess.", "Mia plays chess now", "User's sister Mia lives in Graz.", "Mia plays chess."),
    ("The train takes 40 minutes.", "my train takes 40 minutes", "", "User's train takes 40 minutes."),
    ("User plays the horn.", "I play the horn, we meet on Mondays", "", "User plays the horn."),
    ("A fox got Dot.", "a fox got Dot last night", "User has two hens, Dot and Pearl.", "A fox got Dot."),
    ("The shop was sold.", "we sold the shop", "User runs a shop.", "The shop was sold."),
    ("The user's knees are bad.", "my knees are bad so no stairs please", "", "The user's knees are bad."),
    ("User doesn't like olives.", "I don't like olives", "", "User doesn't like olives."),
    ("Starting at Bosch in May.", "I left. starting at Bosch in May", "", "User is starting at Bosch in May."),
    ("The user works at night.", "Trabajo de noche en Vigo.", "", "Trabajo de noche en Vigo."),
    ("Der Nutzer hat am 22 Brot.", "22日に札幌でパンを焼きます。", "", "22日に札幌でパンを焼きます。"),
    ("Der Nutzer macht Brot.", "私は札幌でパン屋をしています。", "", "私は札幌でパン屋をしています。"),
    ("User is starting on 1 May, 2023.", "I'm starting on 1 May", "", "User is starting on 1 May."),
    (
        "Der Nutzer hat am 3. Juli einen Termin.",
        "Am 3. Juli habe ich einen Termin.",
        "",
        "Der Nutzer hat am 3. Juli einen Termin.",
    ),
    ("The doctor says the user is anaemic.", "the doctor says I'm anaemic", "", "The doctor says the user is anaemic."),
    (
        "User works in the claims department.",
        "I work in the claims department.",
        "",
        "User works in the claims department.",
    ),
    ("User has no mixer.", "I have no mixer, otherwise I'd have used it", "", "User has no mixer."),
    ("User got the post.", "I got the post that I never thought I'd get", "", "User got the post."),
    ("User thinks the flat is too small.", "I think the flat is too small", "", "User thinks the flat is too small."),
    (
        "Der Nutzer heiratet am 12. Mai.",
        "Meine Hochzeit findet am 12. Mai statt",
        "",
        "Meine Hochzeit findet am 12. Mai statt",
    ),
    ("I've got a van from 2011.", "I've got a van from 2011", "", "User has a van from 2011."),
    ("We pay 700 for the flat.", "We pay 700 for the flat", "", "User pays 700 for the flat."),
    ("My landlord sells the house.", "My landlord sells the house", "", "User's landlord sells the house."),
    ("The vet put Tom on a diet.", "The vet put our cat Tom on a diet", "", "The vet put Tom on a diet."),
    (
        "Die Familie des Nutzers hat ein Haus in Roubaix.",
        "On a acheté une maison à Roubaix hier",
        "",
        "On a acheté une maison à Roubaix hier",
    ),
    ("El Nutzer es panadero.", "Soy panadero y me gusta.", "", "El usuario es panadero."),
]


@pytest.mark.parametrize(("answer", "said", "known", "text"), NOTED)
def test_a_line_about_what_is_theirs_is_kept(answer: str, said: str, known: str, text: str) -> None:
    """Of people and things told of before, without a "User", and in another language than asked for."""
    exchange = heard(said, *filter(None, [known]))
    assert [fact.text for fact in compact_form.read(answer, exchange).facts] == [text]


def test_what_is_told_in_another_language_than_noted_is_kept_clause_by_clause() -> None:
    """In the person's own words; names stay with what they are the names of."""
    exchange = heard("Tengo dos perros, Sol y Luna, y trabajo de cartero en Vigo.")
    facts = compact_form.read("The user has two dogs named Sol and Luna.", exchange).facts
    assert [fact.text for fact in facts] == ["Tengo dos perros, Sol y Luna", "trabajo de cartero en Vigo."]


def test_a_form_about_oneself_is_no_conversation_of_others() -> None:
    """Its lines begin with a label, too; at most one of them says "I"."""
    assert len(list(telling_clauses("Name: Ola Berg\nDiet: vegan\nWork: I bake at night"))) == 3


def test_what_is_said_of_he_and_me_may_be_said_of_the_person() -> None:
    """ "They made me shift lead" names the person before it says what they are."""
    assert noted("User is shift lead.", "they made me shift lead") == [
        ("User is shift lead.", "they made me shift lead")
    ]


def test_a_game_goes_on_until_it_is_left() -> None:
    """What is said in it is not said of the person."""
    earlier = [(Role.USER, "Let's play pirates, you are the cook and I'm the captain")]
    exchange = replace(heard("I lost a leg at sea."), earlier=earlier)
    assert list(compact_form.requests(exchange)) == []
    assert compact_form.read("User lost a leg at sea.", exchange).facts == ()
    left = replace(exchange, user="ok stop. In real life I lost a tooth.")
    assert [fact.text for fact in compact_form.read("User lost a tooth.", left).facts] == ["User lost a tooth."]


def test_a_sentence_that_was_passed_over_is_asked_about_alone() -> None:
    """A small model often notes one of two; a third call is not made."""
    model = ScriptedModel("User keeps bees.", "none")
    found = extract_compactly(model, heard("I keep bees. I rent a barn near Graz. What a day!"), EMBEDDER)
    assert [request.messages[-1].content for request in model.asked[1:]] == ["I rent a barn near Graz."]
    assert [fact.text for fact in found.facts] == ["User keeps bees."]


def test_since_when_may_stand_beside_the_fact(home: Home) -> None:
    """The rules quote the first part of the sentence alone."""
    home.say("I'm a nurse at St Ann's, been there since 2017.")
    assert learn_next(home, ScriptedModel("User is a nurse at St Ann's."), ExtractionForm.COMPACT).error is None
    assert [memory.valid_from for memory in home.memories()] == [date(2017, 1, 1)]


def test_two_sentences_that_say_the_same_are_one_fact() -> None:
    """The model puts it in other words than the rules."""
    exchange = heard("I lived in Prague as a kid")
    twice = compact_form.read("User lived in Prague as a kid.\nThe user lived in Prague as a child.", exchange)
    assert len(with_changes(twice, exchange, EMBEDDER).facts) == 1


def test_whose_a_mother_is_follows_from_the_line_before() -> None:
    """ "His" says nothing in a memory of its own."""
    exchange = heard("Omar drives a cab and his mother cooks", "User's husband Omar is 40.")
    facts = compact_form.read("Omar drives a cab. His mother cooks.", exchange).facts
    assert [fact.text for fact in facts] == ["Omar drives a cab.", "Omar’s mother cooks."]


def test_a_small_model_is_not_shown_the_question_beside_a_fact() -> None:
    """It would answer it."""
    (asked,) = compact_form.requests(heard("My cousin Lea had a boy. What is a good gift?"))
    assert asked.messages[-1].content == "My cousin Lea had a boy."


@pytest.mark.parametrize(
    "said",
    ["what do people eat in Graz", "any idea how to get there", "is it far", "wie weit ist der Mond", "cómo se llega"],
)
def test_a_question_needs_no_mark(said: str) -> None:
    """As people type them."""
    assert list(telling_clauses(said)) == []


WISHES = [
    ("American spelling from now on, please", True),
    ("Por favor, háblame siempre de usted.", True),
    ("never mind, let's talk about tea", False),
    ("And don't begin your answers with a joke", True),
    ("no emojis please", True),
    ("I prefer short replies", True),
    ("stop numbering everything", True),
    ("don't use tables for this one", False),
    ("I have no answers", False),
    ("I want answers from the council", False),
    ("please keep your answers short from now on", True),
    ("Always reply in Welsh.", True),
    ("Call me Kit", True),
    ("Antworte mir ab jetzt immer auf Deutsch", True),
    ("Tutéame, por favor", True),
    ("I never eat fish", False),
    ("My boss always answers late", False),
    ("keep it short", False),
    ("I always use the tram", False),
    ("From here on I'd like sources with every claim you make", True),
]


@pytest.mark.parametrize(("said", "wish"), WISHES)
def test_a_lasting_wish_is_told_from_a_habit_and_from_a_task(said: str, wish: bool) -> None:
    """By its own words: how to answer, and for good."""
    assert is_wish(said) is wish


def test_a_wish_is_kept_also_where_the_model_takes_it_for_a_task() -> None:
    """In the person's own words."""
    (fact,) = compact_form.read("none", heard("Hi! Please keep your answers short from now on.")).facts
    assert fact.standing
    assert fact.text == fact.quote == "Please keep your answers short from now on."


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("could you always give weights in grams?", True),
        ("Tu peux toujours me répondre en vouvoyant ?", True),
        ("do you always answer so slowly?", False),
        ("could you give me the weight in grams?", False),
    ],
)
def test_a_wish_may_be_asked_politely(said: str, wish: bool) -> None:
    """As a question; one about the assistant's habits is none."""
    assert list(telling_clauses(said)) == ([said] if wish else [])


def test_of_a_question_only_what_precedes_it_tells_something() -> None:
    """ "I don't eat gluten anymore, so which pasta should I get?" """
    assert list(telling_clauses("I don't eat gluten anymore, so which pasta fits?")) == ["I don't eat gluten anymore"]
    assert list(telling_clauses("Which pasta fits?")) == []


def test_a_message_that_tells_nothing_costs_no_call() -> None:
    """Questions and tasks are not worth a small model's time."""
    model = ScriptedModel()
    assert extract_compactly(model, heard("Can you suggest a restaurant near me?"), EMBEDDER).facts == ()
    assert model.asked == []


REPLACED = [
    ("User moved to Graz.", "I just moved to Graz", "User lives in Linz.", True),
    ("User's order #4821 arrived today.", "Order #4821 arrived today", "User's order #4821 has not arrived.", True),
    ("User's order #4822 arrived today.", "Order #4822 arrived today", "User's order #4821 has not arrived.", False),
    ("User's refund for 4821 is there.", "my refund for 4821 is there", "User's order 4821 has not arrived.", True),
    ("User handed in their notice at Bosch.", "I handed in my notice at Bosch", "User is a cook at Bosch.", True),
    ("User's budget is 700 euros.", "my budget is 700 euros now", "User's budget is 500 euros.", True),
    ("User has a cat.", "I have a cat", "User has a dog.", False),
    ("User moved to Graz.", "I just moved to Graz", "User is allergic to nuts.", False),
    ("User's sister moved to Graz.", "my sister moved to Graz", "User lives in Linz.", False),
    ("User lives with two friends.", "I live with two friends", "User lives in Linz.", False),
    ("User lives in Graz now.", "I live in Graz now", "User is renting a studio in Linz.", True),
    (
        "User can only save 90 a month now.",
        "I can only save 90 a month now",
        "User saves 120 a month for a boat.",
        True,
    ),
    ("User does not drink coffee.", "I do not drink coffee", "User drinks coffee.", True),
    ("User and Kai broke up.", "Kai and I broke up", "User's boyfriend Kai lives with user in Graz.", True),
]


@pytest.mark.parametrize(("text", "said", "known", "replaced"), REPLACED)
def test_rules_say_what_a_fact_replaces(text: str, said: str, known: str, replaced: bool) -> None:
    """By meaning, by shared numbers, and by words of change."""
    exchange = heard(said, known)
    (fact,) = with_changes(compact_form.read(text, exchange), exchange, EMBEDDER).facts
    assert fact.replaces == ((1,) if replaced else ())


def test_what_is_said_to_be_over_ends_without_the_model() -> None:
    """By the words that the sentence shares with it; on the day that is named."""
    exchange = heard("The quiz team folded last week.", "User is in a quiz team on Mondays.", "User lives in Graz.")
    found = with_changes(compact_form.read("none", exchange), exchange, EMBEDDER)
    assert [(one.number, one.valid_to) for one in found.ended] == [(1, date(2026, 5, 25))]


def test_what_hangs_on_a_changed_home_becomes_doubtful() -> None:
    """The landlord of the old flat; not an allergy."""
    exchange = heard(
        "We moved to Graz.", "User lives in Linz.", "User's landlord is Mr Petit.", "User is allergic to nuts."
    )
    found = with_changes(compact_form.read("User moved to Graz.", exchange), exchange, EMBEDDER)
    assert found.facts[0].replaces == (1,)
    assert found.outdated == (2,)


def test_a_number_that_is_put_right_takes_the_place_of_the_wrong_one() -> None:
    """The model says nothing of it."""
    exchange = heard("no wait, it's from 2017", "User's van is from 2015.", "User lives in Graz.")
    (fact,) = with_changes(compact_form.read("none", exchange), exchange, EMBEDDER).facts
    assert (fact.text, fact.replaces, fact.mistaken) == ("User's van is from 2017.", (1,), True)


CORRECTED = [
    ("sorry, I said the 19th, it's the 26th", "User's fair is on 19 May 2026.", "User's fair is on 26 May 2026."),
    ("oh it's the 15th, I misread the letter", "User's exam is on 14 May 2026.", "User's exam is on 15 May 2026."),
    ("Ach nee, am 4. Juli", "Der Nutzer hat am 3. Juli einen Termin.", "Der Nutzer hat am 4. Juli einen Termin."),
    ("perdona, los martes, no los lunes", "El usuario nada los lunes.", "El usuario nada los martes."),
    ("no, nicht Montag sondern Dienstag", "Der Nutzer tanzt am Montag.", "Der Nutzer tanzt am Dienstag."),
    ("desculpa, é às sextas, não às quintas", "O usuário dança às quintas.", "O usuário dança às sextas."),
    ("pardon, au bureau, pas au garage", "L'utilisateur mange au garage.", "L'utilisateur mange au bureau."),
    ("Entschuldigung, im August, nicht im April", "Der Nutzer zieht im April um.", "Der Nutzer zieht im August um."),
    ("oops, 1,250, they raised it", "User pays 1150 in rent.", "User pays 1,250 in rent."),
    (
        "correction, it's 20 hours, I looked at the wrong page",
        "User works 24 hours from 13 April 2026.",
        "User works 20 hours from 13 April 2026.",
    ),
    ("oh no, 30 people fell ill at the party", "User swims 40 lengths.", None),
    ("no, not today", "User likes today's news.", None),
]


@pytest.mark.parametrize(("said", "known", "text"), CORRECTED)
def test_a_correction_names_the_right_word_or_both(said: str, known: str, text: str | None) -> None:
    """In a few words; a message about something else is none."""
    exchange = heard(said, known)
    found = with_changes(compact_form.read("User misread the letter.", exchange), exchange, EMBEDDER)
    assert [fact.text for fact in found.facts if fact.replaces == (1,)] == ([text] if text else [])
    assert len(found.facts) <= 1


def test_the_rules_read_what_the_model_passes_over(home: Home) -> None:
    """In English they know many sentences by themselves, and what these end."""
    home.keep("User sings in a choir.")
    home.say("I'm allergic to walnuts and I no longer sing in a choir.")
    assert learn_next(home, ScriptedModel("none"), ExtractionForm.COMPACT).error is None
    assert home.texts()[-1] == "User is allergic to walnuts."


def test_what_is_known_is_confirmed_and_not_added() -> None:
    """The same words again, in another order."""
    exchange = heard("As I said, in Graz I live", "User lives in Graz.")
    found = with_changes(compact_form.read("User lives in Graz.", exchange), exchange, EMBEDDER)
    assert found.facts == ()
    assert [mention.number for mention in found.confirmed] == [1]


def test_what_a_person_asks_to_forget_is_named_without_the_model(home: Home) -> None:
    """And is not learned again from the same sentence."""
    home.keep("User likes jazz.", "User lives in Graz.")
    home.say("Please forget that I like jazz.")
    assert learn_next(home, ScriptedModel("User likes jazz."), ExtractionForm.COMPACT).error is None
    assert home.texts() == ["User lives in Graz."]


OWN = ["Porto", "vegan", "sister", "Ana", "guitar", "plays", "nurse"]
FOREIGN = ["Berlin", "Zoltan", "opera", "diabetes", "yacht", "User", "User's", "is", "has", "in", ".", "\n", "none"]


@given(st.lists(st.sampled_from(OWN), min_size=1, max_size=6), st.lists(st.sampled_from([*OWN, *FOREIGN]), max_size=12))
def test_no_line_gets_in_that_the_message_does_not_bear(said: list[str], answer: list[str]) -> None:
    """Every fact passes the gate, and its quote is the person's."""
    exchange = heard(" ".join(said))
    for fact in compact_form.read(" ".join(answer), exchange).facts:
        assert fact.quote in exchange.user
        assert EvidenceGate(exchange).quote_of(fact) is not None
        assert not {"Berlin", "Zoltan"} & set(fact.text.replace(".", "").split())


SAID_ELSEWHERE = (
    "ich wohne in Köln, mein Bruder Jan ist Koch, am 3. Mai, vivo en Vigo, soy camarera, mi hijo tiene 7 años, "
    "j'habite à Lille, ma fille chante, moro em Braga, tenho dois gatos, 犬を飼っています, я живу в Перми"
).split(", ")
NOT_SAID = [
    "Berlin",
    "Zoltan",
    "Napoli",
    "1984",
    "9913",
    "Nutzer",
    "usuario",
    "utilisateur",
    "User",
    "Eva",
    "yacht",
    ".",
]


@given(
    st.lists(st.sampled_from(SAID_ELSEWHERE), min_size=1, max_size=4),
    st.lists(st.sampled_from([*" ".join(SAID_ELSEWHERE).split(), *NOT_SAID]), max_size=12),
)
def test_no_line_gets_in_that_a_message_in_another_language_does_not_bear(said: list[str], answer: list[str]) -> None:
    """Neither an invented name nor an invented number; the quote is the person's."""
    exchange = heard(", ".join(said))
    gate = EvidenceGate(exchange)
    for fact in filter(gate.quote_of, compact_form.read(" ".join(answer), exchange).facts):
        assert fact.quote in exchange.user
        assert not any(word in fact.text for word in ("Berlin", "Zoltan", "Napoli", "1984", "9913", "Eva"))


# Which form.


def learn_next(home: Home, model: ScriptedModel, form: ExtractionForm = ExtractionForm.AUTO) -> LearningResult:
    return harness.learn_next(replace(home.context(model), forms=FormPolicy(form), rules=OfflineModel()))


def test_a_model_changes_over_after_unusable_answers_and_stays_there(home: Home) -> None:
    """Which is remembered for that model, and loses nothing of what was said."""
    for _ in range(MAX_UNUSABLE - 1):
        home.say("I live in Graz.")
        assert learn_next(home, ScriptedModel("I see.", "I see.")).error is not None
        home.clock.forward(minutes=5)
    changed = learn_next(home, ScriptedModel("I see.", "I see.", "User lives in Graz."))
    assert changed.error is None
    assert home.texts() == ["User lives in Graz."]
    home.say("I keep bees.")
    model = ScriptedModel("User keeps bees.")
    learn_next(home, model)
    assert model.asked[0].schema is None
    assert home.texts() == ["User lives in Graz.", "User keeps bees."]
    choice = FormPolicy().choose(model.name, home.store.extraction_forms)
    assert (choice.compact, choice.reason) == (True, "its answers in the full form could not be used")
    assert not FormPolicy().choose("another/model", home.store.extraction_forms).compact


def test_a_setting_decides_before_everything_else(home: Home) -> None:
    """Full stays full, however the answers turn out."""
    for _ in range(MAX_UNUSABLE + 1):
        home.say("I live in Graz.")
        assert isinstance(learn_next(home, ScriptedModel("no", "no"), ExtractionForm.FULL).cause, BadReply)
        home.clock.forward(hours=1)
    policy = FormPolicy(ExtractionForm.COMPACT, lambda model: 70.0)
    assert policy.choose("big/model", home.store.extraction_forms).compact


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ollama_chat/qwen2.5:1.5b", 1.5),
        ("ollama_chat/gemma3:270m", 0.27),
        ("openai/Qwen2.5-7B-Instruct-1M", 7.0),
        ("openai/gpt-4o-mini", None),
        ("openai/mixtral-8x7b", None),
        ("openai/llama-3.2-3b-instruct", 3.0),
    ],
)
def test_a_name_may_say_how_large_a_model_is(name: str, size: float | None) -> None:
    """In billions of parameters."""
    assert parameters_of(name) == size


@pytest.mark.parametrize(("size", "small"), [(1.5, True), (3.9, True), (7.0, False), (None, False)])
def test_a_small_model_is_asked_in_the_compact_form(home: Home, size: float | None, small: bool) -> None:
    """Below some four billion parameters."""
    policy = FormPolicy(parameters=lambda model: size)
    assert policy.choose("x", home.store.extraction_forms).compact is small
