"""Database checks of `memchat doctor`: whether the file is intact, and whether its rows agree with each other."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from shlex import quote
from sqlite3 import Row

from memchat.core.types import Event, JobState, MessageStatus, Role
from memchat.errors import StoreBusy, StoreError
from memchat.storage.database import Database
from memchat.storage.fulltext import terms
from memchat.storage.memory_rows import COLUMNS, TABLES, to_memory
from memchat.storage.vectors.reembedding import VectorProblem, vector_problems

FIX = "memchat doctor --fix"
REINDEX = "memchat reindex"
ROWS = 500
"""Rows read at a time."""
MAX_NAMED = 3
STUCK = 3
"""Failed attempts after which a pending job is worth a warning."""


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check in a sentence, with the command or step that repairs it."""

    check: str
    health: Health
    message: str
    mend: str | None = None


def ok(check: str, message: str) -> Diagnosis:
    return Diagnosis(check, Health.OK, message)


def warning(check: str, message: str, mend: str | None = None) -> Diagnosis:
    return Diagnosis(check, Health.WARNING, message, mend)


def problem(check: str, message: str, mend: str | None = None) -> Diagnosis:
    return Diagnosis(check, Health.ERROR, message, mend)


def restore(path: Path) -> str:
    """Say how to restore a backup, where nothing else helps."""
    return f"put a backup in the place of {path}; memchat memories export may save what is whole"


def pluralize(count: int, one: str = "memory", more: str = "memories") -> str:
    return f"{count} {one if count == 1 else more}"


def examine(database: Database, fingerprint: str) -> Iterator[Diagnosis]:
    """Run every check of the database, each independent of the others. `fingerprint` is that of the embedder in use."""
    checks: dict[str, Callable[[], Iterable[Diagnosis]]] = {
        "database": lambda: _whole(database),
        "references": lambda: _references(database),
        "memories": lambda: _memories(database),
        "conversations": lambda: _conversations(database),
        "words": lambda: _words(database),
        "vectors": lambda: _vectors(database, fingerprint),
        "versions": lambda: _versions(database),
        "waiting": lambda: _waiting(database),
        "erasures": lambda: _erasures(database),
    }
    for name, check in checks.items():
        try:
            yield from check()
        except StoreBusy as error:
            yield warning(name, f"{error.message} This could not be checked.", "memchat doctor, in a moment")
        except StoreError as error:
            yield problem(name, error.message, error.hint if _from_outside(error) else restore(database.path))
        except (sqlite3.Error, LookupError, ValueError, TypeError) as error:
            yield problem(name, f"{database.path} is damaged: {error}.", restore(database.path))


def _from_outside(error: StoreError) -> bool:
    """Whether the disk or another program stands in the way, rather than the content of the file."""
    text = str(error.__cause__)
    reasons = ("readonly", "unable to open", "full", "disk I/O", "locked", "busy")
    return isinstance(error.__cause__, sqlite3.OperationalError) and any(reason in text for reason in reasons)


# The file.


def complaints(database: Database) -> list[str]:
    """Return what SQLite's own check finds wrong; nothing for an intact file."""
    told = "\n".join(row[0] for row in database.rows("PRAGMA integrity_check(100)"))
    return [line for line in told.splitlines() if line != "ok" and not line.startswith("***")]


def only_indexes(found: Iterable[str]) -> bool:
    """Whether SQLite can repair by itself what its check found: its indexes, not the rows they point to."""
    return all("index" in line and "malformed" not in line and "Page" not in line for line in found)


def _whole(database: Database) -> Iterator[Diagnosis]:
    found = complaints(database)
    if not found:
        yield ok("database", f"{database.path} is whole (version {database.value('PRAGMA user_version')}).")
    elif only_indexes(found):
        yield problem("database", f"SQLite's indexes disagree with their tables: {_first(found)}.", FIX)
    else:
        yield problem("database", f"{database.path} is damaged: {_first(found)}.", restore(database.path))


def _references(database: Database) -> Iterator[Diagnosis]:
    broken = Counter(row["table"] for row in database.rows("PRAGMA foreign_key_check"))
    if not broken:
        yield ok("references", "Every row belongs to one that exists.")
        return
    named = ", ".join(f"{count} in {table}" for table, count in sorted(broken.items()))
    mend = FIX if broken.keys() <= {"vectors", "work"} else restore(database.path)
    yield problem("references", f"Rows belong to others that are missing: {named}.", mend)


# The rows.


def readable(database: Database, columns: str, tables: str, number: str) -> Iterator[tuple[int, Row | None]]:
    """Yield the rows of `tables` by ascending `number`, and None for each that cannot be read."""
    last = -1
    while keys := database.rows(
        f"SELECT {number} AS place FROM {tables} WHERE {number} > ? ORDER BY 1 LIMIT ?", (last, ROWS)
    ):
        first, last = keys[0]["place"], keys[-1]["place"]
        between = f"SELECT {number} AS place, {columns} FROM {tables} WHERE {number} BETWEEN ? AND ? ORDER BY 1"
        try:
            found: dict[int, Row | None] = {row["place"]: row for row in database.rows(between, (first, last))}
        except StoreError:
            found = {}
            for (place,) in keys:
                with suppress(StoreError):
                    found[place] = database.row(between, (place, place))
        yield from ((place, found.get(place)) for (place,) in keys)


def _memories(database: Database) -> Iterator[Diagnosis]:
    """Read the memories one by one, as every reader does."""
    count, lost = 0, []
    for number, row in readable(database, COLUMNS, TABLES, "m.number"):
        count += 1
        if not _reads(row):
            lost.append(_id(database, number))
    if lost:
        message = f"{len(lost)} of {count} memories cannot be read: {_first(lost)}."
        yield problem("memories", message, restore(database.path))
    else:
        yield ok("memories", f"{pluralize(count)}, superseded ones included, can be read.")


def _reads(row: Row | None) -> bool:
    try:
        return row is not None and bool(to_memory(row).id)
    except StoreError:
        return False


def _id(database: Database, number: int) -> str:
    with suppress(StoreError):
        return str(database.value("SELECT id FROM memories WHERE number = ?", (number,)))
    return f"number {number}"


def _conversations(database: Database) -> Iterator[Diagnosis]:
    lost = []
    for _, row in readable(database, "m.*", "messages AS m", "m.number"):
        if row is None or not _plausible(row):
            lost.append("?" if row is None else str(row["id"]))
    count = int(database.value("SELECT count(*) FROM messages"))
    messages = pluralize(count, "message", "messages")
    sessions = int(database.value("SELECT count(*) FROM sessions WHERE julianday(last_at) IS NOT NULL"))
    if lost:
        message = f"{len(lost)} of {messages} cannot be read: {_first(lost)}."
        yield problem("conversations", message, restore(database.path))
    else:
        yield ok("conversations", f"{messages} in {pluralize(sessions, 'conversation', 'conversations')} can be read.")


def _plausible(row: Row) -> bool:
    try:
        datetime.fromisoformat(row["created_at"])
    except ValueError:
        return False
    return row["role"] in set(Role) and row["status"] in set(MessageStatus)


def missing_from_fulltext(database: Database) -> list[int]:
    """List the numbers of memories whose entry in the full-text index is missing or wrong."""
    columns = f"{COLUMNS}, w.terms AS terms"
    tables = f"{TABLES} LEFT JOIN words AS w ON w.rowid = m.number"
    return [
        number
        for number, row in readable(database, columns, tables, "m.number")
        if row is not None and _reads(row) and row["terms"] != terms(row["owner"], to_memory(row))
    ]


def _words(database: Database) -> Iterator[Diagnosis]:
    try:
        database.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        missing = len(missing_from_fulltext(database))
        extra = int(database.value("SELECT count(*) FROM words WHERE rowid NOT IN (SELECT number FROM memories)"))
    except StoreError as error:
        if _from_outside(error):
            raise
        yield problem("words", "The index of words is damaged: recall may miss memories.", FIX)
        return
    if missing or extra:
        yield problem("words", f"The index of words lacks {pluralize(missing)} and has {extra} too many.", FIX)
    else:
        yield ok("words", "Every memory is found by its words.")


def _vectors(database: Database, fingerprint: str) -> Iterator[Diagnosis]:
    found = Counter(fault for _, fault in vector_problems(database, fingerprint))
    strangers = int(
        database.value("SELECT count(*) FROM vectors AS v JOIN memories AS m USING (number) WHERE v.owner <> m.owner")
    )
    if strangers:
        yield problem("vectors", f"Under somebody else's name are the vectors of {pluralize(strangers)}.", FIX)
    if found[VectorProblem.MISSING] or found[VectorProblem.UNUSABLE]:
        without = f"{found[VectorProblem.MISSING]} without vectors, {found[VectorProblem.UNUSABLE]} with useless ones"
        yield problem("vectors", f"Memories found by their words alone: {without}.", FIX)
    if found[VectorProblem.FOREIGN]:
        foreign = f"{found[VectorProblem.FOREIGN]} with vectors of another embedder than {fingerprint}"
        yield warning("vectors", f"Memories found by their words alone: {foreign}.", REINDEX)
    if not found and not strangers:
        yield ok("vectors", f"Every memory has its vectors ({fingerprint}).")


def _versions(database: Database) -> Iterator[Diagnosis]:
    """Report memories replaced by one that does not exist, and changes of memories that do not exist."""
    loose = [row[0] for row in database.rows(_LOOSE)]
    orphans = int(
        database.value("SELECT count(DISTINCT memory_id) FROM changes WHERE memory_id NOT IN (SELECT id FROM memories)")
    )
    events = [row[0] for row in database.rows("SELECT DISTINCT event FROM changes") if row[0] not in set(Event)]
    if events:
        yield problem("versions", f"Unknown events in the history: {_first(events)}.", restore(database.path))
    if loose:
        yield warning("versions", f"Replaced by a memory that is missing: {_first(loose)}.", _show(loose[0]))
    if orphans:
        yield warning("versions", f"The history tells of {pluralize(orphans)} missing here.", restore(database.path))
    if not (loose or orphans or events):
        yield ok("versions", "Every version leads to the next.")


_LOOSE = "SELECT id FROM memories WHERE superseded_by IS NOT NULL AND superseded_by NOT IN (SELECT id FROM memories)"


def _show(memory_id: str) -> str:
    return f"memchat memories show {memory_id}"


# What is still to be done.


def _waiting(database: Database) -> Iterator[Diagnosis]:
    states = {row[0] for row in database.rows("SELECT DISTINCT state FROM work")} - set(JobState)
    if states:
        yield problem("waiting", f"Exchanges wait in an unknown state: {_first(states)}.", restore(database.path))
    rows = database.rows("SELECT user, attempts, created_at, error FROM work ORDER BY id")
    if not rows:
        yield ok("waiting", "Everything said has been learned from.")
        return
    exchanges = pluralize(len(rows), "exchange waits", "exchanges wait")
    since = f"{exchanges} to be learned from, the oldest since {rows[0]['created_at'][:16]} UTC"
    stuck = [row for row in rows if row["error"] and row["attempts"] >= STUCK]
    reasons = Counter(row["error"] for row in stuck)
    if not reasons:
        yield ok("waiting", f"{since}.")
        return
    reason, count = reasons.most_common(1)[0]
    message = f"{since}; {len(stuck)} of them keep failing, {count} with: {reason}"
    people = sorted({row["user"] for row in stuck} - {""})
    mend = "; ".join(f"memchat status --retry --user {quote(user)}" for user in people)
    yield warning("waiting", message, mend or None)


def _erasures(database: Database) -> Iterator[Diagnosis]:
    left = int(database.value("SELECT count(*) FROM erasures WHERE finished = 0"))
    if left:
        yield warning("erasures", "What was forgotten has not left all files yet: an erasure was interrupted.", FIX)
    else:
        yield ok("erasures", "Nothing that was forgotten waits to leave the files.")


def _first(found: Iterable[str]) -> str:
    named = list(found)
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return "; ".join(named[:MAX_NAMED]) + more
