import multiprocessing
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import End
from memchat.errors import StoreBusy, StoreError, StoreTooNew, UsageError
from memchat.storage.database import Database
from memchat.storage.migrations import MIGRATIONS
from memchat.storage.position import begin_epoch, position
from memchat.storage.store import Store
from tests.conftest import FINGERPRINT
from tests.storage.memory_factories import ALICE, add, apply, holding, say, texts

LATER = (*MIGRATIONS, ("a table more", "CREATE TABLE later (word TEXT) STRICT;\nINSERT INTO later VALUES ('new');"))
PROCESSES = 8


def now() -> datetime:
    return datetime.now(UTC)


def opened(path: Path) -> Store:
    return Store(path, now, FINGERPRINT)


def meet_and_open(paths: list[Path], barrier: Barrier, migrations: tuple[tuple[str, str], ...]) -> None:
    for path in paths:
        barrier.wait()
        with Database(path, migrations) as database, database.transaction():
            database.execute("INSERT INTO owners (kind, name) VALUES ('opened', ?)", (str(os.getpid()),))


def all_at_once(paths: list[Path], migrations: tuple[tuple[str, str], ...]) -> None:
    """Let PROCESSES open each file in the same moment."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    crowd = [context.Process(target=meet_and_open, args=(paths, barrier, migrations)) for _ in range(PROCESSES)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join()
    assert [process.exitcode for process in crowd] == [0] * PROCESSES


# Opening and migrating.


def test_processes_that_open_a_new_file_at_once_make_it_once(home: Path) -> None:
    """None is told that the database is locked, and all find the same tables."""
    paths = [home / f"{number}.db" for number in range(30)]
    all_at_once(paths, MIGRATIONS)
    for path in paths:
        with Database(path) as database:
            assert database.value("SELECT count(*) FROM owners WHERE kind = 'opened'") == PROCESSES
            assert database.value("PRAGMA integrity_check") == "ok"


def test_processes_that_open_an_older_file_at_once_migrate_it_once(home: Path) -> None:
    """The migration runs once, and the copy beside it is of the time before."""
    path = home / "memchat.db"
    with opened(path) as store:
        add(store, "User likes tea")
    all_at_once([path], LATER)
    with Database(path, LATER) as database:
        assert [row["word"] for row in database.rows("SELECT word FROM later")] == ["new"]
        assert database.value("SELECT count(*) FROM owners WHERE kind = 'opened'") == PROCESSES
    copies = sorted(copy.name for copy in home.iterdir() if "version" in copy.name)
    assert copies == [f"memchat.db.version{len(MIGRATIONS)}"]
    with opened(home / copies[0]) as former:
        assert texts(former) == ["User likes tea"]
        assert former.database.value("SELECT count(*) FROM owners WHERE kind = 'opened'") == 0


def test_an_older_file_is_copied_before_it_is_changed(home: Path) -> None:
    """A migration that fails leaves the file as it was, with the copy beside it."""
    path = home / "memchat.db"
    with opened(path) as store:
        add(store, "User likes tea")
    broken = (*LATER, ("broken", "CREATE TABLE more (word TEXT) STRICT;\nSELECT nonsense;"))
    with pytest.raises(StoreError):
        Database(path, broken)
    with opened(path) as store:
        assert texts(store) == ["User likes tea"]
        assert store.database.value("SELECT count(*) FROM sqlite_master WHERE name IN ('later', 'more')") == 0
    assert stat.S_IMODE((home / f"memchat.db.version{len(MIGRATIONS)}").stat().st_mode) == 0o600


def test_words_written_by_the_first_version_are_found(home: Path) -> None:
    """That one marked an owner's memories by one word in front of all the others."""
    now, then = home / "now.db", home / "memchat.db"
    with opened(now) as store:
        memories = [add(store, text) for text in ("User likes tea", "?!", "Alice fährt nach 日本")]
        terms = [row["terms"] for row in store.database.rows("SELECT terms FROM words ORDER BY rowid")]
    with Database(then, MIGRATIONS[:1]) as database:
        copy_rows(now, database, ("owners", "memories"))
        for row in (*terms, ""):
            former = " ".join(["_1", *(word.removeprefix("_1_") for word in row.split())])
            database.execute("INSERT INTO words (terms) VALUES (?)", (former,))
    with opened(then) as store:
        assert [row["terms"] for row in store.database.rows("SELECT terms FROM words ORDER BY rowid")] == [*terms, ""]
        for word, memory in (("teas", memories[0]), ("日本", memories[2])):
            assert store.memories.keyword_search(MemoryFilter((ALICE,)), [word], 5) == [memory.id]


def test_work_left_by_a_former_version_is_its_persons(home: Path) -> None:
    """That one did not write down whose it is."""
    now, then = home / "now.db", home / "memchat.db"
    with opened(now) as store:
        asked = {user: say(store, "I like tea", user=user) for user in ("alice", "bob")}
    with Database(then, MIGRATIONS[:2]) as database:
        copy_rows(now, database, ("sessions", "messages", "work"))
    with opened(then) as store:
        for user, message in asked.items():
            work = store.work.claim(user)
            assert work is not None
            assert work.user_message_id == message.id
            assert store.work.claim(user) is None


def test_a_planned_end_that_a_former_version_wrote_into_a_sentence_is_kept(home: Path) -> None:
    """It can be taken up again, and the reason is left without it; a reason that only resembles it is left alone."""
    now, then = home / "now.db", home / "memchat.db"
    with opened(now) as store:
        memories = [add(store, f"User is in Paris {n}", valid_to=date(2027, 5, 1)) for n in range(4)]
        for memory in memories:
            apply(store, End(memory.id, date(2026, 3, 1)))
    reasons = (
        "it was to end on 2027-05-01",
        "said to be over; it was to end on 2027-05-01",
        "said to be over",
        "so; it was to end on someday-or-1",
    )
    with Database(then, MIGRATIONS[:6]) as database:
        copy_rows(now, database, ("owners", "memories", "changes"))
        for memory, reason in zip(memories, reasons, strict=True):
            database.execute("UPDATE changes SET reason = ? WHERE memory_id = ? AND event = 'END'", (reason, memory.id))
    with opened(then) as store:
        left = [store.memories.history(memory)[-1].reason for memory in memories]
        assert left == ["", "said to be over", "said to be over", "so; it was to end on someday-or-1"]
        ends = [store.memories.unend(memory).valid_to for memory in memories]
    assert ends == [date(2027, 5, 1), date(2027, 5, 1), None, None]


def test_the_first_epoch_follows_a_former_versions_last_erasure(home: Path) -> None:
    """An index that was closed by that version still counts as being of this state of the database."""
    path = home / "memchat.db"
    with Database(path, MIGRATIONS[:6]) as database:
        for _ in range(3):
            database.execute("INSERT INTO erasures (asked_at) VALUES ('2026-03-01T12:00:00.000000Z')")
    with Database(path) as database, database.transaction():
        assert position(database).epoch == 3
        assert begin_epoch(database) == 4


def copy_rows(source: Path, target: Database, tables: Sequence[str]) -> None:
    """Into tables of an older schema, which has fewer columns."""
    target.execute("ATTACH ? AS source", (str(source),))
    for table in tables:
        columns = ", ".join(row["name"] for row in target.rows(f"PRAGMA main.table_info({table})"))
        target.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM source.{table}")


def test_a_file_of_a_newer_version_is_refused_and_left_alone(home: Path) -> None:
    """With a sentence that says what to do."""
    path = home / "memchat.db"
    Database(path, LATER).close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="newer memchat") as raised:
        Database(path)
    assert "upgrade" in (raised.value.hint or "").lower()
    assert path.read_bytes() == before


def test_only_its_owner_may_read_what_is_kept(home: Path) -> None:
    """The folder is 0700 and every file in it 0600, whatever the umask, those SQLite makes included."""
    before = os.umask(0)
    try:
        with opened(home / "memchat.db") as store:
            say(store, "I like tea")
            store.database.backup(home / "copy.db")
            files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("memchat.db", "memchat.db-wal", "memchat.db-shm", "copy.db"), 0o600)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_backup_is_complete_while_others_write(home: Path) -> None:
    """The copy is sound, and what was acknowledged before it began is in it."""
    with opened(home / "memchat.db") as store:
        say(store, "before")
        stop = threading.Event()
        writer = threading.Thread(target=write_until, args=(home / "memchat.db", stop))
        writer.start()
        try:
            for number in range(3):
                store.database.backup(home / f"{number}.db")
        finally:
            stop.set()
            writer.join()
    for number in range(3):
        with opened(home / f"{number}.db") as copy:
            assert copy.database.value("PRAGMA integrity_check") == "ok"
            assert copy.conversations.recent_user_messages("alice", 100_000)[-1] == "before"


def write_until(path: Path, stop: threading.Event) -> None:
    with opened(path) as store:
        while not stop.is_set():
            say(store, "meanwhile")


# What goes wrong.


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def text_file(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def overwritten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : len(content) - 100] = os.urandom(len(content) - 4196)
    path.write_bytes(bytes(content))


def use(path: Path) -> None:
    with opened(path) as store:
        store.memories.memories(MemoryFilter((ALICE,)))
        store.conversations.sessions("alice")
        add(store, "one more")


@pytest.mark.parametrize("damage", [zeroed, text_file, cut_short, overwritten])
def test_a_damaged_file_is_said_to_be_damaged(home: Path, damage: Callable[[Path], None]) -> None:
    """A sentence with the file's name, at the opening or at the first read; never an error of SQLite's."""
    path = home / "memchat.db"
    with opened(path) as store:
        for number in range(50):
            add(store, f"fact {number}")
            say(store, f"message {number}")
    damage(path)
    with pytest.raises(StoreError, match=r"memchat\.db") as raised:
        use(path)
    assert raised.value.hint


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs the list of open files")
def test_a_file_that_cannot_be_opened_is_closed_again(home: Path) -> None:
    """While the error is still held, no connection to the file is left."""
    path = home / "memchat.db"
    path.parent.mkdir(exist_ok=True)
    text_file(path)
    with pytest.raises(StoreError):
        Database(path)
    assert not [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.samefile(path)]


def test_a_folder_in_the_place_of_the_file_is_said_so(home: Path) -> None:
    """Nothing of SQLite's or the system's comes through."""
    (home / "memchat.db").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"memchat\.db"):
        opened(home / "memchat.db")


def test_a_file_in_the_place_of_the_folder_is_said_so(home: Path) -> None:
    """The same for the home itself."""
    home.write_text("")
    with pytest.raises(StoreError):
        opened(home / "memchat.db")


@pytest.fixture
def open_to_all() -> Generator[Path]:
    """A folder that every user of this machine may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


READ_ONLY = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from memchat.errors import StoreError
from memchat.storage.database import Database
if os.getuid() == 0:
    os.setuid(65534)
try:
    Database(Path(sys.argv[1]))
except StoreError as error:
    print(error.message)
"""


def test_a_read_only_folder_without_a_database_is_said_to_be_one(open_to_all: Path) -> None:
    """A database cannot be made in it."""
    path = open_to_all / "home" / "memchat.db"
    path.parent.mkdir()
    path.parent.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", READ_ONLY, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "memchat.db" in done.stdout
    assert "written" in done.stdout


READING = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from memchat.core.conditions import parse_condition
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner
from memchat.errors import StoreError
from memchat.storage.database import Database
from memchat.storage.memory_reader import MemoryReader
if os.getuid() == 0:
    os.setuid(65534)
with Database(Path(sys.argv[1])) as database:
    print(database.read_only, database.value("SELECT count(*) FROM memories"))
    view = MemoryFilter((Owner.user("alice"),), condition=parse_condition({"category": {"ne": "place"}}))
    print(len(MemoryReader(database, lambda: datetime.now(UTC), "").memories(view)))
    try:
        database.execute("DELETE FROM memories")
    except StoreError as error:
        print(error.message)
"""


@pytest.mark.parametrize("writable", ["", "home", "home/memchat.db"])
def test_a_database_that_may_not_be_written_is_read(open_to_all: Path, writable: str) -> None:
    """On a read-only disk, or of another user; writing is what is refused."""
    path = open_to_all / "home" / "memchat.db"
    path.parent.mkdir()
    with opened(path) as store:
        add(store, "User likes tea.")
    path.chmod(0o444)
    path.parent.chmod(0o555)
    if writable:
        (open_to_all / writable).chmod(0o777)
    done = subprocess.run([sys.executable, "-c", READING, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("True 1\n1\n")
    assert "cannot be written" in done.stdout


FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from memchat.errors import StoreError
from memchat.storage.store import Store
from tests.storage.memory_factories import add, say
path, limit = Path(sys.argv[1]), int(sys.argv[2])
with Store(path, lambda: datetime.now(UTC), "test/24") as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    failures = 0
    for number in range(2000):
        try:
            say(store, f"message {number} " + "x" * 500)
            print("said", number)
            add(store, f"fact {number}")
            print("known", number)
        except StoreError as error:
            failures += 1
            print("failed", error.message)
            if failures > 3:
                break
"""


@pytest.mark.parametrize("kilobytes", [250, 400, 1000, 3000])
def test_a_full_disk_loses_nothing_that_was_acknowledged(home: Path, kilobytes: int) -> None:
    """Every failure is a clear sentence; afterwards the database is sound and can be written again."""
    path = home / "memchat.db"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(kilobytes * 1024)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    words = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    failures = [rest for kind, rest in words if kind == "failed"]
    assert failures
    assert all("No room left" in failure for failure in failures)
    with opened(path) as store:
        assert store.database.value("PRAGMA integrity_check") == "ok"
        said = {text.split(" x")[0] for text in store.conversations.recent_user_messages("alice", 10_000)}
        assert {f"message {rest}" for kind, rest in words if kind == "said"} <= said
        assert {f"fact {rest}" for kind, rest in words if kind == "known"} <= set(texts(store))
        say(store, "room again")


def test_a_database_that_somebody_holds_for_too_long_is_said_to_be_busy(home: Path) -> None:
    """The wait is bounded."""
    with opened(home / "memchat.db") as store, closing(sqlite3.connect(home / "memchat.db")) as other:
        store.database.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            say(store, "I like tea")
        other.execute("ROLLBACK")
        say(store, "I like tea")


def test_a_failure_inside_a_transaction_takes_all_of_it_back(store: Store) -> None:
    """Nested uses belong to the outer one."""
    database = store.database

    def fail() -> None:
        with database.transaction():
            database.execute("INSERT INTO owners VALUES (1, 'user', 'a')")
            with database.transaction():
                database.execute("INSERT INTO owners VALUES (2, 'user', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.rows("SELECT * FROM owners") == []


@pytest.mark.parametrize(("value", "why"), [("\ud800", "Unicode"), (1 << 63, "number")])
def test_what_sqlite_cannot_take_is_refused_in_our_words(store: Store, value: object, why: str) -> None:
    """Half of a surrogate pair in a name, a number that only Python has."""
    with pytest.raises(UsageError, match=why):
        store.database.value("SELECT ?", (value,))


# Compacting.


def read_until(path: Path, stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        with opened(path) as store:
            while not stop.is_set():
                assert len(store.memories.memories(MemoryFilter((ALICE,)))) >= 200
    except BaseException as error:
        failures.append(error)


def test_the_file_is_compacted_while_others_read_and_write(home: Path) -> None:
    """It waits for a gap; nobody is disturbed, and what was deleted has left the disk."""
    path = home / "memchat.db"
    with opened(path) as store:
        memories = [add(store, f"fact {number}") for number in range(200)]
        gone = add(store, "a perfectly unmistakable sentence")
        stop, failures = threading.Event(), list[BaseException]()
        others = [threading.Thread(target=read_until, args=(path, stop, failures)) for _ in range(2)]
        others.append(threading.Thread(target=write_until, args=(path, stop)))
        for thread in others:
            thread.start()
        try:
            for _ in range(3):
                store.eraser.erase([gone.id])
                store.database.compact()
                assert holding(home, "a perfectly unmistakable sentence") == {}
                gone = add(store, "a perfectly unmistakable sentence")
        finally:
            stop.set()
            for thread in others:
                thread.join()
        assert failures == []
        assert len(texts(store)) == len(memories) + 1


def test_compacting_gives_up_on_a_reader_that_never_leaves(home: Path) -> None:
    """After the patience it was given, in a sentence that says when it will be done."""
    with opened(home / "memchat.db") as store, closing(sqlite3.connect(home / "memchat.db")) as reader:
        add(store, "User likes tea")
        store.database.execute("PRAGMA busy_timeout = 20")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memories").fetchone()
        with pytest.raises(StoreBusy, match="deleted data"):
            store.database.compact(patience_s=0.2)
        reader.execute("ROLLBACK")
        store.database.compact()
