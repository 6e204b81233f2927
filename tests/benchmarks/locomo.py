"""Recall on LoCoMo, without a language model: which memories answer a question, compared with the set's own evidence.

    python -m tests.benchmarks.locomo PATH [--facts] [--turns]

PATH is a LoCoMo file (`locomo10.json` or a part of it; CC BY-NC, not shipped here). Each conversation is one store. As
turns, every dialog turn is a memory kept verbatim; as facts, every one of the set's observations is one. Questions are
those of categories 1 to 4 that have evidence. recall@k is the share of a question's evidence turns among the top k,
averaged over questions; for facts a turn counts as found when one of its observations is, and turns that no
observation names are left out.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Draft, Evidence, Owner, Scope, Source
from memchat.recall.retriever import Query
from memchat.storage.protocols import Storage
from memchat.text.embedding import embed
from memchat.text.normalize import content_words
from tests.benchmarks.tables import machine, table

CUTS = (3, 5, 10, 20)
DEPTH = 20
RRF_K = 60
USER = "reader"
CATEGORIES = {1: "several hops", 2: "time", 3: "open", 4: "one hop"}

Ranker = Callable[[str], list[str]]
"""From a question to the keys of memories, best first."""


@dataclass(frozen=True)
class Item:
    """A memory to be: its text, day, and the evidence turns it stands for."""

    key: str
    text: str
    day: date
    session: int
    turns: frozenset[str]


@dataclass(frozen=True)
class Question:
    text: str
    category: int
    evidence: tuple[str, ...]


@dataclass
class Conversation:
    name: str
    speakers: tuple[str, str]
    turns: list[Item]
    facts: list[Item]
    questions: list[Question]
    repaired: int = 0
    dropped: int = 0


def load(path: Path) -> list[Conversation]:
    """The conversations of a LoCoMo file, with malformed evidence strings repaired where their turn exists."""
    return [_conversation(sample) for sample in json.loads(path.read_text(encoding="utf-8"))]


def _conversation(sample: dict[str, Any]) -> Conversation:
    talk = sample["conversation"]
    turns = [item for number in _sessions(talk) for item in _turns(talk, number)]
    known = {item.key for item in turns}
    found = Conversation(sample["sample_id"], (talk["speaker_a"], talk["speaker_b"]), turns, [], [])
    for name, by_speaker in sample.get("observation", {}).items():
        number = int(re.findall(r"\d+", name)[0])
        day = _day(talk[f"session_{number}_date_time"])
        for observations in by_speaker.values():
            for text, evidence in observations:
                keys, _ = _evidence(evidence, known)
                found.facts.append(Item(f"fact{len(found.facts)}", text, day, number, frozenset(keys)))
    for asked in sample["qa"]:
        if asked["category"] not in CATEGORIES:
            continue
        keys, malformed = _evidence(asked.get("evidence", []), known)
        found.repaired += malformed and bool(keys)
        found.dropped += not keys
        if keys:
            found.questions.append(Question(asked["question"], asked["category"], tuple(keys)))
    return found


def _sessions(talk: dict[str, Any]) -> list[int]:
    return sorted(int(key[8:]) for key in talk if re.fullmatch(r"session_\d+", key))


def _turns(talk: dict[str, Any], number: int) -> Iterator[Item]:
    day = _day(talk[f"session_{number}_date_time"])
    for turn in talk[f"session_{number}"]:
        key = turn["dia_id"]
        yield Item(key, f"{turn['speaker']}: {turn['text']}", day, number, frozenset({key}))


def _day(text: str) -> date:
    return datetime.strptime(text.split(" on ")[1], "%d %B, %Y").replace(tzinfo=UTC).date()


def _evidence(given: Any, known: set[str]) -> tuple[list[str], bool]:
    """The turns an evidence field names that exist, and whether the field had to be repaired."""
    parts = given if isinstance(given, list) else [given]
    keys: list[str] = []
    for part in parts:
        found = (f"D{int(session)}:{int(turn)}" for session, turn in re.findall(r"D:?(\d+):(\d+)", str(part)))
        keys += [key for key in found if key in known and key not in keys]
    return keys, any(str(part) not in known for part in parts)


@dataclass
class Scores:
    """What one way of ranking came to, question by question."""

    recall: dict[int, list[float]] = field(default_factory=lambda: {cut: [] for cut in CUTS})
    any_hit: list[float] = field(default_factory=list)
    reciprocal: list[float] = field(default_factory=list)
    categories: list[int] = field(default_factory=list)

    def add(self, ranked: Sequence[frozenset[str]], question: Question, reachable: frozenset[str]) -> None:
        evidence = set(question.evidence) & reachable
        for cut in CUTS:
            seen = set().union(*ranked[:cut]) & evidence
            self.recall[cut].append(len(seen) / len(evidence))
        first = next((place for place, turns in enumerate(ranked, 1) if turns & evidence), None)
        self.reciprocal.append(1 / first if first else 0.0)
        self.any_hit.append(float(first is not None and first <= 5))
        self.categories.append(question.category)

    def row(self, name: str) -> list[str]:
        means = [np.mean(self.recall[cut]) for cut in CUTS]
        by_category = [
            np.mean([r for r, c in zip(self.recall[5], self.categories, strict=True) if c == category] or [0.0])
            for category in CATEGORIES
        ]
        values = [*means, np.mean(self.any_hit), np.mean(self.reciprocal), *by_category]
        return [name, *(f"{100 * value:.1f}" for value in values)]


HEADS = ["ranking", *(f"r@{cut}" for cut in CUTS), "any@5", "MRR", *(f"r@5 {name}" for name in CATEGORIES.values())]


def nameless(conversation: Conversation) -> Conversation:
    """The same conversation with the speakers' names in lower case: nothing can tell that they are names."""

    def lowered(text: str) -> str:
        for name in conversation.speakers:
            text = re.sub(rf"\b{name}\b", name.lower(), text)
        return text

    return Conversation(
        conversation.name,
        conversation.speakers,
        [Item(i.key, lowered(i.text), i.day, i.session, i.turns) for i in conversation.turns],
        [Item(i.key, lowered(i.text), i.day, i.session, i.turns) for i in conversation.facts],
        [Question(lowered(q.text), q.category, q.evidence) for q in conversation.questions],
    )


def fill(app: App, items: Sequence[Item], *, verbatim: bool) -> dict[str, Item]:
    """Store `items` as memories of USER; returns them by memory id."""
    store = app.store
    stored: dict[str, Item] = {}
    for session in sorted({item.session for item in items}):
        batch = [item for item in items if item.session == session]
        drafts = [_draft(store, item, session) if verbatim else _fact(item) for item in batch]
        before = [None, *(draft.text for draft in drafts[:-1])]
        applied = store.apply([Add(draft) for draft in drafts], list(embed(app.embedder, drafts, before)))
        by_text = {item.text: item for item in batch}
        stored.update({one.memory.id: by_text[one.memory.text] for one in applied if one.memory.text in by_text})
    return stored


def _fact(item: Item) -> Draft:
    return Draft(item.text, Owner.user(USER), valid_from=item.day, source=Source.IMPORTED)


def _draft(store: Storage, item: Item, session: int) -> Draft:
    talk = store.conversations.new_session(USER, None, name=f"session{session}")
    message = store.conversations.begin_turn(talk, item.text, None)
    return Draft(
        item.text,
        Owner.user(USER),
        scope=Scope.USER,
        valid_from=item.day,
        verbatim=True,
        source=Source.SAID,
        evidence=Evidence(message.id, talk.id, item.text, ""),
    )


def rankers(app: App) -> dict[str, Ranker]:
    """The baselines and memchat, over the same store and vectors."""
    view = MemoryFilter((Owner.user(USER),))
    memories = app.store.memories

    def dense(question: str, limit: int = DEPTH) -> list[str]:
        return memories.vector_search(view, app.embedder.embed([question]), limit)

    def words(question: str, limit: int = DEPTH) -> list[str]:
        return memories.keyword_search(view, content_words(question), limit)

    def rrf(question: str) -> list[str]:
        scores: dict[str, float] = {}
        for ranking in (dense(question, 100), words(question, 100)):
            for place, key in enumerate(ranking, 1):
                scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + place)
        return sorted(scores, key=lambda key: -scores[key])[:DEPTH]

    def whole(question: str) -> list[str]:
        return [hit.memory.id for hit in app.recall.search(Query(question, view, top_k=DEPTH, floor=False))]

    return {"words alone (FTS5)": words, "reciprocal ranks, dense + words": rrf, "memchat": whole}


def dense_texts(app: App, items: Sequence[Item]) -> Ranker:
    """Cosines to whole texts, as most memory layers rank."""
    rows = app.embedder.embed([item.text for item in items])

    def rank(question: str) -> list[str]:
        order = np.argsort(-(rows @ app.embedder.embed([question])[0]))[:DEPTH]
        return [items[index].key for index in order]

    return rank


def measure(conversations: Sequence[Conversation], kind: str, *, baselines: bool) -> dict[str, Scores]:
    """The scores of every ranking over all conversations; `kind` is turns or facts."""
    scores: dict[str, Scores] = {}
    for conversation in conversations:
        items = conversation.turns if kind == "turns" else conversation.facts
        reachable = frozenset[str]().union(*(item.turns for item in items))
        questions = [q for q in conversation.questions if set(q.evidence) & reachable]
        with tempfile.TemporaryDirectory() as home:
            settings = Settings(home=Path(home), user=USER, memory_tokens=100_000)
            with App(settings) as app:
                stored = fill(app, items, verbatim=kind == "turns")
                ways = rankers(app)
                if not baselines:
                    ways = {"memchat": ways["memchat"]}
                for question in questions:
                    for name, rank in ways.items():
                        ranked = [stored[key].turns for key in rank(question.text) if key in stored]
                        scores.setdefault(name, Scores()).add(ranked, question, reachable)
                if baselines:
                    rank, by_key = dense_texts(app, items), {item.key: item for item in items}
                    for question in questions:
                        ranked = [by_key[key].turns for key in rank(question.text)]
                        scores.setdefault("dense alone", Scores()).add(ranked, question, reachable)
        print(f"  {conversation.name}: {len(items)} {kind}, {len(questions)} questions", file=sys.stderr)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--turns", action="store_true", help="only turns as memories")
    parser.add_argument("--facts", action="store_true", help="only observations as memories")
    arguments = parser.parse_args()
    conversations = load(arguments.path)
    repaired = sum(c.repaired for c in conversations)
    dropped = sum(c.dropped for c in conversations)
    print(machine())
    print(f"{len(conversations)} conversations; {repaired} evidence fields repaired, {dropped} questions without any")
    both = arguments.turns == arguments.facts
    for kind in ("turns", "facts"):
        if not (both or getattr(arguments, kind)):
            continue
        found = measure(conversations, kind, baselines=True)
        plain = measure([nameless(c) for c in conversations], kind, baselines=False)
        order = ["dense alone", "words alone (FTS5)", "reciprocal ranks, dense + words"]
        rows = [found[name].row(name) for name in order]
        rows.append(plain["memchat"].row("memchat, no use of names"))
        rows.append(found["memchat"].row("memchat"))
        print(f"\n{kind} as memories: {len(found['memchat'].reciprocal)} questions\n\n" + table(HEADS, rows))


if __name__ == "__main__":
    main()
