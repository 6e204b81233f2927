"""Tokens for one user or agent: what they open, and that nobody else's memories are reached by any route."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.routing import Route

from memchat import Memory
from memchat.app import utc_now
from memchat.config import Settings
from memchat.core.types import Owner
from memchat.errors import ConfigError
from memchat.servers.http import create_api
from memchat.servers.keys import Keys
from memchat.servers.metrics import Metrics
from memchat.servers.page.session import PageSession
from memchat.servers.tokens import Tokens
from tests.cli.conftest import Shell
from tests.servers.http.conftest import Open

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "Zanzibar"
"""In each of bob's memories and messages."""


@dataclass(frozen=True)
class World:
    """A server with memories of alice, bob and an agent, and clients with tokens for the first and the last."""

    memory: Memory
    key: httpx.Client
    alice: httpx.Client
    shop: httpx.Client
    theirs: str
    """The id of a memory of bob's."""
    shops: str
    """The id of a memory of the agent's own."""
    own: str
    conversation: str
    """The id of a conversation of bob's."""


@pytest.fixture
def world(opened: Open, tmp_path: Path) -> Iterator[World]:
    with Memory(Settings(tmp_path / "home", "bob", model="offline")) as memory:
        tokens = Tokens(tmp_path / "home")
        key = opened(memory, "the key")
        key.headers["X-API-Key"] = "the key"
        clients = []
        for owner in (Owner.user("alice"), Owner.agent("shop")):
            text, _ = tokens.add(owner, utc_now())
            clients.append(httpx.Client(base_url=key.base_url, trust_env=False, headers={"X-API-Key": text}))
        with clients[0] as alice, clients[1] as shop:
            said = {"user_id": "bob", "message": f"I live in {SECRET}.", "agent_id": "shop"}
            conversation = key.post("/chat", json=said).raise_for_status().json()["session_id"]
            key.post("/chat", json={"user_id": "bob", "message": f"My run is {SECRET}.", "run_id": "r1"})
            theirs = add(key, f"Has been to {SECRET}", user_id="bob")
            shops = add(key, "Orders ship within two days", agent_id="shop")
            own = add(key, "Likes tea", user_id="alice")
            wait_until_learned(memory, "bob")
            yield World(memory, key, alice, shop, theirs, shops, own, conversation)


def add(client: httpx.Client, text: str, **ids: str) -> str:
    """The id of a memory that is kept as it is."""
    added = client.post("/memories", json={"messages": text, "infer": False, **ids}).raise_for_status()
    return str(added.json()["results"][0]["id"])


def wait_until_learned(memory: Memory, user: str) -> None:
    """Until nothing that the user said waits to be learned from."""
    until = time.monotonic() + 60
    with memory.connection() as place:
        while place.store.work.pending(user):
            assert time.monotonic() < until
            time.sleep(0.02)


def submit(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form of the page's with its token."""
    token = re.search(r'name="token" value="([^"]+)"', client.get("/").text)
    fields = {"token": token[1] if token else "", **fields}
    return client.post(path, content=urlencode(fields), headers=FORM, follow_redirects=True)


def everything(client: httpx.Client) -> list[Any]:
    """All that is kept, as who has the key sees it."""
    both = (("user_id", "bob"), ("agent_id", "shop"))
    rows = [client.get("/memories", params={name: who}).json() for name, who in both]
    return [*rows, client.get("/page/export?user=bob").text, client.get("/page/conversations?user=bob").text]


def calls(world: World, name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Each route with ids that the token does not reach; `name` is who they are swapped for."""
    one, session = world.theirs, world.conversation
    named = {"user_id": name}
    message = {"messages": [{"role": "user", "content": "x"}]}
    ids: list[dict[str, Any]] = [named, {**named, "run_id": "r1"}, {**named, "agent_id": "shop"}]
    wrapped: list[dict[str, Any]] = [
        {"filters": {"user_id": name}},
        {"filters": {"AND": [{"user_id": name}]}},
        {"filters": {"OR": [named]}},
    ]
    made: list[tuple[str, str, dict[str, Any]]] = []
    for given in ids:
        made += [
            ("POST", "/chat", {"json": {**given, "message": f"Where is {SECRET}?"}}),
            ("POST", "/memories", {"json": {**given, "messages": "Forged", "infer": False}}),
            ("GET", "/memories", {"params": given}),
            ("DELETE", "/memories", {"params": given}),
            ("POST", "/search", {"json": {**given, "query": SECRET}}),
            ("POST", "/v3/memories/add/", {"json": {**given, **message}}),
            ("POST", "/v3/memories/search/", {"json": {**given, "query": SECRET}}),
            ("POST", "/v3/memories/", {"json": given}),
            ("DELETE", "/v1/memories/", {"params": given}),
        ]
    for given in wrapped:
        made += [
            ("POST", "/search", {"json": {**given, "query": SECRET}}),
            ("POST", "/v3/memories/search/", {"json": {**given, "query": SECRET}}),
            ("POST", "/v3/memories/", {"json": given}),
        ]
    for root, slash in (("/memories", ""), ("/v1/memories", "/")):
        path = f"{root}/{one}"
        made += [
            ("GET", f"{path}{slash}", {}),
            ("PUT", f"{path}{slash}", {"json": {"text": "Forged"}}),
            ("DELETE", f"{path}{slash}", {}),
            ("GET", f"{path}/history{slash}", {}),
        ]
    for stream in (False, True):
        made.append(("POST", "/v1/chat/completions", {"json": {**message, "user": name, "stream": stream}}))
    made.append(("POST", "/v1/chat/completions", {"json": message, "headers": {"X-Memchat-User": name}}))
    batch = {"json": {"memories": [{"memory_id": one, "text": "Forged"}]}}
    made += [("PUT", "/v1/batch/", batch), ("DELETE", "/v1/batch/", batch)]
    made.append(("GET", "/metrics", {}))
    made.append(("DELETE", f"/v2/entities/user/{name}/", {}))
    for path in ("", "page/conversations", "page/timeline", "page/statistics", "page/export"):
        made.append(("GET", f"/{path}", {"params": {"user": name}}))
    for path in (f"/page/memory/{one}", f"/page/memory/{one}/forget", f"/page/conversation/{session}"):
        made += [("GET", path, {}), ("GET", path, {"params": {"user": name}})]
    return made


FORMS = ("/page/memory/{id}/edit", "/page/memory/{id}/undo", "/page/memory/{id}/forget")
FREE = {
    ("GET", "/health"), ("GET", "/ready"), ("GET", "/openapi.json"), ("GET", "/v1/ping/"), ("GET", "/v1/models"),
    ("GET", "/v1/models/{name:path}"), ("GET", "/login"), ("POST", "/login"), ("GET", "/page/style.css"),
}  # fmt: skip
"""Routes that say nothing of anybody."""
OWN = {("GET", "/v1/entities/"), ("POST", "/page/add"), ("POST", "/page/conversation/{id}/private")}
"""Routes with tests of their own below."""


def test_no_route_gives_a_token_the_memories_of_others(world: World) -> None:
    """Every route with the ids of others: refused or unknown, and nothing is changed."""
    before = everything(world.key)
    for client in (world.alice, world.shop):
        for method, path, given in calls(world, "bob"):
            answer = client.request(method, path, **given)
            assert answer.status_code in {400, 403, 404, 409}, (method, path, given, answer.text)
            assert SECRET not in answer.text
        for path in FORMS:
            answer = submit(client, path.format(id=world.theirs), text="Forged")
            assert answer.status_code in {403, 404}, path
            assert SECRET not in answer.text
        private = submit(client, f"/page/conversation/{world.conversation}/private", private="on")
        assert private.status_code in {403, 404}
    assert everything(world.key) == before


def test_every_route_is_tried(world: World) -> None:
    """A route that is added has to be added above."""

    def template(path: str) -> str:
        path = path.replace(world.theirs, "{id}").replace(world.conversation, "{id}")
        return re.sub(r"\{\w+\}", "{}", path.replace("/v2/entities/user/bob/", "/v2/entities/{kind}/{name}/"))

    tried = {(method, template(path)) for method, path, _ in calls(world, "bob")}
    tried |= {("POST", template(path)) for path in FORMS}
    tried |= {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in FREE | OWN}
    keys = Keys.of(None, world.memory.settings.home)
    served = {
        (method, re.sub(r"\{\w+\}", "{}", route.path))
        for route in create_api(world.memory, PageSession(keys), Metrics(), guarded=True).routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert served == tried


def test_an_id_of_somebody_elses_answers_as_an_unknown_one(world: World) -> None:
    """In the same words, so that no id can be found out; and whoever is named is refused alike."""
    requests: list[tuple[str, dict[str, Any]]] = [("GET", {}), ("PUT", {"json": {"text": "x"}}), ("DELETE", {})]
    for method, given in requests:
        known, unknown = (
            world.alice.request(method, f"/memories/{one}", **given) for one in (world.theirs, "no-such-memory")
        )
        assert (known.status_code, known.text.replace(world.theirs, "no-such-memory")) == (404, unknown.text)
    refusals = {world.alice.get("/memories", params={"user_id": who}).text for who in ("bob", "nobody-at-all")}
    assert len(refusals) == 1


def test_a_token_opens_what_is_its_users(world: World) -> None:
    """On every face, without naming them."""
    alice = world.alice
    assert alice.get("/memories").json()["results"][0]["memory"] == "Likes tea"
    assert alice.post("/search", json={"query": "tea"}).json()["results"][0]["id"] == world.own
    assert alice.post("/v3/memories/", json={"filters": {"user_id": "alice"}}).json()["count"] == 1
    assert [row["name"] for row in alice.get("/v1/entities/").json()["results"]] == ["alice"]
    said = {"messages": [{"role": "user", "content": "Do I like tea?"}]}
    reply = alice.post("/v1/chat/completions", json=said).json()["choices"][0]["message"]["content"]
    assert "Likes tea" in reply
    page = alice.get("/")
    assert "Likes tea" in page.text
    assert "bob" not in page.text
    assert "Has a cat" in submit(alice, "/page/add", text="Has a cat").text
    assert alice.put(f"/memories/{world.own}", json={"text": "Likes coffee"}).status_code == 200
    assert alice.delete("/memories").json()["erased"] == 2
    assert alice.post("/chat", json={"user_id": "alice", "message": "Hello"}).status_code == 200


def test_an_agents_token_opens_its_own_memories(world: World) -> None:
    """What it shares with all, and nothing that it learned with a user."""
    found = world.shop.get("/memories").json()["results"]
    assert [row["id"] for row in found] == [world.shops]
    assert world.shop.get(f"/memories/{world.shops}").status_code == 200
    assert [row["name"] for row in world.shop.get("/v1/entities/").json()["results"]] == ["shop"]


def test_a_revoked_token_opens_nothing(world: World, tmp_path: Path) -> None:
    """From the next request on, with the page's cookie as well."""
    tokens = Tokens(tmp_path / "home")
    text, token = tokens.add(Owner.user("alice"), utc_now())
    with httpx.Client(base_url=world.key.base_url, trust_env=False) as browser:
        assert browser.post("/login", content=urlencode({"key": text}), headers=FORM).status_code == 303
        assert "Likes tea" in browser.get("/").text
        assert SECRET not in browser.get("/").text
        assert browser.get("/", params={"user": "bob"}).status_code == 404
        tokens.revoke(token.id)
        assert browser.get("/").status_code == 303
        assert browser.get("/memories", headers={"X-API-Key": text}).status_code == 401


def test_tokens_alone_guard_a_server(opened: Open, tmp_path: Path) -> None:
    """Where there is no key, nobody without a token comes in."""
    text, _ = Tokens(tmp_path / "home").add(Owner.user("alice"), utc_now())
    with Memory(Settings(tmp_path / "home", "bob", model="offline")) as memory:
        client = opened(memory)
        assert client.get("/memories", params={"user_id": "bob"}).status_code == 401
        assert client.get("/").status_code == 303
        assert client.get("/memories", headers={"Authorization": f"Token {text}"}).status_code == 200
        (tmp_path / "home" / "tokens.json").write_text("no tokens")
        assert client.get("/memories", headers={"Authorization": f"Token {text}"}).status_code == 401


# The command.


def test_tokens_are_made_listed_and_revoked(shell: Shell) -> None:
    """The text is printed once and kept nowhere; the file is its owner's alone."""
    made = shell.run("tokens", "add", "--user", "alice")
    text = made.out.strip()
    assert made.code == 0
    file = shell.home / "tokens.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert text not in file.read_text("utf-8")
    assert Tokens(shell.home).owner_of(text.encode()) == Owner.user("alice")
    shop = shell.run("tokens", "add", "--agent", "shop", "--json").json
    assert shop.keys() == {"id", "agent", "created_at", "token"}
    listed = shell.run("tokens", "list", "--json").json
    assert [{**row, "created_at": ""} for row in listed] == [
        {"id": listed[0]["id"], "user": "alice", "created_at": ""},
        {"id": shop["id"], "agent": "shop", "created_at": ""},
    ]
    assert [row["id"] for row in shell.run("tokens", "list", "--agent", "shop", "--json").json] == [shop["id"]]
    assert text not in shell.run("tokens", "list").out
    assert shell.run("tokens", "revoke", listed[0]["id"]).code == 0
    assert Tokens(shell.home).owner_of(text.encode()) is None
    assert shell.run("tokens", "revoke", listed[0]["id"]).code == 1
    assert shell.run("tokens", "add").code == 2
    assert shell.run("tokens", "add", "--user", " ").code == 2


@pytest.mark.parametrize("text", ["no tokens", "[{}]", "{}", json.dumps([{"sha256": 1, "user": "al"}])])
def test_a_damaged_file_is_said_so(tmp_path: Path, text: str) -> None:
    """It lets nobody in."""
    (tmp_path / "tokens.json").write_text(text)
    tokens = Tokens(tmp_path)
    if text != "{}":
        with pytest.raises(ConfigError):
            tokens.all()
    assert tokens.owner_of(b"memchat_x") is None
