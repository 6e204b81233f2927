"""How large a model is: by its name, and by what the server says that runs it."""

from collections.abc import Mapping
from typing import Any

import pytest

from memchat.llm.model_size import parameters_of
from tests.scripted_server import ScriptedServer

PAGES = [
    ("ollama_chat/mine", {"/api/show": {"details": {"parameter_size": "3.2B"}}}, 3.2),
    ("ollama/mine", {"/api/show": {"model_info": {"general.parameter_count": 494_000_000}}}, 0.494),
    ("ollama_chat/mine", {"/api/tags": {"models": [{"name": "mine:latest", "size": 1_050_000_000}]}}, 1.5),
    ("openai/mine", {"/v1/models": {"data": [{"id": "mine", "meta": {"n_params": 1_540_000_000}}]}}, 1.54),
    ("openai/mine", {"/v1/models": {"data": [{"id": "mine", "meta": {"size": 1_050_000_000}}]}}, 1.5),
    ("openai/mine", {"/api/tags": {"models": [{"name": "mine:latest", "size": 1_050_000_000}]}}, 1.5),
    ("openai/mine", {"/v1/models": {"data": [{"id": "llama-3.2-3b-instruct"}]}}, 3.0),
    ("openai/mine", {"/v1/models": {"data": [{"id": "mine"}]}, "/api/tags": {"models": []}}, None),
    ("openai/mine", {"/v1/models": {"data": [{"id": "a-70b"}, {"id": "b-7b"}]}}, None),
    ("mistral/mine", {}, None),
]


@pytest.mark.parametrize(("model", "pages", "size"), PAGES)
def test_a_server_of_ones_own_says_how_large_its_model_is(
    server: ScriptedServer, model: str, pages: Mapping[str, Mapping[str, Any]], size: float | None
) -> None:
    """Ollama by details, count or the size of the file; llama.cpp by count; others by the name of the only model."""
    server.pages.update(pages)
    env = {"OLLAMA_HOST": server.base_url.removesuffix("/v1"), "OPENAI_API_BASE": server.base_url}
    assert parameters_of(model, env) == size


def test_a_server_that_does_not_answer_is_no_error() -> None:
    """The full form is asked for then."""
    assert parameters_of("openai/mine", {"OPENAI_API_BASE": "http://127.0.0.1:9/v1"}) is None
    assert parameters_of("openai/mine", {"OPENAI_API_BASE": "::"}) is None


def test_a_provider_is_not_asked(server: ScriptedServer) -> None:
    """Its models are not small, and a request of this kind would only be refused."""
    assert parameters_of("openai/gpt-4o", {"OPENAI_API_KEY": "sk-1"}) is None
    assert server.probes == []
