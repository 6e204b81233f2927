"""Recall of what matters without sharing a word: requests, facts and cues by three writers.

    python -m tests.benchmarks.blind [FOLDER...]

A FOLDER holds `facts.json` (a list of {id, category, text, cues}) and `requests.json` ({related: [{request, needs}],
unrelated: [request]}). By default there are two, each about one invented person: on `blind_set` the floor and what soft
words count for a memory with cues were chosen, `blind_held_out` was written when all was settled. Requests were written
without sight of the cues, cues without sight of the requests. Related requests share no word stem with the facts they
need: that is checked before anything is measured.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import snowballstemmer

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import Embedder, MemoryFilter
from memchat.core.types import Add, Draft, Owner, Source
from memchat.recall.retriever import Query
from memchat.recall.scoring import floor
from memchat.text.embedding import embed
from memchat.text.normalize import words
from tests.benchmarks.stop_words import STOP_WORDS
from tests.benchmarks.tables import machine, table

FOLDER = Path(__file__).parent
CUTS = (1, 3, 5, 10)
USER = "person"
UNRELATED_PASS = 0.10
"""The share of unrelated requests that may recall anything, at the floor reported."""

ASIDES = (
    "I had a long day at the office.",
    "Thanks, that helped a lot.",
    "It has been raining since the morning.",
    "My phone is nearly out of battery.",
    "Sorry for the late reply.",
    "I just finished a big report.",
    "The train was late again.",
    "I slept badly last night.",
    "We watched a film yesterday.",
    "I am sitting in the kitchen.",
    "The neighbours are noisy today.",
    "I finally cleaned the garage.",
)
"""What people say before they come to the point."""

Ranked = list[tuple[str, float]]
"""Fact ids with their scores, best first."""


@dataclass(frozen=True)
class BlindSet:
    facts: list[dict[str, Any]]
    related: list[tuple[str, frozenset[str]]]
    unrelated: list[str]


def load(folder: Path) -> BlindSet:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    requests = json.loads((folder / "requests.json").read_text(encoding="utf-8"))
    related = [(entry["request"], frozenset(entry["needs"])) for entry in requests["related"]]
    return BlindSet(facts, related, requests["unrelated"])


def shared_stems(blind: BlindSet) -> list[str]:
    """The related requests that share a word stem with a fact they need, stop words aside."""
    stem = snowballstemmer.stemmer("english").stemWord

    def stems(text: str) -> set[str]:
        return {stem(word) for word in words(text) if word not in STOP_WORDS and word != "user"}

    by_id = {fact["id"]: stems(fact["text"]) for fact in blind.facts}
    return [request for request, needs in blind.related if any(stems(request) & by_id[need] for need in needs)]


def row(name: str, rank: Callable[[str], Ranked], blind: BlindSet) -> list[str]:
    """recall@k, the floor at which UNRELATED_PASS of the unrelated requests recall anything, and recall@5 above it."""
    best_unrelated = [ranked[0][1] if (ranked := rank(request)) else -1.0 for request in blind.unrelated]
    least = float(np.quantile(best_unrelated, 1 - UNRELATED_PASS))
    found: dict[int, list[float]] = {cut: [] for cut in CUTS}
    above = []
    for request, needs in blind.related:
        ranked = rank(request)
        for cut in CUTS:
            found[cut].append(len(needs & {key for key, _ in ranked[:cut]}) / len(needs))
        above.append(len(needs & {key for key, score in ranked[:5] if score > least}) / len(needs))
    return [name, *(f"{np.mean(found[cut]):.2f}" for cut in CUTS), f"{np.mean(above):.2f}", f"{least:.2f}"]


def by_vectors(embedder: Embedder, groups: Sequence[Sequence[str]], ids: Sequence[str]) -> Callable[[str], Ranked]:
    """Rank facts by the best cosine among the texts of each group."""
    rows = [embedder.embed(group) for group in groups]

    def rank(request: str) -> Ranked:
        query = embedder.embed([request])[0]
        scores = [float((group @ query).max()) for group in rows]
        order = np.argsort([-score for score in scores])
        return [(ids[index], scores[index]) for index in order]

    return rank


def whole(app: App, blind: BlindSet) -> Callable[[str], Ranked]:
    drafts = [
        Draft(
            fact["text"],
            Owner.user(USER),
            category=fact.get("category", "other"),
            cues=tuple(fact.get("cues", ())),
            source=Source.IMPORTED,
        )
        for fact in blind.facts
    ]
    applied = app.store.apply([Add(draft) for draft in drafts], list(embed(app.embedder, drafts)))
    by_id = {one.memory.id: fact["id"] for one, fact in zip(applied, blind.facts, strict=True)}
    view = MemoryFilter((Owner.user(USER),))

    def rank(request: str) -> Ranked:
        hits = app.recall.search(Query(request, view, top_k=10, floor=False))
        return [(by_id[hit.memory.id], hit.score) for hit in hits]

    return rank


def measure(folder: Path) -> None:
    """Print how the set in `folder` is recalled."""
    blind = load(folder)
    print(f"\n{folder.name}: {len(blind.facts)} facts, {len(blind.related)} requests, {len(blind.unrelated)} unrelated")
    if sharing := shared_stems(blind):
        print(f"{len(sharing)} related requests share a stem with a fact they need, for example: {sharing[0]}")
    ids = [fact["id"] for fact in blind.facts]
    texts = [[fact["text"]] for fact in blind.facts]
    cues = [list(fact.get("cues", ())) or [fact["text"]] for fact in blind.facts]
    with tempfile.TemporaryDirectory() as home, App(Settings(Path(home), USER, memory_tokens=100_000)) as app:
        ranking = whole(app, blind)
        rows = [
            row("the fact's text (cosine)", by_vectors(app.embedder, texts, ids), blind),
            row("its best cue (cosine)", by_vectors(app.embedder, cues, ids), blind),
            row("memchat", ranking, blind),
            row("memchat, each request behind an aside", lambda request: ranking(_behind_an_aside(request)), blind),
        ]
        least = floor(len(blind.facts))
        passed = np.mean([(ranked := ranking(r)) and ranked[0][1] >= least for r in blind.unrelated])
    print("\n" + table(["ranking", *(f"r@{cut}" for cut in CUTS), "r@5 above the floor", "floor"], rows))
    print(f"\nmemchat's own floor here is {least:.2f}; {100 * passed:.0f}% of the unrelated requests pass it")


def _behind_an_aside(request: str) -> str:
    return f"{ASIDES[len(request) % len(ASIDES)]} {request}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="*", default=[FOLDER / "blind_set", FOLDER / "blind_held_out"])
    folders: list[Path] = parser.parse_args().folder
    print(machine())
    for folder in folders:
        measure(folder)


if __name__ == "__main__":
    main()
