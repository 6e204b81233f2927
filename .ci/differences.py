"""Print which versions and which outcomes of tests differ between runs; exit with 1 where a test failed.

    python .ci/differences.py pyproject.toml RUN…

A run is a folder with `versions` as `pip freeze` prints them and `tests.xml` as pytest writes it.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

PIN = re.compile(r"^([\w.-]+)==(\S+)")
ABSENT = "-"


def main(pyproject: Path, runs: Sequence[Path]) -> int:
    """Compare all runs; the versions also with those that are pinned."""
    pins = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["dev"]
    found = {run.name: versions((run / "versions").read_text(encoding="utf-8").splitlines()) for run in runs if ok(run)}
    print("\n== Versions that differ")
    show({"pinned": versions(pins), **found}, unless=lambda row: len({*row.values()} - {ABSENT}) < 2)
    results = {run.name: outcomes(run / "tests.xml") for run in runs if ok(run)}
    print("\n== Tests that differ")
    show(results, unless=lambda row: len({*row.values()}) == 1)
    print("\n== Tests that fail everywhere")
    show(results, unless=lambda row: {*row.values()} != {"failed"})
    print("\n== Counts")
    for name, tests in results.items():
        counts = {outcome: list(tests.values()).count(outcome) for outcome in ("passed", "failed", "skipped")}
        print(name, *(f"{count} {outcome}" for outcome, count in counts.items()))
    broken = [run.name for run in runs if not ok(run)]
    for name in broken:
        print(name, "did not run")
    return 1 if broken or any("failed" in tests.values() for tests in results.values()) else 0


def ok(run: Path) -> bool:
    """Whether the run got as far as its tests."""
    return (run / "tests.xml").exists()


def versions(lines: Sequence[str]) -> dict[str, str]:
    """Versions by normalized package name."""
    pins = (PIN.match(line) for line in lines)
    return {re.sub(r"[-_.]+", "-", pin[1]).lower(): pin[2] for pin in pins if pin}


def outcomes(file: Path) -> dict[str, str]:
    """`passed`, `failed` or `skipped` by test."""
    found = {}
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def show(columns: Mapping[str, Mapping[str, str]], unless: Callable[[dict[str, str]], bool]) -> None:
    """One line a name with the value in each column."""
    for name in sorted({name for column in columns.values() for name in column}):
        row = {title: column.get(name, ABSENT) for title, column in columns.items()}
        if not unless(row):
            print(f"{name}: " + ", ".join(f"{title} {value}" for title, value in row.items()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]]))
