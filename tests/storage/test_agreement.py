"""Any sequence of what can be done, killed in the middle or not: store and index agree with a simple model of them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner
from memchat.doctor.database import Health, examine
from memchat.storage.fulltext import owner_term
from memchat.storage.index.verify import verify_index
from memchat.storage.inspection import DatabaseInspection
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.message_codec import encode_rows
from memchat.storage.vectors.search import VectorSearch
from memchat.text.normalize import words
from tests.storage.crash_driver import DONE, REFUSED, Hands, Mortals, fact, perform, quote, said
from tests.storage.memory_factories import embedded, holding
from tests.storage.reference_model import Kept, Model, Refused, observed, scores
from tests.storage.vector_factories import FINGERPRINT, until

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

Made = TypeVar("Made")

WORDS = ("lute", "harp", "kazoo", "viola")
HOUSEKEEPING = ("open_index", "open_index", "close_index", "move")
"""What happens in this process only. An export is made before each forgetting, to be imported some time later."""
DEEDS = (
    *("add", "learn", "learn", "learn", "learn", "edit", "edit", "edit", "undo", "undo", "undo", "undo"),
    *("forget", "reindex", "restore", "restore", "index_messages", "index_messages", *HOUSEKEEPING),
)
PEOPLE = ("alice", "bob")
MANY = 400
STEPS = {"add": 50, "learn": 140, "edit": 50, "undo": 50, "forget": 120, "reindex": 130, "restore": 100}
STEPS |= {"index_messages": 60}
"""About as many as each deed takes; what follows keeps the index up to date and closes everything."""
FOUND = 10
NEAREST = 2
CLOSE = 1e-4


@dataclass(frozen=True)
class Deed:
    """Something to do. `picks` choose memories among those there are."""

    name: str
    owner: str
    word: str
    picks: tuple[int, ...]
    flag: bool


@dataclass(frozen=True)
class Plan:
    """A deed with what it is done to, and what the model may be on the way to its end."""

    name: str
    arguments: Sequence[Any]
    stages: Sequence[Model]
    outcome: str = DONE


@dataclass(frozen=True)
class Death:
    """How a process ends: with the index open or not, after so many per cent of its deed."""

    index: bool
    part: int


def evenly(made: Callable[[Random], Made]) -> st.SearchStrategy[Made]:
    """What chance has `made`. Left to itself Hypothesis does little but the first of several deeds in few examples."""
    return st.integers(0, 2**64 - 1).map(lambda seed: made(Random(seed)))


def some_deed(chance: Random) -> Deed:
    picks = tuple(chance.sample(range(10), chance.choice((1, 2))))
    owner = chance.choice(("alice", "alice", "bob"))
    return Deed(chance.choice(DEEDS), owner, chance.choice(WORDS), picks, chance.choice((True, False)))


def some_death(chance: Random) -> Death | None:
    return Death(chance.random() < 0.25, chance.randint(1, 120)) if chance.random() < 0.5 else None


class Homes(RuleBasedStateMachine):
    """A home, the model of it, an export of some moment, and all that ever was in it."""

    def __init__(self, folder: Path, mortals: Mortals) -> None:
        super().__init__()
        self.folder, self.mortals = folder, mortals
        self.home = self.new_home()
        self.hands = Hands(self.home)
        self.model = Model()
        self.exported, self.of_export = "", Model()
        self.ids: set[str] = set()

    def new_home(self) -> Path:
        return Path(mkdtemp(dir=self.folder)) / "home"

    # What can happen.

    @rule(deed=evenly(some_deed), death=evenly(some_death))
    def do(self, deed: Deed, death: Death | None) -> None:
        if deed.name in HOUSEKEEPING:
            getattr(self, deed.name)()
            self.check()
            return
        if deed.name == "forget":
            self.export()
        plan = self.planned(deed)
        if plan is not None and death is None:
            assert perform(self.hands, plan.name, plan.arguments) == plan.outcome
            self.became(plan.stages[-1:])
        elif plan is not None and death is not None:
            self.do_and_die(plan, death)

    def do_and_die(self, plan: Plan, death: Death) -> None:
        """Another process does it, and is killed on the way or afterwards."""
        last = STEPS[plan.name] * death.part // 100 + 1
        told = self.mortals.perform(self.home, plan.name, plan.arguments, index=death.index, last=last)
        assert told in {None, plan.outcome}
        self.hands.recover()
        self.became(plan.stages if told is None else plan.stages[-1:])

    def export(self) -> None:
        self.exported, self.of_export = self.hands.export(), self.model.copy()

    def move(self) -> None:
        """Everything into another home, by an export: nothing but the conversations stays behind."""
        exported = self.hands.export()
        self.check_files()
        self.hands.close()
        self.home = self.new_home()
        self.hands = Hands(self.home)
        self.hands.restore(exported)
        self.model.messages = []
        self.became([self.model])
        assert self.hands.export() == exported

    def open_index(self) -> None:
        if self.hands.keeper is None:
            self.hands.open_index()

    def close_index(self) -> None:
        self.hands.close_index()
        found = verify_index(self.hands.place)
        assert found is None or found.sound, found

    # What should come of it.

    def planned(self, deed: Deed) -> Plan | None:
        after = self.model.copy()
        stages = [self.model.copy(), after]
        if deed.name == "add":
            text = fact(deed.word, loud=deed.flag)
            after.add(deed.owner, text)
            return Plan("add", (deed.owner, text), stages)
        if deed.name == "learn":
            return self.learned(deed)
        if deed.name in {"reindex", "index_messages"}:
            return Plan(deed.name, (), stages)
        if deed.name == "restore":
            after.restore(self.of_export)
            return Plan("restore", (self.exported,), stages)
        among = list(after.current() if deed.name == "edit" else after.memories)
        if not among:
            return None
        ids = list(dict.fromkeys(among[pick % len(among)] for pick in deed.picks))
        arguments: dict[str, tuple[Any, ...]] = {
            "edit": (ids[0], fact(deed.word, loud=deed.flag)),
            "undo": (ids[0],),
            "forget": (ids,),
        }
        return self.tried(deed.name, arguments[deed.name], stages)

    def tried(self, name: str, arguments: tuple[Any, ...], stages: list[Model]) -> Plan:
        try:
            getattr(stages[-1], name)(*arguments)
        except Refused:
            return Plan(name, arguments, stages[:1], REFUSED)
        return Plan(name, arguments, stages)

    def learned(self, deed: Deed) -> Plan:
        """A kill between a message and its extraction leaves them pending: they are learned by the next start."""
        own = list(self.model.current(deed.owner))
        replaced = list(dict.fromkeys(own[pick % len(own)] for pick in deed.picks)) if own else []
        stages = [self.model.copy() for _ in range(3)]
        cues = (f"looking for a {deed.word}", "tidying up")
        for stage, replaces in zip(stages[1:], ([], replaced), strict=True):
            stage.say(deed.owner, said(deed.word))
            kept = Kept(deed.owner, fact(deed.word), quote=quote(deed.word), cues=cues)
            stage.add(deed.owner, kept.text, kept, replaces, deed.flag)
        return Plan("learn", (deed.owner, deed.word, replaced, deed.flag), stages)

    def became(self, stages: Sequence[Model]) -> None:
        """The store is now like one of `stages`, to which it is held from here on."""
        found = observed(self.hands)
        for stage in stages:
            for memory_id in found.memories.keys() - stage.memories.keys():
                stage.name(memory_id)
        self.model = next((stage for stage in reversed(stages) if stage == found), stages[-1])
        assert found == self.model
        self.ids |= found.memories.keys()
        self.check()

    # Comparing.

    def check(self) -> None:
        self.hands.settle_index()
        for owner in PEOPLE:
            self.check_recall(owner)
        for memory_id in self.model.memories:
            self.check_history(memory_id)
        self.check_messages()

    def check_messages(self) -> None:
        """Every message waits or is indexed, by the words that it has now and by no others."""
        database = self.hands.store.database
        rows = database.rows(
            """SELECT m.text, w.terms, v.owner, b.number IS NOT NULL AS waits FROM messages AS m
                LEFT JOIN message_words AS w ON w.rowid = m.number
                LEFT JOIN message_vectors AS v ON v.number = m.number
                LEFT JOIN message_backlog AS b ON b.number = m.number"""
        )
        for row in rows:
            if not row["waits"]:
                assert row["terms"] == " ".join(owner_term(row["owner"], word) for word in words(row["text"]))
        for table, key in (("message_words", "rowid"), ("message_vectors", "number"), ("message_backlog", "number")):
            assert not database.value(f"SELECT count(*) FROM {table} WHERE {key} NOT IN (SELECT number FROM messages)")

    def check_recall(self, owner: str) -> None:
        """Both halves of recall, and the dense one with the index and without it."""
        view, store = MemoryFilter((Owner.user(owner),)), self.hands.store
        current = self.model.current(owner)
        assert [m.id for m in store.memories.memories(view)] == list(reversed(current))
        for word in WORDS:
            found = store.memories.keyword_search(view, [word], FOUND)
            assert set(found) == {i for i, m in current.items() if word in f"{m.text} {m.cues}".casefold()}
        for query in [fact(WORDS[0]), *(m.text for m in current.values())]:
            rows, right = embedded(query).rows, scores(self.model, owner, query)
            found = store.memories.vector_search(view, rows, NEAREST)
            assert [right[i] for i in found] == pytest.approx(sorted(right.values())[: -NEAREST - 1 : -1], abs=CLOSE)
            self.check_scores(owner, rows, right)

    def check_scores(self, owner: str, rows: "Vectors", right: dict[str, float]) -> None:
        """By the scan, and by the index itself where there is one."""
        keeper, scan = self.hands.keeper, self.hands.scan
        known = self.hands.store.database.rows("SELECT m.id, m.number, m.owner FROM memories AS m")
        ids = {row["number"]: row["id"] for row in known}
        owner_number = next((row["owner"] for row in known if row["id"] in right), 0)
        searches: list[ExactSearch | VectorSearch] = [scan]
        if right and keeper is not None:
            until(lambda: keeper.nearest(owner_number, rows, FOUND, scan.position(owner_number)) is not None)
            searches.append(VectorSearch(scan, keeper))
        for search in searches:
            found = {ids[number]: score for number, score in search.nearest(owner_number, rows, FOUND)}
            assert found == pytest.approx(right, abs=CLOSE)

    def check_history(self, memory_id: str) -> None:
        memory = self.hands.store.memories.get(memory_id)
        assert memory is not None
        assert list(memory.supersedes) == self.model.replaced_by(memory_id)
        chain = set(self.model.chain([memory_id]))
        told = [(c.memory_id, c.event, c.old_text, c.new_text) for c in self.hands.store.memories.history(memory)]
        assert told == [(t.memory, t.event, t.old, t.new) for t in self.model.history if t.memory in chain]

    def check_files(self) -> None:
        """The doctor finds nothing, and no file holds what was forgotten: words, ids, vectors."""
        self.close_index()
        ill = [
            one
            for one in examine(DatabaseInspection(self.hands.store.database), FINGERPRINT)
            if one.health is not Health.OK
        ]
        assert ill == []
        alive = "\n".join(self.model.words())
        texts = [words for word in WORDS for words in (fact(word), fact(word, loud=True), quote(word))]
        gone: list[str | bytes] = [text for text in texts if text not in alive]
        gone += [embedded(text).rows[0].tobytes() for text in texts if text not in alive]
        unsaid = [said(word) for word in WORDS if quote(word) not in alive]
        gone += [encode_rows(embedded(text).rows) for one in unsaid for text in (one, f"{one}\nNoted.")]
        gone += self.ids - self.model.memories.keys()
        assert holding(self.home, *gone) == {}

    def teardown(self) -> None:
        try:
            self.check_files()
        finally:
            self.hands.close()


def play(tmp_path: Path, examples: int, steps: int) -> None:
    with Mortals() as mortals:

        class Played(Homes):
            def __init__(self) -> None:
                super().__init__(tmp_path, mortals)

        run_state_machine_as_test(
            Played,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                # The same every time where it has to be quick.
                derandomize=examples < MANY,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 30), pytest.param(MANY, 50, marks=pytest.mark.soak)], ids=["some", "many"]
)
def test_whatever_is_done_and_killed_store_and_index_agree_with_a_model(
    tmp_path: Path, examples: int, steps: int
) -> None:
    """Add, supersede, edit, undo, forget, reindex, export, import, crash, in any order."""
    play(tmp_path, examples, steps)
