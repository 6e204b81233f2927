"""The page to look after memories, as a browser without scripts uses it."""

import re
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from memchat import Memory
from memchat.config import Settings
from memchat.core.types import Owner
from memchat.servers.page.views import PAGE_SIZE
from tests.servers.http.conftest import Open


@pytest.fixture(scope="module")
def kept(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> httpx.Client:
    """A client of a server with some memories of two people."""
    memory = Memory(Settings(tmp_path_factory.mktemp("page") / "home", "alice", model="offline"))
    client = opened(memory)
    client.follow_redirects = True
    client.post("/chat", json={"user_id": "alice", "message": "I live in Berlin."}).raise_for_status()
    for text in ("Likes <b>tea</b>", "Has a cat"):
        client.post("/memories", json={"user_id": "alice", "messages": text, "infer": False}).raise_for_status()
    client.post("/memories", json={"user_id": "bob", "messages": "Bob's own", "infer": False}).raise_for_status()
    return client


def submit(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form with the token that the pages bring."""
    token = re.search(r'name="token" value="([^"]+)"', client.get("/").text)
    assert token is not None
    return post(client, path, token=token[1], **fields)


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.post(path, content=urlencode(fields), headers=headers)


def link_to(client: httpx.Client, text: str) -> str:
    """Where the list leads for the memory with that text."""
    links = re.findall(r'<a href="([^"]+)">([^<]*)</a>', client.get("/").text)
    return str(next(href for href, label in links if unescape(label) == text))


def test_what_is_remembered_is_listed_as_text(kept: httpx.Client) -> None:
    """Whatever marks it has; nothing is loaded from elsewhere and no script may run."""
    page = kept.get("/")
    assert "Likes &lt;b&gt;tea&lt;/b&gt;" in page.text
    assert "Bob" not in page.text.replace('value="bob"', "")
    assert page.headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script|https?://", page.text)
    assert "Bob&#39;s own" in kept.get("/?user=bob").text


def test_every_view_opens(kept: httpx.Client) -> None:
    """Empty for somebody of whom nothing is kept."""
    for path in ("/", "/page/conversations", "/page/timeline", "/page/statistics", "/page/export", "/page/style.css"):
        assert kept.get(path).status_code == 200
        assert kept.get(path, params={"user": "nobody"}).status_code == 200
    assert "Has a cat" in kept.get("/page/export").text
    assert "Has a cat" in kept.get("/", params={"q": "cat"}).text


def test_months_open_their_memories(opened: Open, tmp_path: Path) -> None:
    """The timeline shows one month, a page at a time; the statistics count and lead there. No view reads all."""
    with Memory(Settings(tmp_path / "home", "carol", model="offline")) as memory:
        client = opened(memory)
        with memory.connection() as place:
            for number in range(PAGE_SIZE + 1):
                place.service.add(f"Note {number}.", Owner.user("carol"))
        statistics = client.get("/page/statistics").text
        month = statistics.partition("/page/timeline?month=")[2][:7]
        assert f"<td>{PAGE_SIZE + 1}</td>" in statistics
        first = client.get("/page/timeline").text
        second = client.get("/page/timeline", params={"month": month, "page": "2"}).text
        assert f"{month} ({PAGE_SIZE + 1})" in first
        assert ("Note 0." in first, "Note 0." in second) == (False, True)
        assert f"Note {PAGE_SIZE}." in client.get("/page/timeline?month=2020-02").text
        assert client.get("/page/timeline?month=x&page=y").status_code == 200


def test_a_memory_is_added_corrected_taken_back_and_forgotten(kept: httpx.Client) -> None:
    """By forms alone; what is forgotten is gone."""
    added = submit(kept, "/page/add", text="Lives in Rome")
    assert "Lives in Rome" in added.text
    own = added.url.path
    assert "Lives in Oslo" in submit(kept, f"{own}/edit", text="Lives in Oslo").text
    assert "<h1>Lives in Rome</h1>" in submit(kept, f"{own}/undo").text
    assert "cannot be undone" in kept.get(f"{own}/forget").text
    gone = submit(kept, f"{own}/forget").text
    assert "Lives in Rome" not in gone
    assert "nothing of it is left" in gone
    assert kept.get(own).status_code == 404
    assert submit(kept, "/page/add", text="  ").status_code == 400


def test_a_conversation_shows_what_was_learned_and_can_be_kept_private(kept: httpx.Client) -> None:
    """From its list to its messages and back."""
    listed = kept.get("/page/conversations").text
    path = re.search(r'href="(/page/conversation/[^"]+)"', listed)
    assert path is not None
    assert "I live in Berlin." in kept.get(path[1]).text
    assert "new messages are not learned from" in submit(kept, f"{path[1]}/private", private="on").text
    assert "learns from this conversation" in submit(kept, f"{path[1]}/private", private="off").text


def test_nobody_elses_memory_can_be_reached(kept: httpx.Client) -> None:
    """Neither shown nor changed under another name."""
    own = link_to(kept, "Has a cat")
    assert kept.get(own).status_code == 200
    assert kept.get(f"{own}?user=bob").status_code == 404
    assert submit(kept, f"{own}/forget?user=bob").status_code == 404
    assert kept.get(own).status_code == 200


def test_a_form_of_another_site_changes_nothing(kept: httpx.Client) -> None:
    """It has no token, and its origin is seen."""
    assert post(kept, "/page/add", text="Forged").status_code == 403
    assert post(kept, "/page/add", text="Forged", token="wrong").status_code == 403
    headers = {"Origin": "http://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    assert kept.post("/page/add", content="text=Forged", headers=headers).status_code == 403
    assert "Forged" not in kept.get("/").text


def test_behind_a_key_a_browser_is_asked_for_it(opened: Open, tmp_path: Path) -> None:
    """Once; the cookie opens the page and nothing else."""
    with Memory(Settings(tmp_path / "home", "alice", model="offline")) as memory:
        client = opened(memory, "key")
        asked = client.get("/")
        assert (asked.status_code, asked.headers["location"]) == (303, "/login")
        assert client.get("/login").status_code == 200
        assert post(client, "/login", key="wrong").status_code == 401
        let_in = post(client, "/login", key="key")
        assert {"HttpOnly", "SameSite=strict"} <= set(let_in.headers["set-cookie"].split("; "))
        assert client.get("/").status_code == 200
        assert client.get("/memories", params={"user_id": "alice"}).status_code == 401
        assert httpx.get(f"{client.base_url}/", headers={"Cookie": "memchat=x"}, trust_env=False).status_code == 303
