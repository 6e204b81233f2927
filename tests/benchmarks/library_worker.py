"""One memory library in a process of its own, asked in JSON lines: mem0's or memchat's `Memory`, by the same calls.

    python library_worker.py mem0|memchat

Runs with nothing but the library's own Python, so it imports nothing of the benchmarks. Each line of standard input is
an object with an `op`; each gets one line back, on the standard output as it was at the start: libraries that print
write to standard error instead.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any


class Library:
    """A `Memory` and the times its calls take, in milliseconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._memory: Any = None

    def open(self, config: dict[str, Any]) -> dict[str, Any]:
        """Import the library and construct its `Memory`."""
        began = time.perf_counter()
        memory_class = importlib.import_module(self._name).Memory
        imported = time.perf_counter()
        self._memory = memory_class.from_config(config)
        constructed = time.perf_counter()
        return {"import_ms": (imported - began) * 1000, "construct_ms": (constructed - imported) * 1000}

    def bm25(self, folder: str, stop_words: list[str]) -> dict[str, Any]:
        """Give mem0's Qdrant store an encoder made without its download, which holds stop words and no weights."""
        try:
            fastembed = importlib.import_module("fastembed")
            self._memory.vector_store._bm25_encoder = fastembed.SparseTextEmbedding(
                "Qdrant/bm25", specific_model_path=folder, stopwords=set(stop_words), local_files_only=True
            )
        except Exception as error:  # Whatever it is: the row is left out, and this is why.
            return {"error": f"{type(error).__name__}: {error}"}
        return {}

    def add(self, user: str, items: list[tuple[str, str]]) -> dict[str, Any]:
        """Add (key, text) pairs one by one, as they are."""
        taken = []
        for key, text in items:
            began = time.perf_counter()
            self._memory.add(text, user_id=user, metadata={"key": key}, infer=False)
            taken.append((time.perf_counter() - began) * 1000)
        return {"ms": taken}

    def search(self, user: str, questions: list[str], options: dict[str, Any]) -> dict[str, Any]:
        """The keys each question finds, best first."""
        taken, found = [], []
        for question in questions:
            began = time.perf_counter()
            answer = self._memory.search(question, filters={"user_id": user}, **options)
            taken.append((time.perf_counter() - began) * 1000)
            found.append([item["metadata"]["key"] for item in answer["results"]])
        return {"ms": taken, "found": found}

    def embed(self, texts: list[str]) -> dict[str, Any]:
        """What embedding alone costs, by the library's own embedder."""
        model = self._memory.embedding_model if self._name == "mem0" else self._memory._app.embedder
        taken = []
        for text in texts:
            began = time.perf_counter()
            model.embed(text if self._name == "mem0" else [text])
            taken.append((time.perf_counter() - began) * 1000)
        return {"ms": taken}


def requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    library = Library(sys.argv[1])
    for request in requests():
        operation = request.pop("op")
        answer = getattr(library, operation)(**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
