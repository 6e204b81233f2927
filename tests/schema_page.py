"""Write `docs/schema.md` from the migrations: `python -m tests.schema_page > docs/schema.md`."""

import sqlite3
import tempfile
from pathlib import Path

from memchat.storage.database import Database
from memchat.storage.migrations import MIGRATIONS

PAGE = Path(__file__).parents[1] / "docs" / "schema.md"

HEAD = """# The database

`memchat.db` in memchat's home is one SQLite file and the only source of truth; the vector index beside it can be
rebuilt from it. This page is written by `python -m tests.schema_page` from the migrations, and a test compares the two.

Times are ISO 8601 in UTC with microseconds, days are `YYYY-MM-DD`. `PRAGMA user_version` counts the applied migrations.
Migrations are only ever added: a newer memchat opens an older file, and an older memchat refuses a newer one.
"""


def page() -> str:
    """Return the whole page for the present migrations."""
    lines = [HEAD, "## Migrations", ""]
    lines += [f"{number}. {name}" for number, (name, _) in enumerate(MIGRATIONS, 1)]
    for kind, heading in (("table", "Tables"), ("index", "Indexes"), ("trigger", "Triggers")):
        if statements := _statements(kind):
            lines += ["", f"## {heading}", "", "```sql", *[f"{statement};" for statement in statements], "```"]
    return "\n".join(lines) + "\n"


def _statements(kind: str) -> list[str]:
    """The schema of a fresh database; what SQLite keeps for its full-text tables by itself is left out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memchat.db"
        Database(path).close()
        connection = sqlite3.connect(path)
        try:
            shadow = {
                f"{name}_{part}"
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
                )
                for part in ("data", "idx", "content", "docsize", "config")
            }
            found = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL ORDER BY name", (kind,)
            ).fetchall()
        finally:
            connection.close()
    return [" ".join(sql.split()) if kind != "table" else _indented(sql) for name, sql in found if name not in shadow]


def _indented(sql: str) -> str:
    """`sql` with the indentation it has in the migrations taken off."""
    first, *rest = sql.splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    body = [line[margin:] for line in rest]
    if body and body[-1].strip().startswith(")"):
        body = [f"    {line.strip()}" for line in body[:-1]] + [body[-1].strip()]
    return "\n".join([first, *body])


if __name__ == "__main__":
    print(page(), end="")
