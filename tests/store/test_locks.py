"""SQLite's locks hold as long as its connections do."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from memchat.store.database import Database
from memchat.store.traces import Traces, scan

ELSEWHERE = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM owners').fetchall(); c.close()"
)


def visit(path: Path) -> None:
    """Another process opens the database, reads, and closes it again."""
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(path)], check=True)


def test_a_second_connection_does_not_take_the_locks_of_the_first(home: Path) -> None:
    """With two connections here, another process that comes and goes does not delete the write-ahead log."""
    path = home / "memchat.db"
    with Database(path) as first:
        with Database(path) as second:
            visit(path)
            second.execute("INSERT INTO owners (kind, name) VALUES ('user', 'alice')")
        first.execute("INSERT INTO owners (kind, name) VALUES ('user', 'bob')")
        visit(path)
        first.execute("INSERT INTO owners (kind, name) VALUES ('user', 'carol')")
    with sqlite3.connect(path) as reader:
        assert [name for (name,) in reader.execute("SELECT name FROM owners ORDER BY id")] == ["alice", "bob", "carol"]
    reader.close()


def test_searching_the_files_does_not_take_the_locks(home: Path) -> None:
    """What is written after a search, and after another process came and went, is still there."""
    path = home / "memchat.db"
    with Database(path) as database:
        traces = Traces()
        traces.add_text("nowhere to be found")
        assert scan(home, traces).findings == ()
        visit(path)
        database.execute("INSERT INTO owners (kind, name) VALUES ('user', 'alice')")
        visit(path)
    with sqlite3.connect(path) as reader:
        assert reader.execute("SELECT count(*) FROM owners").fetchone() == (1,)
    reader.close()
