"""Lasting facts are told from passing remarks by meaning, whatever the words and the language."""

import numpy as np
import pytest

from memchat.learning.compact_extraction import extract_compactly
from memchat.learning.lasting import EXAMPLES, PASSING, WEIGHTS, LastingSentences
from memchat.llm.builtin_embedder import BuiltinEmbedder
from memchat.offline.model import OfflineModel
from memchat.text.sections import read_sections
from tests.evals import dataset as kit
from tests.evals.fit_lasting import clauses_of, fitted
from tests.learning.harness import ScriptedModel
from tests.learning.test_compact_form import heard

EMBEDDER = BuiltinEmbedder()
LASTING = LastingSentences(EMBEDDER.embed)


def test_the_weights_are_those_that_the_examples_give() -> None:
    """The file was made from these examples; versions of onnxruntime differ by up to 0.05."""
    assert np.allclose(np.load(WEIGHTS), fitted(EMBEDDER), atol=0.08)


def test_no_example_is_a_sentence_of_the_kit() -> None:
    """The kit's figures are about sentences that no weight was fitted to."""
    examples = {
        example.lower() for section in read_sections(EXAMPLES).values() for example in section if len(example) > 20
    }
    said = {clause.lower().rstrip(".!") for folder in (kit.KIT, kit.HELD_OUT) for clause, _ in clauses_of(folder)}
    assert not examples & said


FACTS = [
    "I repair accordions for a living",
    "our twins start nursery in January",
    "my stepdad keeps pigeons",
    "I can't have gluten",
    "the surgery on my knee is on 4 April",
    "Mein Vater ist Imker in Thüringen",
    "Mi prima estudia derecho en Granada",
    "Mon fils est gaucher",
    "Trabalho numa livraria no Porto",
    "no balcony, just one room and a loft bed",
    "ngl im scared of heights",
]
REMARKS = [
    "phew, what a climb",
    "the toast is burning again",
    "someone's ringing the bell, one moment",
    "I'm so sleepy I can't see straight",
    "make the second one a bit longer",
    "Puh, ist das kalt heute",
    "uf, qué sueño tengo",
    "oh là là, quelle pluie",
    "que chuva, meu deus",
    "ha, you owe me a sandwich",
    "grad ist mir das Glas umgekippt",
]


@pytest.mark.parametrize("said", FACTS)
def test_a_fact_of_any_kind_lasts(said: str) -> None:
    """Work, people, health and plans."""
    assert not LASTING.is_passing(said)


@pytest.mark.parametrize("said", REMARKS)
def test_a_remark_of_the_moment_passes(said: str) -> None:
    """Moods, weather, errands and tasks."""
    assert LASTING.is_passing(said)


def test_most_of_the_kits_facts_last_and_most_of_its_remarks_pass() -> None:
    """A part of the kit, to which no weight was fitted."""
    clauses = clauses_of(kit.HELD_OUT)
    scores = LASTING.scores([clause for clause, _ in clauses])
    facts = [score > PASSING for score, (_, is_fact) in zip(scores, clauses, strict=True) if is_fact]
    remarks = [score <= PASSING for score, (_, is_fact) in zip(scores, clauses, strict=True) if not is_fact]
    assert sum(facts) >= 0.9 * len(facts)
    assert sum(remarks) >= 0.5 * len(remarks)


def test_what_a_small_model_notes_of_a_remark_is_not_kept() -> None:
    """The fact beside it is."""
    said = "I repair accordions for a living. The toast is burning again."
    model = ScriptedModel("User repairs accordions for a living.\nUser's toast is burning again.", "none")
    found = extract_compactly(model, heard(said), EMBEDDER, lasting=LASTING)
    assert [fact.text for fact in found.facts] == ["User repairs accordions for a living."]


def test_a_message_of_remarks_costs_no_call() -> None:
    """And nothing is learned from it."""
    model = ScriptedModel()
    assert extract_compactly(model, heard("phew, what a climb. I'm so sleepy!"), EMBEDDER, lasting=LASTING).facts == ()
    assert model.asked == []


def test_what_lasts_without_doubt_is_kept_where_the_model_notes_nothing() -> None:
    """In the person's own words; what is doubtful is not."""
    said = "My stepdad keeps pigeons in Lille. I was near the harbour"
    found = extract_compactly(ScriptedModel("none", "none", "none"), heard(said), EMBEDDER, lasting=LASTING)
    assert [fact.text for fact in found.facts] == ["User's stepdad keeps pigeons in Lille."]


def test_an_order_is_never_a_passing_remark() -> None:
    """Its number will be asked for."""
    assert LASTING.is_passing("the page won't load")
    assert not LASTING.is_passing("the page of order 77120 won't load")


def test_a_wish_is_kept_whatever_its_score() -> None:
    """It is told by its own words."""
    found = extract_compactly(
        ScriptedModel("none"), heard("Always be brief in your answers"), EMBEDDER, lasting=LASTING
    )
    assert [fact.standing for fact in found.facts] == [True]


def test_the_rules_read_no_quotation() -> None:
    """What is to be translated is not said by the person."""
    said = "put this into Polish for me: 'I am your new neighbour and I have a baby girl'"
    assert extract_compactly(ScriptedModel("none"), heard(said), EMBEDDER, OfflineModel(), LASTING).facts == ()
