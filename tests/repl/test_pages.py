"""Long lists in the chat, a screenful at a time."""

from pathlib import Path

import pytest

from memchat.core.types import Owner
from tests.repl.harness import ScriptedApp, settings
from tests.repl.person import Person


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
def test_a_long_list_is_shown_in_pages(tmp_path: Path, size: tuple[int, int]) -> None:
    """Enter goes on, the count is below each page, and every row keeps its number."""
    with ScriptedApp(settings(tmp_path)) as app:
        for number in range(40):
            app.memory_service.add(f"Has seen city {number}", Owner.user("al"))
    person = Person(tmp_path, size)
    person.prompt()
    person.type("/memories\r")
    first = person.see("Enter shows|more lines")
    assert "Has seen city 39" in first
    assert "Has seen city 0" not in first
    for _ in range(8):
        person.type("\r")
        if "Has seen city 0" in person.prompt():
            break
    person.see(r"^ *40  today  (other  )?[0-9a-f]{8}  Has seen city 0$")
    person.type("\r")
    person.type("/forget 40\r")
    person.see("Forgotten: Has seen city 0")
