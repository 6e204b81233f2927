"""The page in a real browser: at the width of a phone, with the keyboard, in light and in dark."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from memchat import Memory
from memchat.config import Settings
from tests.servers.http.conftest import Open

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install playwright")
PHONE = {"width": 360, "height": 740}
SCREENSHOTS = os.environ.get("MEMCHAT_SCREENSHOTS")
"""A folder to write pictures of the page to, for the documents."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def url(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a server that remembers some of alice."""
    memory = Memory(Settings(tmp_path_factory.mktemp("browser") / "home", "alice", model="offline"))
    client: httpx.Client = opened(memory)
    for said in ("I live in Berlin.", "I am vegetarian.", "My sister Ana is a pilot."):
        client.post("/chat", json={"user_id": "alice", "message": said}).raise_for_status()
    for text in ("Prefers tea to coffee", "Plays chess on Thursdays"):
        client.post("/memories", json={"user_id": "alice", "messages": text, "infer": False}).raise_for_status()
    return str(client.base_url).rstrip("/")


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """The page of memories, which fails the test where it asks any other host or its policy is broken."""
    context = browser.new_context()
    opened = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.goto(url)
    yield opened
    context.close()
    assert all(one.startswith((url, "data:")) for one in asked)
    assert not [one for one in said if "Content Security Policy" in one]


def picture(page: Any, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS, f"{name}.png")))


def test_a_wrong_memory_is_corrected_and_another_forgotten(page: Any) -> None:
    """As a new user would, by what the page says."""
    picture(page, "page-desktop")
    page.get_by_role("link", name="Prefers tea to coffee").click()
    page.get_by_label("Edit").fill("Prefers coffee to tea")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Prefers coffee to tea"
    assert "Saved" in page.get_by_role("status").inner_text()
    picture(page, "page-memory")
    page.get_by_role("button", name="Undo the last change").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Prefers tea to coffee"
    page.get_by_role("link", name="Forget").click()
    assert "cannot be undone" in page.locator("main").inner_text()
    page.get_by_role("button", name="Forget it").click()
    assert page.get_by_role("link", name="Prefers tea to coffee").count() == 0
    assert "nothing of it is left" in page.get_by_role("status").inner_text()
    page.get_by_label("Search").fill("coffee")
    page.get_by_role("button", name="Find").click()
    assert "coffee" not in page.locator("main .memories").inner_text().lower()


def test_the_keyboard_is_enough(page: Any) -> None:
    """A memory is added without a mouse."""
    page.get_by_label("Add a memory").focus()
    page.keyboard.type("Has a cat called Momo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/page/memory/*")
    assert page.get_by_role("heading", level=1).inner_text() == "Has a cat called Momo"
    page.goto(page.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


@pytest.mark.parametrize("path", ["/", "/page/conversations", "/page/timeline", "/page/statistics"])
def test_nothing_sticks_out_on_a_phone(page: Any, url: str, path: str) -> None:
    """No view scrolls sideways."""
    page.set_viewport_size(PHONE)
    page.goto(url + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if path == "/":
        picture(page, "page-phone")


def test_dark_is_dark(page: Any) -> None:
    """Where the system asks for it, with text that can be read."""
    page.emulate_media(color_scheme="dark")
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert brightness(paper) < 60
    assert brightness(ink) > 200
    picture(page, "page-dark")


def brightness(color: str) -> float:
    """The mean of red, green and blue, from 0 to 255."""
    return sum(int(part) for part in color[4:-1].split(",")[:3]) / 3
