"""Recall in many languages: what is found, what unrelated requests recall, exact names, and requests across languages.

    python -m tests.benchmarks.languages [FOLDER...] [--without-cues] [--pairs LANGUAGE...]

A FOLDER holds one folder a language, with `facts.json` (a list of {id, text, cues}) and `requests.json`: `related` and
`across` (English requests about the same facts) and `exact` (names alone) as {request, needs}, and `unrelated`.
`across` and `exact` may be left out. By default `language_sets` is measured: facts first, cues from the facts alone,
requests from a list of topics, half of them direct and half unsaid.

Then pairs of languages, from `parallel_set`: a file a language, with the same `facts` as [text, cues] in all of them,
a request for each (the first half direct, the second unsaid), `unrelated` requests, and `exact` names with the place
of their fact, counted from 1. The facts of every language are asked in every other.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Draft, Owner, Source
from memchat.recall.retriever import Query
from memchat.recall.scoring import floor
from memchat.text.embedding import embed
from tests.benchmarks.tables import machine, table

SETS = Path(__file__).parent / "language_sets"
PARALLEL = Path(__file__).parent / "parallel_set"
USER = "person"
CUT = 5

Search = Callable[[str], tuple[list[str], list[str]]]
"""From a request to the ids of the CUT best facts, best first, and to those of them above the floor."""
Set = dict[str, Any]
"""The `facts` of a language and requests about them, as in a FOLDER."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="*", default=[SETS])
    parser.add_argument("--pairs", nargs="*", metavar="LANGUAGE", help="the languages to pair; by default all")
    parser.add_argument("--without-cues", action="store_true", help="store the texts of the facts alone")
    arguments = parser.parse_args()
    print(machine())
    heads = ["language", "r@5", "r@5 above the floor", "unrelated", "exact first", "r@5 across", "above the floor"]
    for folder in arguments.folder:
        found = [one for one in sorted(folder.iterdir()) if (one / "facts.json").is_file()]
        rows = [measure(one.name, _read(one), cues=not arguments.without_cues) for one in found]
        print(f"\n{folder.name}\n\n{table(heads, rows)}")
    parallel = {file.stem: _read_parallel(file) for file in sorted(PARALLEL.glob("*.json"))}
    if arguments.pairs is not None:
        parallel = {name: parallel[name] for name in arguments.pairs}
    rows = [measure(name, one, cues=not arguments.without_cues) for name, one in parallel.items()]
    print(f"\n{PARALLEL.name}, each in its own language\n\n{table(heads[:-2], [row[:-2] for row in rows])}")
    _print_pairs(parallel, cues=not arguments.without_cues)


def measure(name: str, asked: Set, *, cues: bool) -> list[str]:
    """The row of one language."""
    related, across, exact = (asked.get(kind, []) for kind in ("related", "across", "exact"))
    with _searching(asked["facts"], cues=cues) as search:
        found, above = _recall(search, related)
        found_across, above_across = _recall(search, across)
        recalled = [bool(search(request)[1]) for request in asked["unrelated"]]
        first = [search(one["request"])[1][:1] == one["needs"][:1] for one in exact]
    shares: list[Sequence[float]] = [found, above, recalled, first, found_across, above_across]
    return [name, *map(_share, shares)]


def _print_pairs(parallel: dict[str, Set], *, cues: bool) -> None:
    """Print tables with a row for each language of facts and a column for each language of requests."""
    tables: dict[str, list[list[str]]] = {"r@5": [], "r@5 above the floor": [], "unrelated that recall something": []}
    halves: dict[str, list[float]] = {"direct": [], "unsaid": []}
    for kept in parallel:
        with _searching(parallel[kept]["facts"], cues=cues) as search:
            both = {name: _recall(search, one["related"]) for name, one in parallel.items()}
            noise = {
                name: [float(bool(search(text)[1])) for text in one["unrelated"]] for name, one in parallel.items()
            }
        found = {name: values for name, (values, _) in both.items()}
        above = {name: values for name, (_, values) in both.items()}
        for rows, shares in zip(tables.values(), (found, above, noise), strict=True):
            others = [value for name in parallel if name != kept for value in shares[name]]
            rows.append([kept, *(_share(shares[name]) for name in parallel), _share(others)])
        for name, values in found.items():
            half = len(values) // 2
            halves["direct"] += values[:half] if name != kept else []
            halves["unsaid"] += values[half:] if name != kept else []
    for title, rows in tables.items():
        print(f"\nFacts by row, requests by column: {title}\n\n{table(['', *parallel, 'others'], rows)}")
    print("\nr@5 of all pairs: " + ", ".join(f"{name} {_share(values)}" for name, values in halves.items()))


def _read(folder: Path) -> Set:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return {"facts": facts, **json.loads((folder / "requests.json").read_text(encoding="utf-8"))}


def _read_parallel(file: Path) -> Set:
    """Read a file of the parallel set; its facts get their places as ids."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return {
        "facts": [{"id": str(at), "text": text, "cues": [cue]} for at, (text, cue) in enumerate(found["facts"], 1)],
        "related": [{"request": text, "needs": [str(at)]} for at, text in enumerate(found["requests"], 1)],
        "unrelated": found["unrelated"],
        "exact": [{"request": name, "needs": [str(at)]} for name, at in found["exact"]],
    }


@contextmanager
def _searching(facts: Sequence[dict[str, Any]], *, cues: bool) -> Iterator[Search]:
    """Store `facts` in a store of their own and search it."""
    drafts = [
        Draft(fact["text"], Owner.user(USER), cues=tuple(fact.get("cues", ())) if cues else (), source=Source.IMPORTED)
        for fact in facts
    ]
    view = MemoryFilter((Owner.user(USER),))
    with tempfile.TemporaryDirectory() as home, App(Settings(Path(home), USER, memory_tokens=100_000)) as app:
        applied = app.store.apply([Add(draft) for draft in drafts], list(embed(app.embedder, drafts)))
        by_id = {one.memory.id: fact["id"] for one, fact in zip(applied, facts, strict=True)}

        least = floor(len(by_id))

        def search(request: str) -> tuple[list[str], list[str]]:
            hits = app.recall.search(Query(request, view, top_k=CUT, floor=False))
            return [by_id[hit.memory.id] for hit in hits], [by_id[hit.memory.id] for hit in hits if hit.score >= least]

        yield search


def _recall(search: Search, requests: Sequence[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Return the share of what each request needs among the best, and above the floor."""
    results = [(set(one["needs"]), search(one["request"])) for one in requests]
    found = [len(needs & set(best)) / len(needs) for needs, (best, _) in results]
    return found, [len(needs & set(above)) / len(needs) for needs, (_, above) in results]


def _share(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" if values else "–"


if __name__ == "__main__":
    main()
