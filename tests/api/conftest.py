"""Every test has a home of its own, and a provider on loopback in the place of OpenAI."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memchat import Memory
from tests.api.scripted_memory import Script
from tests.scripted_server import ScriptedServer

STORY = Script(
    {
        "I'm vegetarian": "User is vegetarian.",
        "I live in Berlin": "User lives in Berlin.",
        "I just moved to Amsterdam": "User lives in Amsterdam.",
        "I have a cat called Momo": "User has a cat called Momo.",
        "My sister Ana is a pilot": "User's sister Ana is a pilot.",
        "Always greet by first name": "Greet users by their first name.",
        "The printer is on fire": "User's printer is on fire.",
    },
    replacing={"I just moved to Amsterdam": "lives in Berlin"},
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """memchat's home, with no setting of the machine's own in force."""
    import os

    for name in list(os.environ):
        if name.startswith("MEMCHAT_") or name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("MEMCHAT_HOME", str(folder))
    monkeypatch.setenv("MEMCHAT_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A provider that knows the story of these tests; the environment points OpenAI's models at it."""
    with ScriptedServer(STORY) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MEMCHAT_MODEL", "openai/gpt-4o-mini")
        yield running


@pytest.fixture
def memory(server: ScriptedServer) -> Iterator[Memory]:
    with Memory() as opened:
        yield opened
