"""What a memory that was told by hand replaces, where a language model decides it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import Purpose
from memchat.core.types import Event, Owner
from memchat.errors import ModelError
from memchat.learning.comparison import compare_told
from memchat.learning.forms import FormPolicy
from memchat.learning.pipeline import LearningResult
from memchat.learning.worker import LearningWorker
from memchat.memories.remember import RememberResult, compare
from memchat.repl.notifications import learning_lines, remember_lines
from tests.learning.harness import AL, Home, ScriptedModel, facts
from tests.storage.memory_factories import memories_of

TODAY = date(2026, 3, 1)
TOLD = "The flat in Lisbon is home these days"
MOVED = facts({"text": "User lives in Lisbon.", "quote": TOLD, "replaces": [1]})


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        yield home


def test_what_the_model_says_is_replaced_gives_way_to_the_told_words(home: Home) -> None:
    """They stay as they were told, whatever the model made of them, and the former can come back."""
    (berlin,) = home.keep("User lives in Berlin.")
    (told,) = home.keep(TOLD)
    result = compare_told(home.context(ScriptedModel(MOVED)), told, TODAY)
    assert home.texts() == [TOLD]
    assert list(learning_lines(result)) == [f"Updated: {TOLD} (was: User lives in Berlin.)"]
    assert home.store.usage.totals("al")[Purpose.LEARN].calls == 1
    former = home.store.memories.get(berlin.id)
    assert former is not None
    assert former.superseded_by == told.id
    home.store.memories.undo(home.memories()[0], former, None)
    assert home.texts() == ["User lives in Berlin."]


def test_a_small_model_is_not_asked_what_is_replaced(home: Home) -> None:
    """Rules say it, in whatever person it is put."""
    home.keep("User lives in Berlin.", "User likes tea.")
    (told,) = home.keep("I moved to Lisbon")
    model = ScriptedModel()
    context = replace(home.context(model), forms=FormPolicy(parameters=lambda name: 1.5))
    result = compare_told(context, told, TODAY)
    assert (result.error, model.asked) == (None, [])
    assert home.texts() == ["User likes tea.", "I moved to Lisbon"]


def test_the_model_adds_nothing_here(home: Home) -> None:
    """Only what it says about other memories counts; an unrelated memory stays."""
    home.keep("User lives in Berlin.")
    (told,) = home.keep("User likes tea")
    answer = facts({"text": "User likes green tea.", "quote": "User likes tea"})
    assert compare_told(home.context(ScriptedModel(answer)), told, TODAY).applied == ()
    assert home.texts() == ["User lives in Berlin.", "User likes tea"]


def test_another_persons_memories_are_not_shown_to_the_model(home: Home) -> None:
    """Nothing near of one's own: no model is asked."""
    home.keep("User lives in Berlin.", owner=Owner.user("bo"))
    (told,) = home.keep(TOLD)
    model = ScriptedModel()
    assert compare_told(home.context(model), told, TODAY).applied == ()
    assert model.asked == []


def test_a_failure_of_the_model_costs_the_comparison_alone(home: Home) -> None:
    """The memory is kept, and what was not decided is said with its reason."""
    home.keep("User lives in Berlin.")
    (told,) = home.keep(TOLD)
    context = home.context(ScriptedModel(ModelError("The model is away.")))
    one = compare(context, RememberResult(told), TODAY)
    assert remember_lines(one, {})[1] == "  Could not decide what it replaces: The model is away."
    assert home.texts() == ["User lives in Berlin.", TOLD]


def test_a_memory_that_was_changed_meanwhile_is_left_alone(home: Home) -> None:
    """What was told is no longer what is kept."""
    home.keep("User lives in Berlin.")
    (told,) = home.keep(TOLD)
    home.store.erase([told.id])
    assert compare_told(home.context(ScriptedModel()), told, TODAY).applied == ()


def test_the_worker_decides_behind_the_chat_and_says_so(home: Home) -> None:
    """As it does for what it learns."""
    home.keep("User lives in Berlin.")
    (told,) = home.keep(TOLD)
    results: list[LearningResult] = []
    worker = LearningWorker(lambda: home.context(ScriptedModel(MOVED)), results.append, user="al")
    worker.compare(told, TODAY)
    assert worker.wait_until_idle(30)
    worker.close(30)
    assert [one.event for result in results for one in result.applied] == [Event.ADD]
    assert home.texts() == [TOLD]


def test_with_a_language_model_no_rule_replaces_anything(tmp_path: Path) -> None:
    """What is told is kept at once, and what is about the same thing is named; offline the rules decide."""
    with App(Settings(tmp_path, "al")) as app:
        app.rememberer.remember("The wifi is called Falcon.", AL)
        kept = app.rememberer_with("some/model").remember("The wifi is called Hawk.", AL)
        assert [memory.text for memory in kept.similar] == ["The wifi is called Falcon."]
        app.rememberer.remember("User lives in Berlin.", AL)
        assert app.rememberer_with("some/model").remember("I live in Bergen", AL).replaced == ()
        assert app.rememberer.remember("I live in Oslo", AL).replaced != ()
        assert "I live in Bergen" not in {memory.text for memory in memories_of(app.store, "al")}
