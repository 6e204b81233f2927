"""What every test gets: a home of its own, a clock it can set, and no way to any other machine."""

import inspect
import signal
import socket
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from memchat.llm.litellm_setup import litellm
from memchat.storage.store import Store

FINGERPRINT = "test/24"

# Nothing here is timed: a busy machine is no failure.
settings.register_profile("memchat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("memchat")

# Under `nohup` the programs that tests start would inherit that it is ignored.
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class SettableClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        """Move by a `timedelta` of these arguments; a negative one puts the clock back."""
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, which MEMCHAT_HOME names; no setting comes from anywhere else."""
    path = tmp_path / "home"
    monkeypatch.setenv("MEMCHAT_HOME", str(path))
    return path


@pytest.fixture
def store(home: Path, clock: SettableClock) -> Generator[Store]:
    """An open store in `home`, whose vectors have 24 numbers."""
    with Store(home / "memchat.db", clock, FINGERPRINT) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Generator[None]:
    """Nothing in the tests' own process reaches beyond this machine."""
    patch = pytest.MonkeyPatch()
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise OSError(f"the tests may not connect to {address!r}")
        connect(self, address)

    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def closed_clients() -> Generator[None]:
    """No connection outlives its test: LiteLLM keeps a client for every address, and drops old ones as they are."""
    yield
    if "litellm" not in sys.modules:
        return
    cache = litellm().in_memory_llm_clients_cache
    for client in list(cache.cache_dict.values()):
        # Some that nobody used yet close on an event loop only.
        if not inspect.iscoroutinefunction(client.close):
            client.close()
    cache.flush_cache()
