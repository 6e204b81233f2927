"""One SQLite file, only its owner may read it (0600): opened, migrated forward, its errors translated.

WAL with `synchronous=NORMAL`: an acknowledged write survives the death of the process at any moment. A power cut can
lose the last moments but never the file's integrity.
"""

import glob
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Generator, Iterable, Sequence, Sized
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from memchat.core.names import composed, composed_id
from memchat.core.protocols import Progress, no_progress
from memchat.errors import StoreBusy, StoreError, StoreTooNew, UsageError
from memchat.private_files import private_folder
from memchat.storage.fulltext import stored_terms
from memchat.storage.metadata_filter import metadata_contains, satisfies
from memchat.storage.migrations import MIGRATIONS

log = logging.getLogger(__name__)

DATABASE = "memchat.db"
"""The file's name in memchat's home."""
BUSY_TIMEOUT_S = 10.0
COMPACT_TIMEOUT_S = 30.0
"""Time that `compact` waits for a moment without readers, in seconds."""
RETRY_S = 0.05
PAGES_AT_ONCE = 1_024
"""Pages of the database that a copy writes between two reports of its progress."""


class Database:
    """One connection to the database. Threads do not share it: each opens its own."""

    def __init__(self, path: Path, migrations: Sequence[tuple[str, str]] = MIGRATIONS) -> None:
        self.path = path
        self._migrations = migrations
        exists, index = path.exists(), path.with_name("index")
        self.read_only = exists and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        with translate_errors(path):
            if not self.read_only:
                private_folder(path.parent)
            # An index of the database's content: the file cannot be empty.
            self._once_held = exists and index.is_dir() and any(index.iterdir())
            if self._once_held and not path.stat().st_size:
                raise _emptied(path)
            self._connection = _connect(address_to_read(path), uri=True) if self.read_only else _connect(str(path))
            try:
                if not self.read_only:
                    _prepare_writing(self._connection, path)
                self._migrate()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with translate_errors(self.path):
            return self._connection.execute(sql, tuple(parameters)).fetchall()

    def row(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with translate_errors(self.path):
            found: sqlite3.Row | None = self._connection.execute(sql, tuple(parameters)).fetchone()
            return found

    def value(self, sql: str, parameters: Iterable[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        found = self.row(sql, parameters)
        return None if found is None else found[0]

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run one statement. Returns how many rows it changed."""
        with translate_errors(self.path):
            return self._connection.execute(sql, tuple(parameters)).rowcount

    def insert(self, sql: str, parameters: Iterable[Any] = ()) -> int:
        """Run one INSERT. Returns the new row's number."""
        with translate_errors(self.path):
            return int(self._connection.execute(sql, tuple(parameters)).lastrowid or 0)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Open a write transaction: all of it or nothing. Nested uses join the outer one."""
        nested = self._connection.in_transaction
        if nested:
            yield
            return
        with translate_errors(self.path):
            # Begun inside the try: a Ctrl-C must not leave it open, since all later ones would join it and be lost.
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _migrate(self) -> None:
        if self._version() == len(self._migrations):
            return
        if self.read_only:
            message = f"{self.path} was written by an older memchat and is not writable, so it cannot be upgraded."
            raise StoreError(message, hint="Copy it to a folder of your own, and set MEMCHAT_HOME to that.")
        # Only one process gets into the transaction; the others then find the work done.
        with self.transaction():
            version = self._version()
            if version == 0 and self._once_held:
                raise _emptied(self.path)
            if 0 < version < len(self._migrations):
                # Read through another connection, because a writing one cannot be copied from.
                with closing(sqlite3.connect(self.path)) as unchanged:
                    _copy(unchanged, self.path.with_name(f"{self.path.name}.version{version}"))
            for name, script in self._migrations[version:]:
                log.info("migrating: %s", name)
                for statement in _statements(script):
                    self.execute(statement)
            self.execute(f"PRAGMA user_version = {len(self._migrations)}")

    def _version(self) -> int:
        """Return how many migrations were applied to the file. Raises StoreTooNew for more than this program knows."""
        version = int(self.value("PRAGMA user_version"))
        if version > len(self._migrations):
            raise StoreTooNew(
                f"{self.path} was written by a newer memchat: "
                f"its version is {version}, this one knows {len(self._migrations)}.",
                hint="Upgrade memchat: pip install --upgrade memchat",
            )
        return version

    def backup(self, destination: Path, on_progress: Progress = no_progress) -> None:
        """Make a consistent copy while others may read and write. The destination is replaced as a whole."""
        with translate_errors(destination):
            _copy(self._connection, destination, on_progress)

    def former_versions(self) -> list[Path]:
        """List the copies that migrations kept, finished or not."""
        return sorted(self.path.parent.glob(f"{glob.escape(self.path.name)}.version*"))

    def compact(self, patience_s: float = COMPACT_TIMEOUT_S) -> None:
        """Rewrite the file without its free pages and empty the write-ahead log, so that deleted data leaves the disk.

        Waits for readers and writers; raises StoreBusy when they leave no gap for `patience_s` seconds.
        """
        deadline = time.monotonic() + patience_s
        left = [
            "INSERT INTO words (words) VALUES ('optimize')",
            "INSERT INTO message_words (message_words) VALUES ('optimize')",
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ]
        while left:
            try:
                # A checkpoint that was blocked succeeds, and says so in its first column.
                if self.value(left[0]):
                    raise StoreBusy(
                        f"Another memchat is using {self.path}, so the deleted data is still on the disk.",
                        hint="The deletion is completed at the next start.",
                    )
                del left[0]
            except StoreBusy:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(RETRY_S)


def placeholders(values: Sized) -> str:
    """Return SQL's placeholders for `values`: "?,?,?"."""
    return ",".join("?" * len(values))


def _copy(source: sqlite3.Connection, destination: Path, on_progress: Progress = no_progress) -> None:
    """Copy a database completely or not at all."""
    part = destination.with_name(f"{destination.name}.{os.getpid()}.part")
    # Created with its mode, which is safe only while no connection of this process has it open: closing a descriptor
    # releases SQLite's locks on the file for all of them.
    os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        with closing(sqlite3.connect(part)) as target, _unchanging(source):
            source.backup(target, pages=PAGES_AT_ONCE, progress=lambda _, left, total: on_progress(total - left, total))
        part.replace(destination)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _unchanging(source: sqlite3.Connection) -> Generator[None]:
    """Hold a read transaction: a copy made in steps would begin again with every write of another process."""
    if source.in_transaction:
        yield
        return
    source.execute("BEGIN")
    try:
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield
    finally:
        source.execute("ROLLBACK")


def _emptied(path: Path) -> StoreError:
    """Refuse a file without content: SQLite would take it for a new database."""
    return StoreError(
        f"{path} is empty although it contained memories: it is damaged.",
        hint=f"Replace it with a backup, or start over without it: rm {path}",
    )


def remove_folder(path: Path) -> None:
    """Remove a folder with its content; a missing one is fine."""
    shutil.rmtree(path, ignore_errors=False, onerror=_unless_missing)


def _unless_missing(function: object, path: str, info: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]


def address_to_read(path: Path) -> str:
    """Return the address of a database on a read-only disk, or of another user: a backup, a mounted image.

    Without a write-ahead log beside it no process writes to it, and SQLite needs no files of its own there.
    """
    log_file = path.with_name(f"{path.name}-wal")
    unchanging = not log_file.exists() or not log_file.stat().st_size
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if unchanging else ''}"


def _connect(address: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=uri
    )
    connection.row_factory = sqlite3.Row
    connection.create_function("holds", 2, metadata_contains, deterministic=True)
    connection.create_function("satisfies", -1, satisfies, deterministic=True)
    return connection


def _prepare_writing(connection: sqlite3.Connection, path: Path) -> None:
    # SQLite creates the file if it is new; the files beside it take over its mode.
    connection.execute("SELECT count(*) FROM sqlite_schema")
    if path.stat().st_mode & 0o077 and not path.stat().st_size:
        path.chmod(0o600)
    connection.create_function("terms_of_memory", 4, stored_terms, deterministic=True)
    connection.create_function("composed", 1, composed, deterministic=True)
    connection.create_function("composed_id", 1, composed_id, deterministic=True)
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    # SQLite does not wait its busy timeout here when several processes open a new file at once.
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_S)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _statements(script: str) -> list[str]:
    statements, current = [], ""
    for line in script.splitlines():
        current += line + "\n"
        if sqlite3.complete_statement(current):
            statements.append(current.strip())
            current = ""
    return statements


@contextmanager
def translate_errors(path: Path) -> Generator[None]:
    """Translate errors of SQLite and the file system into `StoreError`s."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(error, path) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError):
            raise
        raise _damaged(path, str(error)) from error
    except UnicodeDecodeError as error:
        # What SQLite complains of is itself no text any more.
        raise _damaged(path, "it contains invalid text") from error
    except UnicodeEncodeError as error:
        raise UsageError(f"{error.object!r} is not valid Unicode, so it cannot be used as a name.") from error
    except OverflowError as error:
        raise UsageError("A number is too large to be stored or looked up.") from error
    except PermissionError as error:
        raise StoreError(f"{path} may not be written: {error.strerror}.", hint="Check MEMCHAT_HOME.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror or error}.", hint="Check MEMCHAT_HOME.") from error


def _damaged(path: Path, how: str) -> StoreError:
    return StoreError(
        f"{path} is damaged: {how}.",
        hint="Run memchat doctor to see what is lost, or restore a backup.",
    )


def _operational(error: sqlite3.OperationalError, path: Path) -> StoreError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreBusy(f"{path} is in use by another program.", hint="Try again in a moment.")
    if "readonly" in text or "unable to open" in text:
        return StoreError(f"{path} cannot be written: {text}.", hint="Check its permissions, or set MEMCHAT_HOME.")
    if "full" in text or "disk I/O" in text:
        return StoreError(f"No room left for {path}: {text}.", hint="Free some disk space; nothing saved is lost.")
    if "decode" in text:
        # SQLite would quote what was stored.
        return _damaged(path, "it contains invalid text")
    return StoreError(f"{path} cannot be used: {text}.", hint="memchat doctor looks for the cause.")
