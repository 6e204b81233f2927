"""What Ctrl-C does to a program that is in the middle of something."""

import importlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memchat.signals import Signals

SLOW_MODULE = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
time.sleep(0.1)
whole = True
"""


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as a program in the foreground has it, also where the tests were started with it ignored."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("ctrl_c")
def test_an_import_is_not_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C waits until the module is whole, and then does what it was pressed for."""
    (tmp_path / "slow_to_import.py").write_text(SLOW_MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def load_and_wait() -> None:
        with signals.interruptible():
            importlib.import_module("slow_to_import")
            time.sleep(30)

    with Signals().handled() as signals, pytest.raises(KeyboardInterrupt):
        load_and_wait()
    assert sys.modules.pop("slow_to_import").whole
