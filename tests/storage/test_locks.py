"""SQLite's locks hold as long as its connections do."""

import json
import subprocess
import sys
from pathlib import Path

from memchat.storage.database import Database
from memchat.storage.erasure.targets import ErasureTargets, search_files_isolated

ELSEWHERE = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(json.dumps([name for (name,) in connection.execute("SELECT name FROM owners ORDER BY id")]))
connection.close()
"""


def seen_elsewhere(path: Path) -> list[str]:
    """Another process opens the database, reads the owners, and closes it again."""
    ran = subprocess.run([sys.executable, "-c", ELSEWHERE, str(path)], check=True, capture_output=True, text=True)
    names: list[str] = json.loads(ran.stdout)
    return names


def add(database: Database, name: str) -> None:
    database.execute("INSERT INTO owners (kind, name) VALUES ('user', ?)", (name,))


def test_a_second_connection_does_not_take_the_locks_of_the_first(home: Path) -> None:
    """With two connections here, another process that comes and goes does not delete the log they write to."""
    path = home / "memchat.db"
    with Database(path) as first, Database(path) as second:
        add(first, "alice")
        seen_elsewhere(path)
        add(second, "bob")
        add(first, "carol")
        assert seen_elsewhere(path) == ["alice", "bob", "carol"]


def test_searching_the_files_does_not_take_the_locks(home: Path) -> None:
    """What is written after a search, and after another process came and went, is there for others."""
    path = home / "memchat.db"
    with Database(path) as database:
        add(database, "alice")
        traces = ErasureTargets()
        traces.add_text("nowhere to be found")
        assert search_files_isolated(home, traces).findings == ()
        seen_elsewhere(path)
        add(database, "bob")
        assert seen_elsewhere(path) == ["alice", "bob"]
