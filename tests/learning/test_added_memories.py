"""What a memory that was told by hand replaces, where a language model decides it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import Purpose
from memchat.core.types import Add, Draft, Event, JobState, Memory, Owner
from memchat.errors import ModelError
from memchat.learning.forms import FormPolicy
from memchat.learning.pipeline import LearningContext, LearningResult, learn
from memchat.learning.worker import LearningWorker
from memchat.memories.remember import RememberResult, with_decision
from memchat.repl.notifications import NotificationQueue, learning_lines, remember_lines
from memchat.text import embedding
from tests.learning.harness import AL, EMBEDDER, NOON, Home, ScriptedModel, facts, learn_next
from tests.storage.memory_factories import memories_of

TOLD = "The flat in Lisbon is home these days"
MOVED = facts({"text": "User lives in Lisbon.", "quote": TOLD, "replaces": [1]})


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        yield home


def tell(home: Home, text: str, owner: Owner = AL) -> Memory:
    """Keep `text` and the job that compares it, as `/remember` and `memories add` do."""
    drafts = [Draft(text, owner, scope=owner.kind)]
    embedded = embedding.embed(EMBEDDER, drafts)
    (applied,) = home.store.apply([Add(draft) for draft in drafts], embedded, compared_for="al")
    return applied.memory


def compare(home: Home, model: ScriptedModel, context: LearningContext | None = None) -> LearningResult:
    """Do the next job."""
    return learn_next(context or home.context(model))


def test_what_the_model_says_is_replaced_gives_way_to_the_told_words(home: Home) -> None:
    """They stay as they were told, whatever the model made of them, and the former can come back."""
    (berlin,) = home.keep("User lives in Berlin.")
    told = tell(home, TOLD)
    result = compare(home, ScriptedModel(MOVED))
    assert home.texts() == [TOLD]
    assert home.store.work.pending() == []
    assert list(learning_lines(result)) == [f"Updated: {TOLD} (was: User lives in Berlin.)"]
    assert home.store.usage.totals("al")[Purpose.LEARN].calls == 1
    former = home.store.memories.get(berlin.id)
    assert former is not None
    assert former.superseded_by == told.id
    home.store.memories.undo(home.memories()[0], former, None)
    assert home.texts() == ["User lives in Berlin."]


def test_a_memory_and_the_job_that_compares_it_are_stored_together(home: Home) -> None:
    """Another process sees both, in the order in which they were told; what was known before needs no comparison."""
    home.keep("User lives in Berlin.")
    told = [tell(home, text) for text in (TOLD, "User likes tea")]
    assert [memory_id for (memory_id,) in home.elsewhere("SELECT memory_id FROM work ORDER BY id")] == [
        memory.id for memory in told
    ]
    assert tell(home, TOLD).id == told[0].id
    assert len(home.store.work.pending("al")) == 2


def test_a_small_model_is_not_asked_what_is_replaced(home: Home) -> None:
    """Rules say it, in whatever person it is put."""
    home.keep("User lives in Berlin.", "User likes tea.")
    tell(home, "I moved to Lisbon")
    model = ScriptedModel()
    context = replace(home.context(model), forms=FormPolicy(parameters=lambda name: 1.5))
    result = compare(home, model, context)
    assert (result.error, model.asked) == (None, [])
    assert home.texts() == ["User likes tea.", "I moved to Lisbon"]


def test_the_model_adds_nothing_here(home: Home) -> None:
    """Only what it says about other memories counts; an unrelated memory stays."""
    home.keep("User lives in Berlin.")
    tell(home, "User likes tea")
    answer = facts({"text": "User likes green tea.", "quote": "User likes tea"})
    assert compare(home, ScriptedModel(answer)).applied == ()
    assert home.texts() == ["User lives in Berlin.", "User likes tea"]
    assert home.store.work.pending() == []


def test_another_persons_memories_are_not_shown_to_the_model(home: Home) -> None:
    """Nothing near of one's own: no model is asked."""
    home.keep("User lives in Berlin.", owner=Owner.user("bo"))
    tell(home, TOLD)
    model = ScriptedModel()
    assert compare(home, model).applied == ()
    assert (model.asked, home.store.work.pending()) == ([], [])


def test_a_comparison_that_fails_is_tried_again(home: Home) -> None:
    """The memory is kept, and what was not decided is said with its reason."""
    home.keep("User lives in Berlin.")
    told = tell(home, TOLD)
    result = compare(home, ScriptedModel(ModelError("The model is away.")))
    one = with_decision(home.store, RememberResult(told, pending=True))
    assert remember_lines(one, {})[1] == "  Could not decide yet what it replaces: The model is away."
    notes = NotificationQueue()
    notes(replace(result, memory_id=told.id))
    assert notes.take() == [
        "Could not decide what an added memory replaces yet: The model is away. Will retry; see memchat status."
    ]
    home.clock.forward(hours=1)
    assert compare(home, ScriptedModel(MOVED)).applied
    one = with_decision(home.store, RememberResult(told, pending=True))
    assert (one.pending, [former.text for former in one.replaced]) == (False, ["User lives in Berlin."])


def test_what_is_lost_to_another_process_is_not_decided_twice(home: Home) -> None:
    """The second one finds that the job is gone, and replaces nothing."""
    home.keep("User lives in Berlin.", "User's flat has a balcony.")
    tell(home, TOLD)
    context = home.context(ScriptedModel(MOVED, MOVED))
    work = context.store.work.claim("al")
    assert work is not None
    assert len(learn(context, work).applied) == 1
    assert learn(context, work).applied == ()
    context.close()
    assert len(home.texts()) == 2


@pytest.mark.parametrize("change", ["erased", "replaced"])
def test_a_memory_that_is_gone_meanwhile_is_not_compared(home: Home, change: str) -> None:
    """Erasing takes its job along; what is no longer in force replaces nothing."""
    home.keep("User lives in Berlin.")
    told = tell(home, TOLD)
    if change == "erased":
        home.store.erase([told.id])
        assert home.store.work.pending() == []
        return
    embedded = embedding.embed(EMBEDDER, [Draft("User lives in Porto.", AL)])
    home.store.apply([Add(Draft("User lives in Porto.", AL), (told.id,))], embedded)
    model = ScriptedModel()
    assert compare(home, model).applied == ()
    assert (model.asked, home.store.work.pending()) == ([], [])


def test_erasing_a_person_takes_their_comparisons_along(home: Home) -> None:
    """Also of what they told an agent, whose memory stays."""
    tell(home, TOLD)
    tell(home, "Orders ship within two days.", Owner.agent("shop"))
    assert home.store.erase_person("al").work == 2
    assert home.store.work.pending() == []
    assert home.texts(Owner.agent("shop")) == ["Orders ship within two days."]


def test_the_worker_decides_behind_the_chat_and_says_so(home: Home) -> None:
    """As it does for what it learns, on the day on which it was told."""
    home.keep("User lives in Berlin.")
    told = tell(home, TOLD)
    results: list[LearningResult] = []
    model = ScriptedModel(MOVED)
    worker = LearningWorker(lambda: home.context(model), results.append, user="al")
    home.clock.forward(days=3)
    worker.notify()
    assert worker.wait_until(lambda: home.store.work.of_memory(told.id) is None, 60)
    assert worker.wait_until_idle(60)
    worker.close(30)
    assert [one.event for result in results for one in result.applied] == [Event.ADD]
    assert [result.memory_id for result in results] == [told.id]
    assert f'"today": "{NOON:%Y-%m-%d}' in model.asked[0].messages[1].content
    assert home.texts() == [TOLD]


def test_a_worker_that_does_nothing_is_not_waited_for(home: Home) -> None:
    """The comparison goes on waiting, for the next process that learns."""
    tell(home, TOLD)
    worker = LearningWorker(lambda: home.context(ScriptedModel()), lambda result: None, user="al", idle=True)
    worker.notify()
    assert not worker.wait_until(lambda: home.store.work.pending() == [])
    assert [job.state for job in home.store.work.pending("al")] == [JobState.WAITING]


def test_with_a_language_model_no_rule_replaces_anything(tmp_path: Path) -> None:
    """What is told is kept at once, and what is about the same thing is named; offline the rules decide."""
    with App(Settings(tmp_path, "al")) as app:
        app.rememberer.remember("The wifi is called Falcon.", AL)
        kept = app.rememberer_with("some/model").remember("The wifi is called Hawk.", AL)
        assert [memory.text for memory in kept.similar] == ["The wifi is called Falcon."]
        assert kept.pending
        app.rememberer.remember("User lives in Berlin.", AL)
        assert app.rememberer_with("some/model").remember("I live in Bergen", AL).replaced == ()
        assert app.rememberer.remember("I live in Oslo", AL).replaced != ()
        assert "I live in Bergen" not in {memory.text for memory in memories_of(app.store, "al")}
