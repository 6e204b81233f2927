"""The paths that mem0's hosted client calls, in the order and with the fields in which it calls them."""

import httpx
import pytest

from memchat import Memory
from tests.servers.http.conftest import Open

TOKEN = {"Authorization": "Token key"}


@pytest.fixture
def hosted(opened: Open, memory: Memory) -> httpx.Client:
    """A client with the key that the server asks for."""
    client = opened(memory, "key")
    client.headers.update(TOKEN)
    return client


def test_the_hosted_clients_calls_work(hosted: httpx.Client) -> None:
    """Ping, add, search, list in pages, read, change, history, entities, batches, erase."""
    ping = hosted.get("/v1/ping/").json()
    assert ping["status"] == "ok"
    assert ping["org_id"]
    assert ping["project_id"]
    messages = [{"role": "user", "content": "I live in Berlin"}]
    body = {"messages": messages, "user_id": "al", "version": "v2", "async_mode": False, "org_id": "o"}
    (added,) = hosted.post("/v3/memories/add/", json=body).json()["results"]
    raw = {"messages": [{"role": "user", "content": "Raw."}], "user_id": "al", "infer": False}
    hosted.post("/v3/memories/add/", json=raw).raise_for_status()
    filters = {"AND": [{"user_id": "al"}]}
    found = hosted.post("/v3/memories/search/", json={"query": "Berlin", "filters": filters, "top_k": 1})
    assert [row["memory"] for row in found.json()["results"]] == ["User lives in Berlin."]
    first = hosted.post("/v3/memories/?page=1&page_size=1", json={"filters": filters}).json()
    assert (first["count"], len(first["results"]), first["next"]) == (2, 1, "/v3/memories/?page=2&page_size=1")
    second = hosted.post(first["next"], json={"filters": filters}).json()
    assert (second["next"], second["results"][0]["memory"]) == (None, "User lives in Berlin.")
    one = f"/v1/memories/{added['id']}/"
    assert hosted.put(one, json={"text": "User lives in Rome."}).json()["memory"] == "User lives in Rome."
    assert hosted.get(one).json()["memory"] == "User lives in Rome."
    assert len(hosted.get(f"{one}history/").json()) >= 2
    assert [(row["type"], row["name"]) for row in hosted.get("/v1/entities/").json()["results"]] == [("user", "al")]
    batch = {"memories": [{"memory_id": added["id"], "text": "User lives in Oslo."}]}
    assert hosted.put("/v1/batch/", json=batch).status_code == 200
    assert hosted.request("DELETE", "/v1/batch/", json={"memories": [{"memory_id": added["id"]}]}).status_code == 200
    assert hosted.get(one).status_code == 404
    assert hosted.delete("/v1/memories/", params={"user_id": "al"}).json()["erased"] == 1
    assert hosted.delete("/v2/entities/user/al/").status_code == 200


def test_a_batch_with_an_unknown_id_changes_nothing(hosted: httpx.Client) -> None:
    """Nothing by halves."""
    raw = {"messages": "Raw.", "user_id": "al", "infer": False}
    (kept,) = hosted.post("/v3/memories/add/", json=raw).json()["results"]
    memories = [{"memory_id": kept["id"], "text": "Changed."}, {"memory_id": "unknown", "text": "x"}]
    assert hosted.put("/v1/batch/", json={"memories": memories}).status_code == 404
    assert hosted.get(f"/v1/memories/{kept['id']}/").json()["memory"] == "Raw."


def test_a_wrong_token_is_refused(hosted: httpx.Client) -> None:
    """As with any other way to bring the key."""
    assert hosted.get("/v1/ping/", headers={"Authorization": "Token other"}).status_code == 401
