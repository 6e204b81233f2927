"""The embedder inside the package."""

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from memchat.llm.builtin_embedder import (
    MODEL_FILE,
    MODEL_SHA256,
    TOKENIZER_FILE,
    TOKENIZER_SHA256,
    BuiltinEmbedder,
)


@pytest.fixture(scope="module")
def embedder() -> BuiltinEmbedder:
    return BuiltinEmbedder()


@pytest.mark.parametrize(("path", "digest"), [(MODEL_FILE, MODEL_SHA256), (TOKENIZER_FILE, TOKENIZER_SHA256)])
def test_the_shipped_files_are_the_ones_that_were_measured(path: Path, digest: str) -> None:
    """Another file under the same name would silently make all stored vectors incomparable."""
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_texts_that_mean_the_same_are_near_and_others_are_not(embedder: BuiltinEmbedder) -> None:
    """The file gives the similarities the recall floor was calibrated on."""
    a, b, c, d, e = embedder.embed(
        [
            "I love my dog",
            "My puppy is dear to me",
            "The stock market fell sharply",
            "Can you suggest a restaurant near me?",
            "User is vegetarian",
        ]
    )
    assert a @ b > 0.5
    assert a @ c < 0.2
    assert d @ e < 0.2


def test_a_text_has_the_same_vector_in_whatever_company(embedder: BuiltinEmbedder) -> None:
    """To the bit, and in the order of the texts: an int8 model rounds a batch by its largest numbers."""
    texts = [f"fact number {number} " + "and so on " * ((number * 7) % 23) for number in range(70)]
    together = embedder.embed(texts)
    assert together.shape == (70, 384)
    assert (together == np.concatenate([embedder.embed([text]) for text in texts])).all()


def test_rows_are_float32_of_unit_length(embedder: BuiltinEmbedder) -> None:
    """A dot product of two rows is their cosine."""
    rows = embedder.embed(["one", "two words", "rather more than two words"])
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_no_texts_give_no_rows(embedder: BuiltinEmbedder) -> None:
    """The shape still says the dimension."""
    assert embedder.embed([]).shape == (0, embedder.dimension)


@pytest.mark.parametrize("text", ["", " ", "\0", "a\0b", "\ud800", "x\udfff y", "🙂" * 2000, "w " * 5000, "\u200b"])
def test_any_string_has_a_vector(embedder: BuiltinEmbedder, text: str) -> None:
    """Empty strings, NULs, lone surrogates and very long texts are embedded like any other."""
    (row,) = embedder.embed([text])
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-5)


def test_only_the_first_256_pieces_count(embedder: BuiltinEmbedder) -> None:
    """The limit is the model's own of 256, not the tokenizer file's 128."""
    beginning = "tea " * 200
    longer, cut, cut_again = embedder.embed([beginning + "war " * 40, "tea " * 254, "tea " * 254 + "war " * 400])
    (same,) = embedder.embed([beginning])
    assert longer @ same < 0.99
    assert cut @ cut_again > 0.999


def test_the_fingerprint_names_model_and_dimension(embedder: BuiltinEmbedder) -> None:
    """Stores compare it with the one their vectors were written under."""
    assert embedder.fingerprint == "builtin/all-MiniLM-L6-v2-int8:384"


def test_threads_may_share_an_embedder_that_is_not_loaded_yet() -> None:
    """The first calls of several threads load one session and all get answers."""
    shared, rows = BuiltinEmbedder(), []

    def work() -> None:
        rows.append(shared.embed(["the same text"])[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows) == 4
    assert all(row @ rows[0] > 0.9999 for row in rows)


def test_making_an_embedder_loads_nothing() -> None:
    """Commands that never embed pay nothing for it."""
    code = (
        "import sys; from memchat.llm.builtin_embedder import BuiltinEmbedder;"
        "from memchat.llm.wordpieces import BuiltinWordPieces; BuiltinEmbedder(); BuiltinWordPieces();"
        "print({'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
