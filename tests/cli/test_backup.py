"""`memchat backup` and `memchat reindex`: a copy that restores everything, an index and vectors made anew."""

import stat
import sys
from pathlib import Path

import numpy as np
import pexpect
import pytest
from filelock import FileLock

from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.database import Database
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import rebuild_now
from memchat.storage.position import position
from tests.cli.conftest import ROOT, Shell

FACTS = ("User is vegetarian", "User lives in Berlin", "User has a dog")
FOREIGN = "UPDATE vectors SET fingerprint = 'openai/text-embedding-3-small:384' WHERE number <= 2"


def vectors(database: Database) -> list["np.ndarray"]:
    return [np.frombuffer(row["rows"], np.float32) for row in database.rows("SELECT rows FROM vectors ORDER BY number")]


def listed(shell: Shell) -> str:
    return shell.run("memories", "list", "--json", "--include-superseded").out


def test_a_backup_put_in_place_restores_everything(shell: Shell, tmp_path: Path) -> None:
    """The copy is private, complete, and works as the help says: in the place of memchat.db."""
    shell.add(*FACTS)
    before = listed(shell)
    copy = tmp_path / "copy.db"
    made = shell.run("backup", str(copy), "--json")
    assert made.code == 0, made.err
    assert made.json == {"file": str(copy), "bytes": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert shell.run("forget", "--all", "--yes").code == 0
    copy.replace(shell.home / "memchat.db")
    assert listed(shell) == before
    assert shell.run("doctor").code == 0


def test_a_backup_is_consistent_while_another_process_has_the_database_open(shell: Shell, tmp_path: Path) -> None:
    """What is only in the write-ahead log so far is in the copy too; what is not committed is not."""
    shell.add(*FACTS)
    with Database(shell.home / "memchat.db") as other:
        other.execute("UPDATE memories SET text = 'User has two dogs' WHERE number = 3")
        with other.transaction():
            other.execute("UPDATE memories SET text = 'User has three dogs' WHERE number = 3")
            assert shell.run("backup", str(tmp_path / "copy.db")).code == 0
    with Database(tmp_path / "copy.db") as copy:
        assert copy.value("SELECT text FROM memories WHERE number = 3") == "User has two dogs"


def test_a_backup_goes_over_nothing_unasked(shell: Shell, tmp_path: Path) -> None:
    """A file that is there needs --force; a folder, and the database itself, are never written over."""
    shell.add(*FACTS)
    there = tmp_path / "there"
    there.write_text("something")
    refused = shell.run("backup", str(there))
    assert (refused.code, there.read_text()) == (2, "something")
    assert "--force" in refused.err
    assert shell.run("backup", str(there), "--force").code == 0
    for wrong in (tmp_path, shell.home / "memchat.db", tmp_path / "nowhere" / "copy.db"):
        assert shell.run("backup", str(wrong), "--force").code == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".part") == []


def test_there_must_be_something_to_copy(shell: Shell, tmp_path: Path) -> None:
    """Without a database nothing is written, and none is made."""
    refused = shell.run("backup", str(tmp_path / "copy.db"))
    assert refused.code == 1
    assert not (tmp_path / "copy.db").exists()
    assert not shell.home.exists()


def test_a_damaged_database_does_not_take_the_place_of_a_good_backup(shell: Shell, tmp_path: Path) -> None:
    """The former copy stays as it is."""
    shell.add(*FACTS)
    copy, database = tmp_path / "copy.db", shell.home / "memchat.db"
    assert shell.run("backup", str(copy)).code == 0
    good = copy.read_bytes()
    database.write_bytes(database.read_bytes()[: 4096 * 20])
    refused = shell.run("backup", str(copy), "--force")
    assert refused.code == 1
    assert "damaged" in refused.err
    assert copy.read_bytes() == good


def test_an_index_of_what_came_after_the_backup_is_not_trusted(shell: Shell, tmp_path: Path) -> None:
    """Not even once the restored database has as many changes as the lost one had."""
    shell.add(*FACTS)
    copy = tmp_path / "copy.db"
    assert shell.run("backup", str(copy)).code == 0
    shell.add("User plays chess")
    index, lock, database = (shell.home / name for name in ("index", "index.lock", "memchat.db"))
    rebuild_now(IndexConfig(index, lock, database, FINGERPRINT), lambda done, total: None)
    copy.replace(database)
    shell.add("User sings in a choir")
    (finding,) = [one for one in shell.run("doctor", "--json").json["findings"] if one["check"] == "index"]
    assert finding["health"] == "warning"
    assert "another state of the database" in finding["message"]
    assert shell.run("doctor", "--fix").code == 0
    assert "choir" in shell.run("memories", "search", "music and singing").out


# The index.


def test_reindex_builds_an_index_that_the_doctor_finds_sound(shell: Shell) -> None:
    """Whatever was there before."""
    shell.add(*FACTS)
    made = shell.run("reindex", "--json")
    assert (made.code, made.err) == (0, "")
    assert made.json == {"embedded": 0, "messages": 0, "indexed": 3, "elsewhere": False}
    (finding,) = [one for one in shell.run("doctor", "--json").json["findings"] if one["check"] == "index"]
    assert finding["message"] == "It contains 3 memories, like the database."


def test_reindex_embeds_what_another_embedder_did(shell: Shell) -> None:
    """Recall is then as it was, and nothing is said about it any more."""
    shell.add(*FACTS)
    with Database(shell.home / "memchat.db") as database:
        before = vectors(database)
        database.execute(FOREIGN)
        database.execute("UPDATE vectors SET rows = zeroblob(length(rows)) WHERE number <= 2")
        made = shell.run("reindex")
        assert made.lines == [
            f"2 memories embedded with {FINGERPRINT}.",
            "3 memories indexed.",
        ]
        # The int8 model's numbers depend a little on what else is in the batch.
        assert all(np.allclose(new, old, atol=0.05) for new, old in zip(vectors(database), before, strict=True))
    assert shell.run("memories", "search", "Which city is home?").err == ""


def test_an_index_that_is_in_use_is_left_to_its_owner(shell: Shell) -> None:
    """The vectors are made anew all the same, and the owner is told to read them: it sees that something changed."""
    shell.add(*FACTS)
    with Database(shell.home / "memchat.db") as database, FileLock(shell.home / "index.lock"):
        database.execute(FOREIGN)
        before = position(database)
        made = shell.run("reindex", "--json")
        assert made.json == {"embedded": 2, "messages": 0, "indexed": 0, "elsewhere": True}
        assert position(database).epoch > before.epoch
        assert database.value("SELECT count(*) FROM erasures") == 0


@pytest.mark.parametrize(
    "line",
    [
        ("memories", "search", "Which city is home?"),
        ("ask", "Which city is my home?", "--model", "offline"),
        ("compare", "Which city is my home?", "--model", "offline"),
        ("chat", "--model", "offline"),
        ("forget", "--query", "city", "--dry-run"),
    ],
    ids=lambda line: line[0],
)
def test_recall_says_once_that_it_cannot_see_everything(shell: Shell, line: tuple[str, ...]) -> None:
    """Whatever recalls names the command that mends it, on stderr, once; answers and JSON stay what they are."""
    shell.add(*FACTS)
    with Database(shell.home / "memchat.db") as database:
        database.execute(FOREIGN)
    told = shell.program(*line, stdin=b"Which city is my home?\n" if line[0] == "chat" else b"")
    assert told.code == 0, told.err
    assert told.err.count("memchat reindex") == 1
    assert "2 memories were embedded with openai/text-embedding-3-small:384" in told.err
    assert "reindex" not in told.out


def test_a_terminal_shows_how_far_it_is(shell: Shell) -> None:
    """A bar while it works, which goes when it is done."""
    shell.add(*FACTS)
    with Database(shell.home / "memchat.db") as database:
        database.execute(FOREIGN)
    environ = {**shell.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable, ["-m", "memchat", "reindex"], env=environ, encoding="utf-8", timeout=60, cwd=str(ROOT)
    )
    child.expect("Embedding")
    child.expect("Indexing")
    child.expect("3 memories indexed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
