"""The README keeps its word: its session is replayed, its commands exist, its Python runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memchat.cli.program import COMMANDS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def session() -> list[tuple[str, str]]:
    """The commands of the console block with the output under each."""
    parts = re.split(r"^\$ ", blocks("console")[0], flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def matches(expected: str, found: str) -> bool:
    """Whether `found` is what the README shows, where "..." stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, found.strip(), re.DOTALL) is not None


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> dict[str, str]:
    """An empty home, no keys, and the program of this very checkout under its name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "memchat"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m memchat "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    kept.pop("MEMCHAT_MODEL", None)
    return {**kept, "PATH": f"{folder}:{os.environ['PATH']}", "OLLAMA_API_BASE": "http://127.0.0.1:9"}


def test_the_session_shown_is_the_session_one_gets(environment: dict[str, str], tmp_path: Path) -> None:
    """Every command of the README's session, one after the other in an empty home, prints what is shown."""
    shown = session()
    assert len(shown) >= 5
    for command, output in shown:
        ran = subprocess.run(
            command, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert matches(output, ran.stdout), f"$ {command}\n{ran.stdout}"


def test_every_command_named_exists_and_every_command_is_named() -> None:
    """The table of commands and the program agree."""
    table = README.partition("## Commands")[2].partition("Commands that read")[0]
    named = set(re.findall(r"`memchat ([a-z]+)", table)) | set(re.findall(r"`([a-z]+)(?: FILE)?`", table))
    assert set(COMMANDS) <= named
    assert set(re.findall(r"`memchat ([a-z]+)", README)) <= set(COMMANDS)


def test_the_python_shown_runs(environment: dict[str, str], tmp_path: Path) -> None:
    """The library's example finds both facts with the offline model."""
    ran = subprocess.run(
        [sys.executable, "-c", blocks("python")[0]],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "vegetarian" in ran.stdout
    assert "Berlin" in ran.stdout


def test_the_two_commands_come_first() -> None:
    """The main job and the tests are the first two code blocks; the check script runs the second."""
    first, second = blocks("sh")[:2]
    assert first.strip() == "pip install . && memchat chat --user alice"
    assert second.strip() == "pip install -e '.[dev]' && pytest -n auto"
