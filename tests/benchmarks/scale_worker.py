"""One process as a chat is one, measured from inside; `scale.py` starts it and reads the JSON it prints.

    python -m tests.benchmarks.scale_worker HOME USER... [--index] [--index-from N]

Recall and storing are measured for every USER in turn. Without --index the memories are scanned exactly.
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from memchat.app import App, Chat
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import OFFLINE, Add, Draft, Owner
from memchat.recall.retriever import Query, Retriever
from memchat.storage.results import Phase
from memchat.storage.store import Store
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.search import VectorSearch
from memchat.text.embedding import embed
from tests.benchmarks.measure import milliseconds, resident_mb
from tests.benchmarks.synthetic import questions, told

RECALLS = 200
STORED = 30
WARM = 10
READY_WITHIN_S = 3_600
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("users", nargs="+")
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--index-from", type=int, default=0)
    arguments = parser.parse_args()
    settings = Settings(arguments.home, arguments.users[0], index_from=arguments.index_from)
    with App(settings, owns_index=arguments.index) as app:
        app.warm_up(OFFLINE)
        waited = _wait_for_index(app)
        found = {"waited_s": waited, **_measured(app, arguments.users)}
        if arguments.index:
            found |= _agreement(app, arguments.users[0])
    print(json.dumps(found))


def _measured(app: App, users: Sequence[str]) -> dict[str, Any]:
    first = milliseconds(lambda: _search(app.recall, users[0], "Where do I live?"))
    for user, text in zip(itertools.cycle(users), questions(WARM, seed=1), strict=False):
        _search(app.recall, user, text)
    recall_ms, recall_cpu_ms = _recalls(app.recall, users)
    return {
        "first_ms": first,
        "recall_ms": recall_ms,
        "recall_cpu_ms": recall_cpu_ms,
        "store_ms": list(_storing(app, users)),
        "turn_ms": _turns(app, users[0]),
        "rss_mb": resident_mb(os.getpid()),
    }


def _recalls(recall: Retriever, users: Sequence[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each recall: by the wall, and of CPU on this thread."""
    wall_ms, cpu_ms = [], []
    for user, text in zip(itertools.cycle(users), questions(RECALLS), strict=False):
        began = time.thread_time()
        wall_ms.append(milliseconds(partial(_search, recall, user, text)))
        cpu_ms.append((time.thread_time() - began) * 1000)
    return wall_ms, cpu_ms


def _wait_for_index(app: App) -> float:
    """Seconds until the index answers; 0 without one."""
    began = time.monotonic()
    app.engine.start_index(app.fingerprint)
    while (state := app.engine.held_index_state(app.fingerprint)) and state.phase not in {Phase.READY, Phase.EMPTY}:
        if state.phase is Phase.OFF or time.monotonic() - began > READY_WITHIN_S:
            raise SystemExit(f"the index is not ready: {state}")
        time.sleep(0.05)
    return time.monotonic() - began


def _search(recall: Retriever, user: str, text: str) -> list[str]:
    return [hit.memory.id for hit in recall.search(Query(text, MemoryFilter((Owner.user(user),)), floor=False))]


def _storing(app: App, users: Sequence[str]) -> Iterator[float]:
    """What it costs to embed one learned fact and to put it into the store."""
    for user, draft in zip(itertools.cycle(users), told(STORED, seed=os.getpid()), strict=False):
        yield milliseconds(partial(_learn, app, user, draft))


def _learn(app: App, user: str, draft: Draft) -> None:
    fact = Draft(draft.text, Owner.user(user), category=draft.category, cues=draft.cues, source=draft.source)
    app.store.apply([Add(fact)], list(embed(app.embedder, [fact])))


def _turns(app: App, user: str) -> list[float]:
    """A few whole turns with the offline model, learned from, so that memory is what a chat has."""
    taken = []
    with app.chat(ChatOptions(user, model=OFFLINE)) as chat:
        for text in questions(TURNS, seed=3):
            taken.append(milliseconds(partial(_say, chat, text)))
            chat.learning_worker.notify()
        chat.learning_worker.wait_until_idle(60)
    return taken


def _say(chat: Chat, text: str) -> None:
    with chat.conversation.turn(text) as turn:
        for _ in turn:
            pass


def _agreement(app: App, user: str) -> dict[str, float]:
    """How far the index and the exact scan of the same memories agree."""
    with Store(Path(app.engine.location), app.clock, app.fingerprint) as store:
        exactly = _exact_recall(app, store)
        view, asked = MemoryFilter((Owner.user(user),)), questions(RECALLS)
        found, same = 0.0, 0.0
        for text in asked:
            query = app.embedder.embed([text])
            true = set(store.memories.vector_search(view, query, 10))
            found += len(true & set(app.store.memories.vector_search(view, query, 10))) / max(len(true), 1)
            top = _search(exactly, user, text)
            same += len(set(top) & set(_search(app.recall, user, text))) / max(len(top), 1)
    return {"recall_at_10": found / len(asked), "same_top_5": same / len(asked)}


def _exact_recall(app: App, store: Store) -> Retriever:
    """The usual recall, over `store` and without the index."""
    recall = app.recall_over(store)
    store.search_with(VectorSearch(ExactSearch(store.database, app.fingerprint)))
    return recall


if __name__ == "__main__":
    main()
