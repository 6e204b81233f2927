"""Files truncated, zeroed, flipped, deleted and swapped: everything works, or says what is wrong and what to do."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Shell
from tests.cli.damaged import (
    INDEXED,
    LATER,
    Damage,
    deleted,
    emptied,
    flipped,
    flipped_early,
    prepared,
    several,
    sound,
    swapped,
    truncated,
    zeroed,
    zeroed_within,
)

ASK = ["ask", "Which stamps of number 7 do I collect?", "--model", "offline"]
LIST = ["memories", "list", "--json"]
DOCTOR = ["doctor", "--json"]
FIX = ["doctor", "--fix", "--json"]

INDEX_FILES = {
    "vectors": "index/*/*/data_level0.bin",
    "links": "index/*/*/link_lists.bin",
    "lengths": "index/*/*/length.bin",
    "header": "index/*/*/header.bin",
    "ids": "index/*/*/index_metadata.pickle",
    "chroma": "index/*/chroma.sqlite3",
    "marker": "index/clean.json",
}
WAYS = {"truncated": truncated, "zeroed": zeroed, "flipped": flipped, "deleted": deleted, "swapped": swapped}
EVERY_WAY = [
    Damage(f"{file} {way}", pattern, done) for file, pattern in INDEX_FILES.items() for way, done in WAYS.items()
]
SOME_WAYS = EVERY_WAY[::4]
"""Every file, every way; all of both on demand."""
DATABASE = [
    *(
        Damage(f"database {done.__name__}", "memchat.db", done)
        for done in (truncated, emptied, zeroed, zeroed_within, flipped, flipped_early, deleted, swapped)
    ),
    *(
        Damage(f"log {done.__name__}", "memchat.db-wal", done)
        for done in (truncated, emptied, zeroed, flipped, deleted, swapped)
    ),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nothing happened to."""
    home = tmp_path_factory.mktemp("whole") / "home"
    prepared(home)
    return home


def damaged(shell: Shell, whole: Path, damage: Damage) -> Shell:
    shutil.copytree(whole, shell.home)
    damage.inflict(shell.home)
    return shell


def texts(listed: Outcome) -> set[str]:
    return {memory["text"] for memory in listed.json}


def healths(outcome: Outcome) -> dict[str, str]:
    return {finding["check"]: finding["health"] for finding in outcome.json["findings"]}


def test_the_store_is_sound_before(shell: Shell, whole: Path) -> None:
    """Undamaged, with a write-ahead log to be recovered, everything works and the doctor finds nothing."""
    shutil.copytree(whole, shell.home)
    listed, asked, found = several(shell, LIST, ASK, DOCTOR)
    assert (listed.code, asked.code, found.code) == (0, 0, 0)
    assert len(texts(listed)) == INDEXED + LATER
    assert {one["health"] for one in found.json["findings"]} == {"ok"}


@pytest.mark.parametrize("damage", SOME_WAYS, ids=lambda damage: damage.name)
def test_with_the_index_damaged_nothing_is_lost(shell: Shell, whole: Path, damage: Damage) -> None:
    """Every command works on; the doctor says what is wrong with the index, mends it, and then finds nothing."""
    _survives(damaged(shell, whole, damage))


@pytest.mark.soak
@pytest.mark.parametrize("damage", EVERY_WAY, ids=lambda damage: damage.name)
def test_with_any_file_of_the_index_damaged_nothing_is_lost(shell: Shell, whole: Path, damage: Damage) -> None:
    """The same for every file in every way, and for the chat, which opens the index."""
    _survives(damaged(shell, whole, damage))
    shutil.rmtree(shell.home)
    _chats_on(damaged(shell, whole, damage))


@pytest.mark.parametrize("damage", EVERY_WAY[::13], ids=lambda damage: damage.name)
def test_a_chat_builds_a_damaged_index_anew(shell: Shell, whole: Path, damage: Damage) -> None:
    """The process that opens the index never opens a damaged one, and leaves a sound one behind."""
    _chats_on(damaged(shell, whole, damage))


def _survives(shell: Shell) -> None:
    listed, asked, found, fixed = several(shell, LIST, ASK, DOCTOR, FIX)
    assert (listed.code, asked.code, found.code, fixed.code) == (0, 0, 0, 0)
    assert len(texts(listed)) == INDEXED + LATER
    assert "number 7" in asked.out
    assert healths(found)["index"] == "warning"
    assert fixed.json["mended"]
    assert set(healths(fixed).values()) == {"ok"}


def _chats_on(shell: Shell) -> None:
    chat = shell.program("chat", "--model", "offline", stdin=b"Which stamps of number 7 do I collect?\n")
    assert chat.code == 0, chat.err
    assert "number 7" in chat.out
    assert "Traceback" not in chat.err
    listed, found = several(shell, LIST, DOCTOR)
    assert len(texts(listed)) == INDEXED + LATER
    assert set(healths(found).values()) == {"ok"}


@pytest.mark.parametrize("damage", DATABASE, ids=lambda damage: damage.name)
def test_a_damaged_database_is_named_and_never_a_traceback(shell: Shell, whole: Path, damage: Damage) -> None:
    """Each command works, or says in a sentence what is wrong and what to do; what is missing the doctor knows of."""
    damaged(shell, whole, damage)
    listed, asked, found, fixed = several(shell, LIST, ASK, DOCTOR, FIX)
    assert found.code in {0, 1}
    assert fixed.code in {0, 1}
    told = {one["check"]: one for one in found.json["findings"] if one["health"] != "ok"}
    assert all(one["mend"] for one in told.values() if one["health"] == "error"), told
    if listed.code == 0 and not damage.target.endswith("-wal"):
        assert len(texts(listed)) == INDEXED + LATER or told
    if listed.code or asked.code:
        assert found.code == 1
    if damage.target.endswith("-wal"):
        assert len(texts(listed)) >= INDEXED, "what was in the database itself is still there"


def test_a_file_that_is_no_database_is_named(shell: Shell) -> None:
    """Text in the place of the database: nothing is written over, and the way out is named."""
    shell.home.mkdir()
    (shell.home / "memchat.db").write_text("Dear diary, " * 1000)
    listed = shell.run(*LIST)
    sound(listed, "memories list")
    assert listed.code == 1
    found = shell.run("doctor", "--json")
    assert found.code == 1
    assert healths(found)["database"] == "error"
    assert json.dumps(found.json).count("backup")
    assert (shell.home / "memchat.db").read_text().startswith("Dear diary")
