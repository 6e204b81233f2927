"""Somebody at the two sizes of terminal that most tests of the chat use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repl.person import Person


@pytest.fixture(params=[(80, 24), (40, 12)], ids=["80x24", "40x12"])
def person(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Person]:
    person = Person(tmp_path, request.param)
    try:
        person.prompt()
        yield person
    finally:
        person.child.close(force=True)
