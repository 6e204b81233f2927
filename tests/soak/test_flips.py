"""Bits flipped all over the database, its log and the index: no damage comes to a traceback or a crash."""

import random
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, shell
from tests.cli.damaged import INDEXED, LATER, flipped, prepared, several

__all__ = ["shell"]

ASK = ["ask", "Which stamps of number 7 do I collect?", "--model", "offline"]
LIST = ["memories", "list", "--json"]
EXPORT = ["memories", "export", "--user", "alice"]
SEARCH = ["memories", "search", "stamps of number 7"]
DOCTOR = ["doctor", "--json"]
FIX = ["doctor", "--fix", "--json"]
SEEDS = range(40, 110)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nothing happened to."""
    home = tmp_path_factory.mktemp("whole") / "home"
    prepared(home)
    return home


def flip_somewhere(home: Path, seed: int, *, database: bool) -> None:
    """A few bits, or thousands of them, in one file."""
    chance = random.Random(seed)
    files = [home / "memchat.db", home / "memchat.db-wal"]
    if not database:
        files = sorted(path for path in (home / "index").rglob("*") if path.is_file() and path.stat().st_size)
    flipped(chance.choice(files), seed, chance.choice((1, 5, 50, 500, 5_000)))


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_a_database_with_flipped_bits_is_used_or_named(shell: Shell, whole: Path, seed: int) -> None:
    """Each command works, or says in a sentence what is wrong and what to do; then the doctor knows of it too."""
    shutil.copytree(whole, shell.home)
    flip_somewhere(shell.home, seed, database=True)
    *used, found, _, again = several(shell, LIST, EXPORT, SEARCH, ASK, DOCTOR, FIX, DOCTOR)
    for outcome in (found, again):
        told = [one for one in outcome.json["findings"] if one["health"] != "ok"]
        assert all(one["mend"] for one in told if one["health"] == "error"), told
    if any(outcome.code for outcome in used):
        assert found.code == 1


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_an_index_with_flipped_bits_costs_nothing(shell: Shell, whole: Path, seed: int) -> None:
    """Nothing is lost, the chat works on, and afterwards the doctor finds everything in order."""
    shutil.copytree(whole, shell.home)
    flip_somewhere(shell.home, seed, database=False)
    chat = shell.program("chat", "--model", "offline", stdin=b"Which stamps of number 7 do I collect?\n")
    assert (chat.code, "number 7" in chat.out) == (0, True), chat.err
    listed, found = several(shell, LIST, DOCTOR)
    assert len(listed.json) == INDEXED + LATER
    assert {one["health"] for one in found.json["findings"]} == {"ok"}, found.out
