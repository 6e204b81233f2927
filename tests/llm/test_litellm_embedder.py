"""Embedding models through the real LiteLLM, against a provider on loopback."""

from collections.abc import Sequence

import numpy as np
import pytest

from memchat.errors import BadReply, CredentialsError, ModelError, ModelNotFound, ModelUnreachable
from memchat.llm.builtin_embedder import BuiltinEmbedder
from memchat.llm.litellm_embedder import COOLDOWN_S, LiteLLMEmbedder, QueryEmbedder
from memchat.llm.retry import RetryNotice
from tests.scripted_server import EmbedTexts, Reply, ScriptedServer, hashed_vectors

NAME = "openai/scripted-embedding"


def embedder_on(
    server: ScriptedServer, slept: list[float] | None = None, dimension: int | None = None
) -> LiteLLMEmbedder:
    sleep = (slept if slept is not None else []).append
    return LiteLLMEmbedder(
        NAME, dimension=dimension, api_key="sk-test-123456", api_base=server.base_url, timeout_s=20, sleep=sleep
    )


def test_rows_are_the_providers_vectors_at_unit_length(server: ScriptedServer) -> None:
    """The order is that of the texts, and lengths are evened out."""
    rows = embedder_on(server).embed(["tea", "coffee"])
    expected = np.asarray(hashed_vectors(["tea", "coffee"]), dtype=np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert rows.dtype == np.float32
    assert rows == pytest.approx(expected, abs=1e-6)


def test_many_texts_go_in_batches(server: ScriptedServer) -> None:
    """No provider is sent more than it takes, and the rows come back as one array in order."""
    texts = [f"fact {number}" for number in range(200)]
    embedder = embedder_on(server)
    rows = embedder.embed(texts)
    assert [len(request["json"]["input"]) for request in server.requests] == [96, 96, 8]
    assert rows[150] == pytest.approx(embedder.embed(["fact 150"])[0], abs=1e-6)


def test_the_dimension_is_learned_from_the_first_answer(server: ScriptedServer) -> None:
    """Until then the fingerprint goes without it; asking for it early costs one call, once known it costs none."""
    embedder = embedder_on(server)
    assert embedder.fingerprint == f"{NAME}:?"
    assert server.requests == []
    assert embedder.dimension == 8
    assert embedder.fingerprint == f"{NAME}:8"
    assert embedder.embed([]).shape == (0, 8)
    assert len(server.requests) == 1


def test_a_known_dimension_costs_no_call(server: ScriptedServer) -> None:
    """A store that knows it can name the fingerprint offline."""
    assert embedder_on(server, dimension=8).fingerprint == f"{NAME}:8"
    assert server.requests == []


def test_another_dimension_later_is_an_error(server: ScriptedServer) -> None:
    """Vectors of two sizes must never reach one store."""
    embedder = embedder_on(server)
    embedder.embed(["tea"])
    server.embed = lambda texts: [[1.0, 0.0] for _ in texts]
    with pytest.raises(ModelError, match="2 dimensions where 8 were expected") as raised:
        embedder.embed(["coffee"])
    assert "reindex" in (raised.value.hint or "")


@pytest.mark.parametrize("text", ["", "\ud800", "a\0b"])
def test_odd_strings_are_sent_in_a_form_providers_take(server: ScriptedServer, text: str) -> None:
    """An empty string is sent as a space, a lone surrogate as U+FFFD."""
    assert embedder_on(server).embed([text, "tea"]).shape == (2, 8)
    assert server.requests[0]["json"]["input"][0] in {" ", "\ufffd", "a\0b"}


def _short(texts: Sequence[str]) -> list[list[float]]:
    return hashed_vectors(texts)[1:]


def _ragged(texts: Sequence[str]) -> list[list[float]]:
    return [[1.0] * (index + 1) for index, _ in enumerate(texts)]


def _zero(texts: Sequence[str]) -> list[list[float]]:
    return [[0.0, 0.0] for _ in texts]


@pytest.mark.parametrize("embed", [_short, _ragged, _zero])
def test_an_answer_that_is_not_one_vector_a_text_is_refused(server: ScriptedServer, embed: EmbedTexts) -> None:
    """Missing rows, rows of different lengths, and rows without a direction."""
    server.embed = embed
    with pytest.raises(BadReply, match="one vector per text"):
        embedder_on(server).embed(["tea", "coffee"])


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=401), CredentialsError),
        (Reply(status=404), ModelNotFound),
        (Reply(body=b"<html>", content_type="text/html"), BadReply),
    ],
)
def test_failures_are_told_as_those_of_chat_models_are(
    server: ScriptedServer, reply: Reply, error: type[ModelError]
) -> None:
    """One request, one translated error."""
    server.enqueue_embedding(reply)
    with pytest.raises(ModelError) as raised:
        embedder_on(server).embed(["tea"])
    assert type(raised.value) is error
    assert len(server.requests) == 1


def test_retries_are_counted_and_announced(server: ScriptedServer) -> None:
    """A busy provider is asked again after the wait it asked for, by nobody but us."""
    notices: list[RetryNotice] = []
    slept: list[float] = []
    server.enqueue_embedding(Reply(status=429, headers={"Retry-After": "5"}), Reply(status=500))
    embedder = LiteLLMEmbedder(
        NAME, api_key="sk-test-123456", api_base=server.base_url, on_retry=notices.append, sleep=slept.append
    )
    assert embedder.embed(["tea"]).shape == (1, 8)
    assert slept == [5.0, 2.0]
    assert [notice.attempt for notice in notices] == [1, 2]
    assert len(server.requests) == 3


def test_retries_come_to_an_end(server: ScriptedServer) -> None:
    """Three retries make four requests."""
    slept: list[float] = []
    server.enqueue_embedding(*[Reply(status=503)] * 9)
    with pytest.raises(ModelUnreachable):
        embedder_on(server, slept).embed(["tea"])
    assert slept == [1.0, 2.0, 4.0]
    assert len(server.requests) == 4


def test_a_request_is_not_tried_again(server: ScriptedServer) -> None:
    """Words can answer it: the first failure is told, once, and the embedder is left alone for a minute."""
    told: list[str] = []
    now = [0.0]
    embedder = embedder_on(server)
    requests = QueryEmbedder(embedder, told.append, lambda: now[0])
    server.enqueue_embedding(*[Reply(status=503)] * 2)
    for seconds, sent in ((0.0, 1), (COOLDOWN_S - 1, 1), (COOLDOWN_S, 2), (COOLDOWN_S, 2)):
        now[0] = seconds
        with pytest.raises(ModelError, match="failed"):
            requests.embed(["tea"])
        assert len(server.requests) == sent
    assert [notice.partition(" for now")[0] for notice in told] == ["Memories are found by words alone"]
    now[0] = 2 * COOLDOWN_S
    assert requests.embed(["tea"])[0] == pytest.approx(embedder.embed(["tea"])[0])


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500])
def test_the_way_on_is_another_embedding_model(server: ScriptedServer, status: int) -> None:
    """Every hint names the setting; an option for the chat model would not help."""
    server.enqueue_embedding(Reply(status=status))
    embedder = LiteLLMEmbedder(NAME, api_key="sk-test-123456", api_base=server.base_url, retries=0)
    with pytest.raises(ModelError) as raised:
        embedder.embed(["tea"])
    assert "MEMCHAT_EMBEDDING_MODEL" in (raised.value.hint or "")
    assert "--model" not in (raised.value.hint or "")


def test_the_server_can_serve_the_built_in_embedder() -> None:
    """So other memory layers can be measured with the same vectors."""
    builtin = BuiltinEmbedder()
    with ScriptedServer(embed=lambda texts: builtin.embed(texts).tolist()) as server:
        (row,) = embedder_on(server).embed(["User likes tea."])
    assert row @ builtin.embed(["User likes tea."])[0] == pytest.approx(1.0, abs=1e-5)
