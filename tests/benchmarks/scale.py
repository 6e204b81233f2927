"""Scale: what recall, storing, listing and starting cost with 1,000, 10,000 and 100,000 memories of one user, and with
1,000 users of 100 each.

    export OPENBLAS_NUM_THREADS=1
    python -m tests.benchmarks.scale [--sizes 1000,10000,100000] [--users 1000] [--runs 5] [--keep FOLDER]

How the stores are filled says `synthetic.py`. Every measurement is made in a process of its own (`scale_worker.py`):
one that scans exactly, and one that owns the index, built before by what `memchat reindex` runs. Recall is the whole
of it: embedding the request, both kinds of candidates, ranking, cutting to five. "Store" is embedding one learned fact
with its cues and writing it to disk. "List" is the CPU of `memchat memories list`, "start" the CPU of `memchat chat`
in a pseudo-terminal until a key is echoed. Resident memory is that of a chat-like process after 200 recalls, 30 facts
and 5 turns. "index r@10" is how much of the true ten nearest the index finds, "same top 5" how much of the five that
whole recall returns is the same through the index and through the scan.

The many users share one store as under `serve`: none has 1,000 memories, so all are scanned exactly. Each request there
is another user's. 100,000 memories take some 15 minutes and 2 GB of disk.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from memchat.app import App
from memchat.config import Settings
from tests.benchmarks.measure import command_cpu_s, conditions, disk_mb, spread
from tests.benchmarks.startup import USER, environment, until_keys
from tests.benchmarks.synthetic import Pool
from tests.benchmarks.tables import table

EACH = 100
SERVED_FROM = 1_000
"""From how many memories on `serve` indexes an owner."""

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """What one store came to: measured by scanning, with the index (where it has one), and from outside."""

    name: str
    scan: Found
    index: Found
    outside: dict[str, float]


def one_user(pool: Pool, home: Path, size: int, runs: int) -> Column:
    with App(Settings(home, USER)) as app:
        filled = _seconds(lambda: pool.fill(app.store, USER, size))
        _say(f"{size} memories filled in {filled:.0f} s")
        built = _seconds(lambda: app.engine.rebuild_index(app.fingerprint))
        _say(f"the index built in {built:.0f} s")
    outside = {"fill": filled, "build": built, "index": disk_mb(home / "index"), **_outside(home, runs)}
    scan = _worker(home, [USER])
    return Column(f"{size:,}", scan, _worker(home, [USER], "--index"), outside)


def many_users(pool: Pool, home: Path, users: int, runs: int) -> Column:
    names = [USER, *(f"user{number}" for number in range(1, users))]
    with App(Settings(home, USER)) as app:
        filled = sum(_seconds(partial(pool.fill, app.store, name, EACH, seed)) for seed, name in enumerate(names))
    _say(f"{users} users filled in {filled:.0f} s")
    found = _worker(home, names, "--index-from", str(SERVED_FROM))
    return Column(f"{users:,} × {EACH}", found, {}, {**_outside(home, runs), "fill": filled})


def _worker(home: Path, users: list[str], *options: str) -> Found:
    command = [sys.executable, "-m", "tests.benchmarks.scale_worker", str(home), *users, *options]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Found = json.loads(answer.stdout)
    return found


def _outside(home: Path, runs: int) -> dict[str, float]:
    listing = [str(Path(sys.executable).with_name("memchat")), "memories", "list"]
    env = environment(home)
    return {
        "list": median(command_cpu_s(listing, env) * 1000 for _ in range(runs)),
        "start": median(until_keys(home)[0] for _ in range(runs)),
        "database": disk_mb(home / "memchat.db"),
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


def _number(found: dict[str, Any], name: str, digits: int = 0) -> str:
    return f"{found[name]:.{digits}f}" if name in found else "–"


def _spread(found: Found, name: str) -> str:
    return spread(found.get(name, ()))


LINES: list[tuple[str, Callable[[Column], str]]] = [
    ("recall, exact scan: ms median / p95", lambda c: _spread(c.scan, "recall_ms")),
    ("recall, index: ms median / p95", lambda c: _spread(c.index, "recall_ms")),
    ("the same, CPU of its thread, scan: ms", lambda c: _spread(c.scan, "recall_cpu_ms")),
    ("the same, CPU of its thread, index: ms", lambda c: _spread(c.index, "recall_cpu_ms")),
    ("first recall, scan: ms", lambda c: _number(c.scan, "first_ms")),
    ("first recall, index: ms", lambda c: _number(c.index, "first_ms")),
    ("store one fact, scan: ms", lambda c: _spread(c.scan, "store_ms")),
    ("store one fact, index: ms", lambda c: _spread(c.index, "store_ms")),
    ("a turn, offline model, index: ms", lambda c: _spread(c.index, "turn_ms")),
    ("list: CPU ms", lambda c: _number(c.outside, "list")),
    ("start: CPU ms", lambda c: _number(c.outside, "start")),
    ("resident, scan: MB", lambda c: _number(c.scan, "rss_mb")),
    ("resident, index: MB", lambda c: _number(c.index, "rss_mb")),
    ("database on disk: MB", lambda c: _number(c.outside, "database")),
    ("index on disk: MB", lambda c: _number(c.outside, "index")),
    ("building the index: s", lambda c: _number(c.outside, "build")),
    ("opening the index: s", lambda c: _number(c.index, "waited_s", 1)),
    ("index r@10", lambda c: _number(c.index, "recall_at_10", 4)),
    ("same top 5", lambda c: _number(c.index, "same_top_5", 4)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="memories of one user, with commas between")
    parser.add_argument("--users", type=int, default=1_000, help="how many users with 100 memories each; 0 for none")
    parser.add_argument("--runs", type=int, default=5, help="runs of what is measured from outside")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the stores there and leave them")
    arguments = parser.parse_args()
    print(conditions())
    place = nullcontext(str(arguments.keep)) if arguments.keep else tempfile.TemporaryDirectory()
    with place as folder, App(Settings(Path(folder, "pool"), USER)) as app:
        pool = Pool(app.embedder)
        columns = [
            one_user(pool, Path(folder, str(size)), size, arguments.runs)
            for size in map(int, filter(None, arguments.sizes.split(",")))
        ]
        if arguments.users:
            columns.append(many_users(pool, Path(folder, "users"), arguments.users, arguments.runs))
    rows = [[name, *(value(column) for column in columns)] for name, value in LINES]
    print("\n" + table(["memories", *(column.name for column in columns)], rows))


if __name__ == "__main__":
    main()
