"""The engines that the contract is held against."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from memchat.storage.engine import SQLiteEngine
from memchat.storage.protocols import Engine, Storage
from tests.conftest import FINGERPRINT, SettableClock

ENGINES: dict[str, Callable[[Path, SettableClock], Engine]] = {"sqlite": SQLiteEngine}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, home: Path, clock: SettableClock) -> Generator[Engine]:
    """Each engine in turn, over an empty home."""
    made = ENGINES[request.param](home, clock)
    yield made
    made.close()


@pytest.fixture
def storage(engine: Engine) -> Generator[Storage]:
    """An open storage that searches its vectors."""
    with engine.open(FINGERPRINT) as opened:
        opened.connect_search(FINGERPRINT)
        yield opened
