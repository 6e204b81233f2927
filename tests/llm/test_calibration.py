"""The scale of other embedders' cosines: floors mean the same whatever model makes the vectors."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from memchat.app import App
from memchat.cli.main import app as program
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import CosineScale, Owner
from memchat.llm.builtin_embedder import BuiltinEmbedder, BuiltinRequestEmbedder
from memchat.llm.calibration import BUILTIN, PAIRS, calibrate, scale_of
from memchat.llm.e5 import E5
from memchat.llm.minilm import MiniLM
from memchat.recall.retriever import Query
from tests.scripted_server import EmbedTexts, ScriptedServer

NAME = "openai/scripted-embedding"
FACTS = [
    "User is vegetarian.",
    "User's brother Tom is a pilot.",
    "User drives a red Fiat.",
    "User keeps bees behind the house.",
    "User is afraid of heights.",
    "User's flat is on the third floor.",
]
RELATED = [
    ("What does my brother do?", 1),
    ("Which car do I drive?", 2),
    ("How are my bees doing?", 3),
    ("On which floor is my flat?", 5),
]
UNRELATED = [
    "What is the capital of Mongolia?",
    "Translate good morning into Danish.",
    "How many legs does a spider have?",
    "Sort this list by its second column.",
]
_MODELS: dict[str, Any] = {"e5": E5(), "minilm": MiniLM()}


def of_model(name: str) -> EmbedTexts:
    """A real model behind the endpoint."""
    return lambda texts: [_MODELS[name].vector(text)[0].tolist() for text in texts]


def shifted(texts: Sequence[str]) -> list[list[float]]:
    """A model all of whose cosines lie near 1."""
    rows = np.concatenate([_MODELS["minilm"].vector(text) for text in texts])
    return [[*row.tolist(), 3.0] for row in rows]


MODELS: dict[str, EmbedTexts] = {"e5": of_model("e5"), "minilm": of_model("minilm"), "near 1": shifted}


@pytest.fixture
def opened(home: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], App]]:
    """Opens a home whose embedder is the scripted server."""
    monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123456")
    monkeypatch.setenv("MEMCHAT_HOME", str(home))
    monkeypatch.setenv("MEMCHAT_USER", "al")
    monkeypatch.setenv("MEMCHAT_EMBEDDING_MODEL", NAME)
    apps: list[App] = []

    def open_app() -> App:
        apps.append(App(Settings(home, "al", embedding_model=NAME)))
        return apps[-1]

    yield open_app
    for app in apps:
        app.close()


def found(app: App, request: str) -> list[str]:
    return [hit.memory.text for hit in app.recall.search(Query(request, MemoryFilter((Owner.user("al"),))))]


def keep(app: App) -> None:
    for fact in FACTS:
        app.rememberer.remember(fact, Owner.user("al"))


def test_the_built_in_embedder_is_the_scale() -> None:
    """Measured as others are, it comes out as the constants, as nearly as versions of onnxruntime agree."""
    embedder = BuiltinEmbedder()
    requests = BuiltinRequestEmbedder(embedder)
    asked, kept = (list(texts) for texts in zip(*PAIRS, strict=True))
    rows = [embedder.embed([text]) for text in kept]
    near = np.concatenate(requests.similarities(requests.embed(asked), rows, kept), axis=1)
    scale = scale_of(near)
    assert scale.unrelated == pytest.approx(BUILTIN.unrelated, abs=0.006)
    assert scale.dividing == pytest.approx(BUILTIN.dividing, abs=0.006)
    assert calibrate(near, BUILTIN) is near


@pytest.mark.parametrize("model", MODELS)
def test_what_bears_on_a_request_is_recalled_whatever_the_model(
    opened: Callable[[], App], server: ScriptedServer, model: str
) -> None:
    """And what does not is not, though one model gives unrelated texts .8 and another one 0."""
    server.embed = MODELS[model]
    app = opened()
    keep(app)
    for request, fact in RELATED:
        assert FACTS[fact] in found(app, request)
    for request in UNRELATED:
        assert found(app, request) == []


@pytest.mark.parametrize("model", MODELS)
def test_a_duplicate_is_told_from_another_fact(opened: Callable[[], App], server: ScriptedServer, model: str) -> None:
    """A new memory is shown those about the same thing, and no others."""
    server.embed = MODELS[model]
    app = opened()
    keep(app)
    told = app.rememberer.remember("My brother Tom flies planes", Owner.user("al"))
    assert [memory.text for memory in told.similar] == ["User's brother Tom is a pilot."]
    assert app.rememberer.remember("The boiler was made in 1998", Owner.user("al")).similar == ()


def test_the_scale_is_measured_once_and_kept(opened: Callable[[], App], server: ScriptedServer) -> None:
    """With the fingerprint; the next process asks for nothing but its own request."""
    server.embed = MODELS["e5"]
    app = opened()
    keep(app)
    found(app, "Which car do I drive?")
    scale = app.engine.cosine_scale(f"{NAME}:384")
    assert scale is not None
    assert scale.unrelated > 0.7
    before = len(server.requests)
    assert FACTS[2] in found(opened(), "Which car do I drive?")
    assert len(server.requests) == before + 1


def test_reindex_measures_again(opened: Callable[[], App], server: ScriptedServer) -> None:
    """Under the same name it may have become another model."""
    server.embed = MODELS["e5"]
    app = opened()
    keep(app)
    found(app, "Which car do I drive?")
    server.embed = MODELS["minilm"]
    app.close()
    assert CliRunner().invoke(program, ["reindex"]).exit_code == 0
    scale = opened().engine.cosine_scale(f"{NAME}:384")
    assert scale is not None
    assert scale.unrelated < 0.2


def test_a_model_that_tells_nothing_apart_is_left_alone() -> None:
    """Stretched, its noise would pass for meaning."""
    noise = np.random.default_rng(1).normal(0.5, 0.2, (len(PAIRS), len(PAIRS)))
    assert scale_of(noise.astype(np.float32)) == BUILTIN
    assert scale_of(np.full((len(PAIRS), len(PAIRS)), 0.9, dtype=np.float32)) == BUILTIN


def test_the_very_words_of_a_request_are_as_near_as_can_be() -> None:
    """And nothing is so far that it outweighs them."""
    scale = CosineScale(unrelated=0.76, dividing=0.81)
    near = calibrate(np.array([[1.0, 0.76, 0.81, 0.2]], dtype=np.float32), scale)
    assert near[0].tolist() == pytest.approx([1.0, BUILTIN.unrelated, BUILTIN.dividing, -0.25])
