"""Recall in many languages: what is found, what unrelated requests recall, exact names, and requests in English.

    python -m tests.benchmarks.languages [FOLDER...]

A FOLDER holds one folder a language, with `facts.json` (a list of {id, text, cues}) and `requests.json`: `related` and
`across` (English requests about the same facts) and `exact` (names alone) as {request, needs}, and `unrelated`.
`across` and `exact` may be left out. By default `language_sets` is measured: facts first, cues from the facts alone,
requests from a list of topics, half of them direct and half unsaid.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Draft, Owner, Source
from memchat.recall.retriever import Query
from memchat.text.embedding import embed
from tests.benchmarks.tables import machine, table

SETS = Path(__file__).parent / "language_sets"
USER = "person"
CUT = 5

Search = Callable[[str, bool], list[str]]
"""From a request, and whether the floor counts, to the ids of facts, best first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="*", default=[SETS])
    print(machine())
    heads = ["language", "r@5", "r@5 above the floor", "unrelated", "exact first", "r@5 across", "above the floor"]
    for folder in parser.parse_args().folder:
        rows = [measure(one) for one in sorted(folder.iterdir()) if (one / "facts.json").is_file()]
        print(f"\n{folder.name}\n\n{table(heads, rows)}")


def measure(folder: Path) -> list[str]:
    """The row of one language."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    asked = json.loads((folder / "requests.json").read_text(encoding="utf-8"))
    related, across, exact = (asked.get(kind, []) for kind in ("related", "across", "exact"))
    with tempfile.TemporaryDirectory() as home, App(Settings(Path(home), USER, memory_tokens=100_000)) as app:
        search = _filled(app, facts)
        recalled = [bool(search(request, True)) for request in asked["unrelated"]]
        first = [search(one["request"], True)[:1] == one["needs"][:1] for one in exact]
        return [
            folder.name,
            _share(_recall(search, related, floor=False)),
            _share(_recall(search, related, floor=True)),
            _share(recalled),
            _share(first),
            _share(_recall(search, across, floor=False)),
            _share(_recall(search, across, floor=True)),
        ]


def _filled(app: App, facts: Sequence[dict[str, Any]]) -> Search:
    drafts = [
        Draft(fact["text"], Owner.user(USER), cues=tuple(fact.get("cues", ())), source=Source.IMPORTED)
        for fact in facts
    ]
    applied = app.store.apply([Add(draft) for draft in drafts], list(embed(app.embedder, drafts)))
    by_id = {one.memory.id: fact["id"] for one, fact in zip(applied, facts, strict=True)}
    view = MemoryFilter((Owner.user(USER),))

    def search(request: str, floor: bool) -> list[str]:
        return [by_id[hit.memory.id] for hit in app.recall.search(Query(request, view, top_k=CUT, floor=floor))]

    return search


def _recall(search: Search, requests: Sequence[dict[str, Any]], *, floor: bool) -> list[float]:
    return [len({*one["needs"]} & {*search(one["request"], floor)}) / len(one["needs"]) for one in requests]


def _share(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" if values else "–"


if __name__ == "__main__":
    main()
