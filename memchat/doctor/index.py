"""Index checks of `memchat doctor`. Chroma is opened in a child process, if at all: damage that no checksum shows ends
only that process.

`python -m memchat.doctor.index` is that process: it reads the configuration as JSON and prints its findings as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from memchat.doctor.database import FIX, Diagnosis, ok, pluralize, restore, warning
from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import Phase, inspect_index
from memchat.storage.index.manifest import read_manifest
from memchat.storage.isolated import run_isolated_python
from memchat.storage.position import position

TIMEOUT_S = 120.0
BY_ITSELF = "The next chat builds it anew"


def examine_index(place: IndexConfig, database: Database) -> Iterator[Diagnosis]:
    """Report what is wrong with the index, if anything. No data is lost with it: it is made from the database."""
    try:
        state = inspect_index(place)
    except StoreError as error:
        yield warning("index", f"{error.message} Recall does without the index.", error.hint)
        return
    if state.phase is Phase.ABSENT:
        yield ok("index", "There is none yet: the next chat builds it.")
    elif state.phase is Phase.ELSEWHERE:
        yield ok("index", "Another memchat has it, and keeps it up to date.")
    elif state.phase is Phase.READY:
        yield _compared(place)
    else:
        yield _explain_unusable(place, database)


def _explain_unusable(place: IndexConfig, database: Database) -> Diagnosis:
    found = read_manifest(place.index)
    if found is None and not any(place.index.iterdir()):
        return ok("index", "There is none yet: the next chat builds it.")
    if found is None:
        return warning("index", f"It was not closed cleanly, or is damaged. {BY_ITSELF}; nothing is lost.", FIX)
    coverage, now = found[0], position(database)
    if coverage.fingerprint != place.fingerprint:
        return warning("index", f"It is of another embedder ({coverage.fingerprint}). {BY_ITSELF}.", FIX)
    if coverage.seq > now.seq or coverage.epoch > now.epoch:
        message = f"It knows of {coverage.seq} changes, the database of {now.seq}: the database is older, or lost some."
        backup = f"if no backup was put in place just now: {restore(place.database)}; else {FIX}"
        return warning("index", message, backup)
    return warning("index", f"It is of another state of the database. {BY_ITSELF}; nothing is lost.", FIX)


def _compared(place: IndexConfig) -> Diagnosis:
    done = _apart(place)
    if done is None or done.returncode:
        how = "in time" if done is None else f"(the process that tried ended with {done.returncode})"
        return warning("index", f"It could not be read {how}. {BY_ITSELF}; nothing is lost.", FIX)
    found = json.loads(done.stdout.splitlines()[-1])
    if found is None:
        return ok("index", "Another memchat has just taken it.")
    if "failed" in found:
        return warning("index", found["failed"], None)
    surplus = {name: len(found[name]) for name in ("missing", "extra", "wrong")}
    if any(surplus.values()):
        counts = ", ".join(f"{count} {name}" for name, count in surplus.items())
        return warning("index", f"Its entries are not those of the database: {counts}.", FIX)
    return ok("index", f"It holds {pluralize(found['memories'])}, as the database does.")


def _apart(place: IndexConfig) -> "subprocess.CompletedProcess[bytes] | None":
    """Run the child process that opens the index. Returns its findings, or None if it took too long."""
    given = {name: str(value) for name, value in asdict(place).items()}
    try:
        return run_isolated_python(["-m", "memchat.doctor.index"], json.dumps(given).encode(), TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return None


def _main() -> None:
    from memchat.storage.index.verify import verify_index

    given = json.load(sys.stdin)
    index, lock, database = (Path(given[name]) for name in ("index", "lock", "database"))
    try:
        found = verify_index(IndexConfig(index, lock, database, given["fingerprint"], int(given["index_from"])))
        print(json.dumps(None if found is None else asdict(found)))  # noqa: T201
    except StoreError as error:
        print(json.dumps({"failed": error.message}))  # noqa: T201


if __name__ == "__main__":
    _main()
