"""memchat beside mem0 on LoCoMo: the same memories, questions, embedder weights and calls, no language model.

    python -m tests.benchmarks.mem0_beside PATH [--mem0-python PYTHON] [--facts] [--turns] [--conversations N]

PATH is a LoCoMo file, read as `locomo.py` reads it. PYTHON is the interpreter of a virtual environment that has
`mem0ai` and `chromadb`; without it one is made for this run, with pip. mem0 embeds through an OpenAI-compatible
endpoint on loopback that serves memchat's built-in embedder, so an add or a search of its holds an HTTP exchange, whose
time stands in a column of its own. Every memory is one `Memory.add(text, user_id=…, infer=False)`, every question one
`Memory.search`; mem0's threshold is its default, and memchat's floor is off.

mem0 runs with Qdrant on a local path (its default store), with Chroma, and, where its environment has `fastembed`, with
Qdrant and BM25. BM25 is its best offline setting, but by itself it wants to download a folder with stop words: this
benchmark hands its encoder the stop words instead. spaCy's lemmas and entities, also downloads, stay off.

"memchat, with days and sessions" stores what `locomo.py` stores, through the store instead of the library face: mem0's
`add` has no place for either.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner
from memchat.llm.builtin_embedder import DIMENSION, BuiltinEmbedder
from memchat.recall.retriever import Query
from tests.benchmarks.locomo import CUTS, DEPTH, USER, Conversation, Item, Question, Scores, fill, load
from tests.benchmarks.loopback import PromptServer
from tests.benchmarks.measure import conditions, resident_mb, spread
from tests.benchmarks.stop_words import STOP_WORDS
from tests.benchmarks.tables import table

WORKER = Path(__file__).with_name("library_worker.py")
ROOT = Path(__file__).parents[2]
STARTS = 3

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A library as it is set up: its Python, its store, and whether its BM25 is switched on by hand."""

    name: str
    library: str
    python: str
    store: str = ""
    bm25: bool = False
    options: Mapping[str, Any] = field(default_factory=lambda: {"top_k": DEPTH})


@dataclass
class Result:
    scores: Scores = field(default_factory=Scores)
    add_ms: list[float] = field(default_factory=list)
    search_ms: list[float] = field(default_factory=list)
    embed_ms: list[float] = field(default_factory=list)
    start_ms: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)

    def row(self, name: str) -> list[str]:
        means = [sum(self.scores.recall[cut]) / len(self.scores.reciprocal) for cut in CUTS]
        mrr = sum(self.scores.reciprocal) / len(self.scores.reciprocal)
        shares = [f"{100 * value:.1f}" for value in (*means, mrr)]
        one = [f"{median(values):.0f}" if values else "–" for values in (self.start_ms, self.resident)]
        return [name, *shares, spread(self.add_ms), spread(self.search_ms), spread(self.embed_ms), *one]


HEADS = [
    "library",
    *(f"r@{cut}" for cut in CUTS),
    "MRR",
    "add: ms median / p95",
    "search: ms median / p95",
    "of it embedding",
    "start: ms",
    "resident: MB",
]


class Worker:
    """A library in a process of its own, over a home of its own. Use it in a `with` block."""

    def __init__(self, contestant: Contestant, home: Path, base_url: str) -> None:
        self._contestant = contestant
        self._home = home
        self._base_url = base_url
        self._log = (home / "log.txt").open("wb")
        self._process = subprocess.Popen(
            [contestant.python, str(WORKER), contestant.library],
            env=_environment(contestant, home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    def ask(self, operation: str, **arguments: Any) -> Found:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"op": operation, **arguments}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            said = (self._home / "log.txt").read_text(errors="replace")[-2_000:]
            raise SystemExit(f"{self._contestant.name} failed at {operation}:\n{said}")
        answer: Found = json.loads(line)
        return answer

    def open(self) -> float:
        """Open the library; returns the milliseconds that its import and its construction took."""
        config = _mem0_config(self._contestant.store, self._home, self._base_url)
        began = self.ask("open", config=config if self._contestant.library == "mem0" else {})
        if self._contestant.bm25:
            answer = self.ask("bm25", folder=str(self._home), stop_words=sorted(STOP_WORDS))
            if error := answer.get("error"):
                raise SystemExit(f"BM25 could not be switched on: {error}")
        return float(began["import_ms"] + began["construct_ms"])

    def resident_mb(self) -> float:
        return resident_mb(self._process.pid)


def _environment(contestant: Contestant, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMCHAT_", "PYTHONPATH"))}
    env = {**kept, "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1,localhost"}
    if contestant.library == "memchat":
        return {**env, "MEMCHAT_HOME": str(home), "MEMCHAT_MODEL": "offline", "PYTHONPATH": str(ROOT)}
    return {**env, "MEM0_DIR": str(home / "mem0"), "MEM0_TELEMETRY": "False", "OPENAI_API_KEY": "sk-none"}


def _mem0_config(store: str, home: Path, base_url: str) -> Found:
    place: Found = {"collection_name": "memories", "path": str(home / store)}
    if store == "qdrant":
        place |= {"embedding_model_dims": DIMENSION, "on_disk": True}
    embedder = {"model": "built-in", "openai_base_url": base_url, "embedding_dims": DIMENSION, "api_key": "sk-none"}
    return {
        "vector_store": {"provider": store, "config": place},
        "embedder": {"provider": "openai", "config": embedder},
        "history_db_path": str(home / "history.db"),
    }


@contextmanager
def embeddings() -> Iterator[str]:
    """The address of an endpoint that serves the built-in embedder."""
    embedder, lock = BuiltinEmbedder(), threading.Lock()

    def embed(texts: Sequence[str]) -> list[list[float]]:
        with lock:
            vectors: list[list[float]] = embedder.embed(texts).tolist()
            return vectors

    embed(["warm"])
    with PromptServer(embed=embed) as server:
        yield server.base_url


def run(contestant: Contestant, conversation: Conversation, kind: str, base_url: str, result: Result) -> None:
    """Let `contestant` store one conversation and answer its questions, in a new process over a new store."""
    items, questions, reachable = _matter(conversation, kind)
    with tempfile.TemporaryDirectory() as home, Worker(contestant, Path(home), base_url) as worker:
        worker.open()
        result.add_ms += worker.ask("add", user=USER, items=[(item.key, item.text) for item in items])["ms"]
        texts = [question.text for question in questions]
        # Whatever loads with the first search is not what a search costs.
        worker.ask("search", user=USER, questions=["warm"], options=contestant.options)
        answer = worker.ask("search", user=USER, questions=texts, options=contestant.options)
        result.search_ms += answer["ms"]
        result.embed_ms += worker.ask("embed", texts=texts)["ms"]
        result.resident.append(worker.resident_mb())
    by_key = {item.key: item.turns for item in items}
    for question, keys in zip(questions, answer["found"], strict=True):
        result.scores.add([by_key[key] for key in keys], question, reachable)


def _matter(conversation: Conversation, kind: str) -> tuple[list[Item], list[Question], frozenset[str]]:
    """The memories, the questions they can answer, and the turns they stand for; `kind` is turns or facts."""
    items = conversation.turns if kind == "turns" else conversation.facts
    reachable = frozenset[str]().union(*(item.turns for item in items))
    return items, [asked for asked in conversation.questions if set(asked.evidence) & reachable], reachable


def start_up(contestant: Contestant, base_url: str) -> list[float]:
    """Milliseconds of import and construction, each time in a new process; the first time warms the disk's cache."""
    taken = []
    for _ in range(STARTS + 1):
        with tempfile.TemporaryDirectory() as home, Worker(contestant, Path(home), base_url) as worker:
            taken.append(worker.open())
    return taken[1:]


def through_the_store(conversation: Conversation, kind: str, result: Result) -> None:
    """What `locomo.py` measures: days and sessions known."""
    items, questions, reachable = _matter(conversation, kind)
    with tempfile.TemporaryDirectory() as home, App(Settings(Path(home), USER, memory_tokens=100_000)) as app:
        stored = fill(app, items, verbatim=kind == "turns")
        for question in questions:
            query = Query(question.text, MemoryFilter((Owner.user(USER),)), top_k=DEPTH, floor=False)
            began = time.perf_counter()
            hits = app.recall.search(query)
            result.search_ms.append((time.perf_counter() - began) * 1000)
            result.scores.add([stored[hit.memory.id].turns for hit in hits], question, reachable)


def contestants(mem0_python: str) -> list[Contestant]:
    found = [
        Contestant("mem0, Qdrant (its default)", "mem0", mem0_python, "qdrant"),
        Contestant("mem0, Chroma", "mem0", mem0_python, "chroma"),
    ]
    if subprocess.run([mem0_python, "-c", "import fastembed"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        found.insert(1, Contestant("mem0, Qdrant, BM25 by hand", "mem0", mem0_python, "qdrant", bm25=True))
    else:
        print("mem0's BM25 is left out: its environment has no fastembed", file=sys.stderr)
    options = {"top_k": DEPTH, "threshold": 0.0}
    return [*found, Contestant("memchat, the same calls", "memchat", sys.executable, options=options)]


def mem0_python(given: str | None, folder: Path) -> str:
    """The given Python, else that of a new virtual environment with mem0 and what it needs here."""
    if given:
        return given
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "mem0ai", "chromadb", "fastembed"], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--mem0-python", metavar="PYTHON")
    parser.add_argument("--turns", action="store_true", help="only turns as memories")
    parser.add_argument("--facts", action="store_true", help="only observations as memories")
    parser.add_argument("--conversations", type=int, metavar="N", help="only the first N")
    arguments = parser.parse_args()
    conversations = load(arguments.path)[: arguments.conversations]
    both = arguments.turns == arguments.facts
    print(conditions())
    with tempfile.TemporaryDirectory() as folder, embeddings() as base_url:
        python = mem0_python(arguments.mem0_python, Path(folder))
        shown = [python, "-c", "from importlib.metadata import version as v; print('mem0ai', v('mem0ai'))"]
        print(subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip())
        taking_part = contestants(python)
        starts = {one.name: start_up(one, base_url) for one in taking_part}
        for kind in [kind for kind in ("turns", "facts") if both or getattr(arguments, kind)]:
            rows = []
            for one in taking_part:
                result = Result(start_ms=starts[one.name])
                for conversation in conversations:
                    run(one, conversation, kind, base_url, result)
                print(f"  {one.name}: {len(result.add_ms)} {kind}", file=sys.stderr)
                rows.append(result.row(one.name))
            whole = Result()
            for conversation in conversations:
                through_the_store(conversation, kind, whole)
            rows.append(whole.row("memchat, with days and sessions"))
            print(f"\n{kind} as memories: {len(whole.search_ms)} questions\n\n" + table(HEADS, rows))


if __name__ == "__main__":
    main()
