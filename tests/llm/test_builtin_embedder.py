"""The embedder inside the package."""

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from memchat.llm import e5
from memchat.llm.builtin_embedder import DIMENSION, BuiltinEmbedder, BuiltinRequestEmbedder
from memchat.llm.minilm import MODEL_FILE, MODEL_SHA256, TOKENIZER_FILE, TOKENIZER_SHA256

ENGLISH_FACTS = Path(__file__).parents[1] / "benchmarks" / "blind_set" / "facts.json"
FILES = [(MODEL_FILE, MODEL_SHA256), (TOKENIZER_FILE, TOKENIZER_SHA256), *e5.SHA256.items()]


@pytest.fixture(scope="module")
def embedder() -> BuiltinEmbedder:
    return BuiltinEmbedder()


@pytest.mark.parametrize(("path", "digest"), FILES, ids=[path.name for path, _ in FILES])
def test_the_shipped_files_are_the_ones_that_were_measured(path: Path, digest: str) -> None:
    """Another file under the same name would silently make all stored vectors incomparable."""
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def near(embedder: BuiltinEmbedder, request: str, *texts: str) -> list[float]:
    """How near `request` is to a memory of each text."""
    requests = BuiltinRequestEmbedder(embedder)
    memories = [embedder.embed([text]) for text in texts]
    return [float(found.item()) for found in requests.similarities(requests.embed([request]), memories, texts)]


@pytest.mark.parametrize(
    ("request_", "related", "unrelated"),
    [
        ("What is my dog called?", "User has a puppy named Rex.", "The stock market fell sharply."),
        ("Wie heißt mein Hund?", "Der Nutzer hat einen Welpen namens Rex.", "Die Börse ist stark gefallen."),
        ("犬の名前は？", "ユーザーはレックスという子犬を飼っている。", "株価が大きく下がった。"),
        ("สุนัขของฉันชื่ออะไร", "ผู้ใช้มีลูกสุนัขชื่อเร็กซ์", "ตลาดหุ้นร่วงลงอย่างหนัก"),
        ("ما اسم كلبي؟", "لدى المستخدم جرو اسمه ريكس.", "انخفضت سوق الأسهم بشدة."),
        ("What is my dog called?", "Der Nutzer hat einen Welpen namens Rex.", "Die Börse ist stark gefallen."),
        ("Wie heißt mein Hund?", "User has a puppy named Rex.", "The stock market fell sharply."),
    ],
)
def test_what_answers_a_request_is_near_and_the_rest_is_not(
    embedder: BuiltinEmbedder, request_: str, related: str, unrelated: str
) -> None:
    """In English, in other languages, and from one language to another; on one scale, for one floor serves all."""
    closer, farther = near(embedder, request_, related, unrelated)
    assert closer > farther + 0.15
    assert farther < 0.2


@pytest.mark.parametrize("request_", ["Thanks!", "ok", "谢谢", "gracias!", "🙂", "(", "ขอบคุณ", "ja bitte"])
def test_a_request_that_says_nothing_is_near_nothing(embedder: BuiltinEmbedder, request_: str) -> None:
    """e5 puts short empty texts near everything."""
    assert max(near(embedder, request_, "User is vegetarian.", "Der Nutzer wohnt in Graz.")) < 0.25


def test_a_search_across_languages_finds_what_the_requests_own_language_hides(embedder: BuiltinEmbedder) -> None:
    """e5's cosine puts most English facts before a German one that answers an English request."""
    requests = BuiltinRequestEmbedder(embedder)
    asked = requests.embed(["What could I cook for dinner?"])
    english = [fact["text"] for fact in json.loads(ENGLISH_FACTS.read_text(encoding="utf-8"))][:60]
    rows = embedder.embed(["Der Nutzer isst kein Fleisch.", *english])[:, : e5.DIMENSION]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)

    def before_the_german(vectors: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> int:
        cosines = rows @ vectors[0, : e5.DIMENSION]
        return int((cosines > cosines[0]).sum())

    across = requests.across_languages(asked)
    assert np.linalg.norm(across, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert before_the_german(across) < 5
    assert before_the_german(asked) > 20


def test_only_english_has_a_vector_of_the_english_model(embedder: BuiltinEmbedder) -> None:
    """all-MiniLM makes noise of what it cannot read."""
    texts = ["User lives in Graz.", "Der Nutzer besitzt einen Schrebergarten in Graz.", "ผู้ใช้อยู่ที่กราซ"]
    english, german, thai = embedder.embed(texts)
    assert english[e5.DIMENSION :].any()
    assert not german[e5.DIMENSION :].any()
    assert not thai[e5.DIMENSION :].any()


def test_a_text_has_the_same_vector_in_whatever_company(embedder: BuiltinEmbedder) -> None:
    """To the bit, and in the order of the texts: an int8 model rounds a batch by its largest numbers."""
    texts = [f"fact number {number} " + "and so on " * ((number * 7) % 23) for number in range(70)]
    together = embedder.embed(texts)
    assert together.shape == (70, DIMENSION)
    assert (together == np.concatenate([embedder.embed([text]) for text in texts])).all()


def test_rows_are_float32_of_unit_length(embedder: BuiltinEmbedder) -> None:
    """A dot product of two rows is their cosine."""
    rows = embedder.embed(["one", "two words", "rather more than two words"])
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_no_texts_give_no_rows(embedder: BuiltinEmbedder) -> None:
    """The shape still says the dimension."""
    assert embedder.embed([]).shape == (0, embedder.dimension)


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "a\0b", "\ud800", "x\udfff y", "🙂" * 2000, "w " * 5000, "\u200b", "ꙮ" * 600]
)
def test_any_string_has_a_vector(embedder: BuiltinEmbedder, text: str) -> None:
    """Empty strings, NULs, lone surrogates and very long texts are embedded like any other."""
    (row,) = embedder.embed([text])
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-5)


def test_only_the_first_pieces_count(embedder: BuiltinEmbedder) -> None:
    """510 of e5's and 256 of all-MiniLM's, the models' own limits."""
    beginning = "tea " * 200
    longer, cut, cut_again = embedder.embed([beginning + "war " * 300, "tea " * 600, "tea " * 600 + "war " * 400])
    (same,) = embedder.embed([beginning])
    assert longer @ same < 0.99
    assert cut @ cut_again > 0.999


def test_the_fingerprint_names_models_and_dimensions(embedder: BuiltinEmbedder) -> None:
    """Stores compare it with the one their vectors were written under."""
    assert embedder.fingerprint == "builtin/multilingual-e5-small+all-MiniLM-L6-v2:384+384"


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
        "from memchat.llm.vocabulary import BuiltinVocabulary; BuiltinEmbedder(); BuiltinVocabulary();"
        "print({'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
