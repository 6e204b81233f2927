"""The OpenAPI document, from which clients are generated."""

import warnings
from pathlib import Path

import pytest

from memchat import Memory
from memchat.config import Settings
from memchat.servers.http import create_app
from tests.servers.http.conftest import Open


def test_the_document_is_made_without_a_warning(opened: Open, tmp_path: Path) -> None:
    """Each operation has an id of its own; HEAD is answered all the same."""
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            create_app(memory, "key")
            client = opened(memory)
            paths = client.get("/openapi.json").json()["paths"]
        assert not said
        assert {client.head(path).status_code for path in ("/health", "/ready")} <= {200, 503}
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(ids)) == len(ids)


def test_every_answer_is_described_and_every_route_names_the_key(opened: Open, tmp_path: Path) -> None:
    """No answer is any object; what says that the process lives asks for no key."""
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        document = opened(memory, "key").get("/openapi.json", headers={"X-API-Key": "key"}).json()
    paths = document["paths"].items()
    operations = {(path, method): operation for path, methods in paths for method, operation in methods.items()}
    for (path, _), operation in operations.items():
        described = operation["responses"]["200"]["content"]
        assert "text/plain" in described or described["application/json"]["schema"], path
    assert document["security"] == [{"bearer": []}, {"header": []}]
    assert document["components"]["securitySchemes"].keys() == {"bearer", "header"}
    free = {path for (path, _), operation in operations.items() if operation.get("security") == []}
    assert free == {"/health", "/ready"}


def test_the_document_says_what_a_request_must_have(opened: Open, tmp_path: Path) -> None:
    """One of the ids, something to change, plain metadata, known operators: what it allows is taken."""
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        client = opened(memory)
        document = client.get("/openapi.json").json()
        schemas = document["components"]["schemas"]
        for name in ("SearchRequest", "AddRequest", "UpdateRequest", "HostedSearch", "HostedAdd", "HostedUpdate"):
            assert schemas[name]["anyOf"], name
        for path, method in (("/memories", "get"), ("/memories", "delete"), ("/v1/memories/", "delete")):
            ids = next(one for one in document["paths"][path][method]["parameters"] if one["name"] == "ids")
            assert (ids["required"], ids["explode"], ids["schema"]["minProperties"]) == (True, True, 1)
        (count, _) = schemas["SearchRequest"]["properties"]["top_k"]["anyOf"]
        assert count == {"type": "integer", "minimum": 1}
        filters = {"a": {"gte": 1, "nin": []}, "OR": [{"b": "*"}, {"c": {"icontains": "x"}}], "AND": {"d": True}}
        searched = {"user_id": "al", "query": "x", "filters": filters}
        assert client.post("/search", json=searched).status_code == 200
        assert client.get("/memories", params={"run_id": "r"}).status_code == 200
        assert client.post("/search", json={**searched, "top_k": 7.0, "user_id": 7.0}).status_code == 200
        for wrong in (
            {"explain": 0},
            {"top_k": True},
            {"top_k": "7"},
            {"top_k": 7.5},
            {"threshold": False},
            {"user_id": True},
        ):
            assert client.post("/search", json={**searched, **wrong}).status_code == 422


def test_the_document_and_the_server_agree_on_whose_memories_are_read(opened: Open, tmp_path: Path) -> None:
    """By one id or several, as fields, in the filters or in both; a contradiction is a conflict."""
    jsonschema = pytest.importorskip("jsonschema")
    ids: list[dict[str, object]] = [
        {},
        {"user_id": "al"},
        {"agent_id": 7},
        {"user_id": None, "run_id": "r"},
        {"user_id": "*"},
        {"agent_id": ""},
    ]
    more: list[dict[str, object]] = [
        {"user_id": {"eq": "al"}},
        {"user_id": {"ne": "al"}},
        {"run_id": {"eq": None}},
        {"run_id": True},
    ]
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        client = opened(memory)
        document = client.get("/openapi.json").json()
        for name, path in (("HostedList", "/v3/memories/"), ("SearchRequest", "/search")):
            schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            validator = jsonschema.Draft202012Validator(schema)
            for fields in ids:
                for filters in [None, {"kind": "x"}, *ids[1:], *more]:
                    body = {**fields, "filters": filters, **({"query": "x"} if path == "/search" else {})}
                    allowed = {200, 409} if validator.is_valid(body) else {400, 409, 422}
                    assert client.post(path, json=body).status_code in allowed, body
        both = {"user_id": "al", "filters": {"user_id": "bo"}}
        assert client.post("/v3/memories/", json=both).status_code == 409
        assert client.post("/v3/memories/", json={"run_id": "AAA", "filters": {"agent_id": 0}}).status_code == 200


def test_a_run_that_belongs_to_another_agent_is_a_conflict(opened: Open, tmp_path: Path) -> None:
    """The request is right in itself."""
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        client = opened(memory)
        said = {"user_id": "al", "run_id": "r", "message": "Hello"}
        assert client.post("/chat", json=said).status_code == 200
        assert client.post("/chat", json={**said, "agent_id": "shop"}).status_code == 409
