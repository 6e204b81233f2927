"""Recall of what was said, beside the facts distilled from it, without a language model.

    python -m tests.benchmarks.excerpts PATH [--mem0-python PYTHON] [--conversations N]
    python -m tests.benchmarks.excerpts PATH --contexts FILE [--questions 24] [--seed 13]

PATH is a LoCoMo file (see `tests.benchmarks.locomo`). Each conversation is one store: its observations are the facts,
its turns the messages, one speaker's the person's and the other's the assistant's.

First, recall over the union: a question counts as found when any recalled line is its evidence (a turn, or a fact
drawn from one). Dense and BM25 rank facts and turns in one list; memchat's two rankings are put in one list by their
scores, without floors. "As shipped" is what a prompt gets: five facts and what excerpts the floor and the tokens leave.
With `--mem0-python`, the interpreter of an environment that has `mem0ai` and `fastembed`, mem0 ranks the same one list:
Qdrant with its BM25, the same embedder (see `tests.benchmarks.mem0_beside`).

Then what gets an excerpt that should not: the unrelated requests of the blind sets, and small talk.

`--contexts` writes what a reader is given for a sample of questions (`--questions` a conversation, seeded): facts
alone, ten facts, facts by cosine, and facts with excerpts as shipped.
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter, MessageFilter
from memchat.core.types import Memory, Owner, Role
from memchat.llm.wordpieces import EnglishWordPieces
from memchat.recall.excerpts import Excerpt, ExcerptFinder, ExcerptQuery
from memchat.recall.periods import with_days
from memchat.recall.retriever import Hit, Query
from memchat.text.normalize import content_words
from tests.benchmarks import blind
from tests.benchmarks.locomo import CATEGORIES, USER, Conversation, Item, fill, load
from tests.benchmarks.mem0_beside import Contestant, Worker, embeddings
from tests.benchmarks.tables import machine, table

PEOPLE = MemoryFilter((Owner.user(USER),))
SAID = MessageFilter(Owner.user(USER))
TOKENS = 700
MANY = 1_000_000
MEM0 = "mem0 with BM25, facts and turns"
SMALL_TALK = (
    "hi",
    "Hello there!",
    "Thanks a lot!",
    "ok great",
    "Good morning, how are you?",
    "bye, see you later",
    "haha nice",
    "Danke schön!",
    "Hola, ¿qué tal?",
    "Merci beaucoup",
)

Lines = list[frozenset[str]]
"""The evidence turns that each recalled line stands for, best first."""


class History:
    """One LoCoMo conversation in a store of its own."""

    def __init__(self, app: App, conversation: Conversation, clock: list[datetime]) -> None:
        self.app = app
        self.conversation = conversation
        self.facts = fill(app, conversation.facts, verbatim=False)
        self.turns: dict[str, Item] = {}
        for number in sorted({turn.session for turn in conversation.turns}):
            self._say([turn for turn in conversation.turns if turn.session == number], clock)
        clock[0] += timedelta(days=7)
        while app.store.message_index.index_next(USER, app.embedder, 64):
            pass
        self.recall = app.recall_over(app.store)
        assert self.recall.excerpts is not None
        self.finder: ExcerptFinder = self.recall.excerpts

    def _say(self, turns: Sequence[Item], clock: list[datetime]) -> None:
        conversations, first = self.app.store.conversations, turns[0]
        clock[0] = datetime(first.day.year, first.day.month, first.day.day, 12, tzinfo=UTC)
        session = conversations.new_session(USER, None, name=f"session{first.session}")
        for turn in turns:
            own = turn.text.startswith(f"{self.conversation.speakers[0]}:")
            message = conversations.record(session, Role.USER if own else Role.ASSISTANT, turn.text)
            self.turns[message.id] = turn
            clock[0] += timedelta(seconds=30)

    def of_fact(self, memory: Memory) -> frozenset[str]:
        return self.facts[memory.id].turns if memory.id in self.facts else frozenset()

    def of_excerpt(self, excerpt: Excerpt) -> frozenset[str]:
        return self.turns[excerpt.message_id].turns

    def hits(self, text: str, top_k: int, *, floor: bool = True) -> list[Hit]:
        return self.recall.search(Query(text, PEOPLE, top_k=top_k, floor=floor))

    def shipped(self, text: str) -> tuple[list[Hit], tuple[Excerpt, ...]]:
        """What a prompt gets."""
        hits = self.hits(text, 5)
        session = self.app.store.conversations.new_session(USER, None)
        return hits, self.recall.excerpts_for_turn(Query(text), session, [hit.memory for hit in hits]).excerpts


@contextmanager
def history(conversation: Conversation) -> Iterator[History]:
    clock = [datetime(2024, 6, 1, tzinfo=UTC)]
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), user=USER, memory_tokens=TOKENS)
        with App(settings, clock=lambda: clock[0]) as app:
            yield History(app, conversation, clock)


# Recall over the union.


def rankers(past: History) -> dict[str, Callable[[str], Lines]]:
    texts = [*past.conversation.facts, *past.conversation.turns]
    embedder = past.app.embedder
    rows = embedder.embed([item.text for item in texts])

    def dense(question: str) -> Lines:
        order = np.argsort(-(rows @ embedder.embed([question])[0]))[:10]
        return [texts[at].turns for at in order]

    def merged(question: str) -> Lines:
        facts = [(hit.score, past.of_fact(hit.memory)) for hit in past.hits(question, 10, floor=False)]
        query = ExcerptQuery(question, SAID, MANY, most=10, ordinary_tokens=MANY, floor=False)
        said = [(one.score, past.of_excerpt(one)) for one in past.finder.search(query)]
        return [turns for _, turns in sorted([*facts, *said], key=lambda pair: -pair[0])][:10]

    def shipped(question: str) -> Lines:
        hits, excerpts = past.shipped(question)
        return [*(past.of_fact(hit.memory) for hit in hits), *map(past.of_excerpt, excerpts)]

    def facts(question: str) -> Lines:
        return [past.of_fact(hit.memory) for hit in past.hits(question, 10)]

    return {
        "dense, facts and turns": dense,
        "BM25, facts and turns": Bm25(texts),
        "facts alone": facts,
        "memchat, by score": merged,
        "as shipped, 5 facts + excerpts": shipped,
    }


@contextmanager
def mem0_ranker(python: str, base_url: str, conversation: Conversation) -> Iterator[Callable[[str], Lines]]:
    """mem0 over one conversation, in a process of its own."""
    texts = [*conversation.facts, *conversation.turns]
    mem0 = Contestant(MEM0, "mem0", python, "qdrant", bm25=True)
    with tempfile.TemporaryDirectory() as home, Worker(mem0, Path(home), base_url) as worker:
        worker.open()
        worker.ask("add", user=USER, items=[(str(at), item.text) for at, item in enumerate(texts)])

        def rank(question: str) -> Lines:
            answer = worker.ask("search", user=USER, questions=[question], options={"top_k": 10})
            return [texts[int(key)].turns for key in answer["found"][0]]

        yield rank


class Bm25:
    """Okapi BM25 (k1 0.9, b 0.4) over stemmed words that are no stop words."""

    def __init__(self, items: Sequence[Item], k1: float = 0.9, b: float = 0.4) -> None:
        import snowballstemmer

        self._stem = snowballstemmer.stemmer("english").stemWord
        self._items = items
        documents = [[self._stem(word) for word in content_words(item.text)] for item in items]
        average = sum(map(len, documents)) / len(documents)
        self._weights: dict[str, dict[int, float]] = {}
        for at, document in enumerate(documents):
            for word in set(document):
                count = document.count(word)
                norm = count + k1 * (1 - b + b * len(document) / average)
                self._weights.setdefault(word, {})[at] = count * (k1 + 1) / norm

    def __call__(self, question: str) -> Lines:
        scores: dict[int, float] = {}
        for word in {self._stem(word) for word in content_words(question)}:
            found = self._weights.get(word, {})
            idf = np.log(1 + (len(self._items) - len(found) + 0.5) / (len(found) + 0.5))
            for at, weight in found.items():
                scores[at] = scores.get(at, 0.0) + idf * weight
        return [self._items[at].turns for at in sorted(scores, key=lambda at: -scores[at])[:10]]


@dataclass(frozen=True)
class Outcome:
    """Whether a question was found among the first 5 and 10 lines."""

    way: str
    category: int
    at_5: bool
    at_10: bool


def outcomes(conversation: Conversation, ranked: Mapping[str, Callable[[str], Lines]]) -> Iterator[Outcome]:
    for way, rank in ranked.items():
        for question in conversation.questions:
            lines, evidence = rank(question.text), set(question.evidence)
            at_5, at_10 = (any(turns & evidence for turns in lines[:cut]) for cut in (5, 10))
            yield Outcome(way, question.category, at_5, at_10)


def recall_rows(found: Sequence[Outcome]) -> list[list[str]]:
    rows = []
    for way in dict.fromkeys(one.way for one in found):
        row = [way]
        for category in (None, *CATEGORIES):
            own = [one for one in found if one.way == way and category in {None, one.category}]
            row.append(
                " / ".join(f"{100 * statistics.mean(v):.1f}" for v in ([o.at_5 for o in own], [o.at_10 for o in own]))
            )
        rows.append(row)
    return rows


# What should get none.


@dataclass(frozen=True)
class Unasked:
    """Of a kind of request: whether an excerpt came, and the tokens of all that did."""

    kind: str
    tokens: int


def unasked(past: History) -> Iterator[Unasked]:
    requests: dict[str, Sequence[str]] = {"small talk": SMALL_TALK}
    for name in ("blind_set", "blind_held_out"):
        requests[f"unrelated, {name}"] = blind.load(blind.FOLDER / name).unrelated
    for kind, texts in requests.items():
        for text in texts:
            yield Unasked(kind, tokens(past.shipped(text)[1]))


def tokens(excerpts: Sequence[Excerpt]) -> int:
    """What the lines of the block take, counted in word pieces."""
    from memchat.recall.excerpt_block import line

    return sum(map(len, EnglishWordPieces().pieces([line(excerpt) for excerpt in excerpts])))


def unasked_rows(found: Sequence[Unasked]) -> list[list[str]]:
    rows = []
    for kind in dict.fromkeys(one.kind for one in found):
        given = [one.tokens for one in found if one.kind == kind]
        some = [count for count in given if count]
        share, mean = f"{100 * len(some) / len(given):.1f}%", f"{statistics.mean(given):.0f}"
        rows.append([kind, str(len(given)), share, mean, f"{statistics.median(some):.0f}" if some else "-"])
    return rows


# For a reader.


def contexts(past: History, count: int, seed: int) -> Iterator[dict[str, Any]]:
    sample = random.Random(f"{seed} {past.conversation.name}").sample(past.conversation.questions, count)
    embedder = past.app.embedder
    facts = past.conversation.facts
    rows = embedder.embed([fact.text for fact in facts])
    for question in sample:
        hits, excerpts = past.shipped(question.text)
        nearest = np.argsort(-(rows @ embedder.embed([question.text])[0]))[:5]
        own = [_line(hit.memory) for hit in hits]
        yield {
            "question": question.text,
            "category": question.category,
            "conditions": {
                "facts": own,
                "facts-excerpts": [*own, *map(_quoted, sorted(excerpts, key=lambda one: one.said_at))],
                "ten-facts": [_line(hit.memory) for hit in past.hits(question.text, 10)],
                "dense-facts": [[str(facts[at].day), facts[at].text] for at in nearest],
            },
        }


def _line(memory: Memory) -> list[str]:
    return [str(memory.valid_from), memory.text]


def _quoted(excerpt: Excerpt) -> list[str]:
    from memchat.recall.excerpt_block import caveat

    note = caveat(excerpt)
    return [str(excerpt.day), with_days(excerpt.with_question(), excerpt.day) + (f" ({note})" if note else "")]


def _with_gold(path: Path, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`items`, numbered, with the set's own answers."""
    gold = {q["question"]: q.get("answer") for sample in json.loads(path.read_text("utf-8")) for q in sample["qa"]}
    return [{"n": number, "gold": gold[item["question"]], **item} for number, item in enumerate(items, 1)]


def _spread(items: Sequence[dict[str, Any]]) -> list[list[str]]:
    count = EnglishWordPieces().pieces
    rows = []
    for way in items[0]["conditions"]:
        sizes = [sum(map(len, count([f"- [{day}] {text}" for day, text in item["conditions"][way]]))) for item in items]
        rows.append([way, f"{statistics.median(sizes):.0f}", str(max(sizes))])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--mem0-python", metavar="PYTHON")
    parser.add_argument("--conversations", type=int, metavar="N", help="only the first N")
    parser.add_argument("--contexts", type=Path)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--seed", type=int, default=13)
    arguments = parser.parse_args()
    found: list[Outcome] = []
    given: list[Unasked] = []
    asked: list[dict[str, Any]] = []
    for conversation in load(arguments.path)[: arguments.conversations]:
        with history(conversation) as past:
            if arguments.contexts:
                asked += contexts(past, min(arguments.questions, len(conversation.questions)), arguments.seed)
                continue
            found += outcomes(conversation, rankers(past))
            given += unasked(past)
        if arguments.mem0_python and not arguments.contexts:
            with embeddings() as base_url, mem0_ranker(arguments.mem0_python, base_url, conversation) as rank:
                found += outcomes(conversation, {MEM0: rank})
    print(machine())
    if arguments.contexts:
        asked = _with_gold(arguments.path, asked)
        arguments.contexts.write_text(json.dumps(asked, ensure_ascii=False, indent=1), "utf-8")
        print(table(["in the prompt", "tokens, median", "most"], _spread(asked)))
        return
    ways = len(dict.fromkeys(one.way for one in found))
    print(f"\nany evidence among 5 / 10 lines, {len(found) // ways} questions\n")
    print(table(["lines", "all", *CATEGORIES.values()], recall_rows(found)))
    print("\n" + table(["requests", "number", "get an excerpt", "tokens, mean", "where some"], unasked_rows(given)))


if __name__ == "__main__":
    main()
