"""The README keeps its word: its session is replayed, its commands exist, its Python runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from memchat.cli.main import COMMANDS, app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
JSON_PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")


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
    table = README.partition("## Commands")[2].partition("Every command but")[0]
    named = set(re.findall(r"`memchat ([a-z]+)", table)) | set(re.findall(r"`([a-z]+)(?: FILE)?`", table))
    assert set(COMMANDS) <= named
    assert set(re.findall(r"`memchat ([a-z]+)", README)) <= set(COMMANDS)


OPTIONS = {
    "--json": {"chat", "setup", "serve", "mcp"},
    "--user": {"doctor", "reindex", "backup", "serve", "tokens revoke"},
    "--agent": {"doctor", "reindex", "backup", "config", "models", "setup", "serve", "memories import", "tokens revoke"}
    | {f"sessions {name}" for name in ("show", "rename", "forget", "import")},
}
"""The options that nearly every command takes, with the commands that have no use for them."""


def commands() -> dict[str, set[str]]:
    """Every command with its options."""
    root: Any = get_command(app)
    found: dict[str, set[str]] = {}
    for name in root.list_commands(None):
        command = root.get_command(None, name)
        for path, one in {
            name: command,
            **{f"{name} {n}": c for n, c in getattr(command, "commands", {}).items()},
        }.items():
            if not hasattr(one, "commands"):
                found[path] = {option for parameter in one.params for option in parameter.opts}
    return found


@pytest.mark.parametrize("option", OPTIONS)
def test_the_common_options_are_where_the_readme_says(option: str) -> None:
    """Every command takes them but those to which they mean nothing."""
    assert {path for path, options in commands().items() if option not in options} == OPTIONS[option]


def test_the_filters_are_where_the_readme_says() -> None:
    """Metadata and categories narrow down what is listed, searched, exported and forgotten."""
    filtered = {"forget", "memories forget", "memories list", "memories search", "memories export"}
    for option in ("--where", "--category"):
        assert {path for path, options in commands().items() if option in options} - {"memories add"} == filtered


def keys_documented() -> dict[str, set[str]]:
    """The keys of the page's table by the command that adds them, and of the objects within by their key."""
    found: dict[str, set[str]] = {"list": set(), "search": set(), "show": set()}
    table = JSON_PAGE.partition("| keys | |")[2]
    for names, about in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE):
        keys = re.findall(r"`(\w+)`", names)
        adds = re.match(r"`(search|show)`:", about)
        found[adds[1] if adds else "list"].update(keys)
        for within in re.findall(r"`(\{.*?\})`", about):
            found[keys[-1]] = set(re.findall(r'"(\w+)"', within))
    return found


def test_the_json_keys_are_those_the_page_names(environment: dict[str, str], tmp_path: Path) -> None:
    """Of list, search and show, and of the objects within them."""

    def memchat(*arguments: str) -> Any:
        command = [sys.executable, "-m", "memchat", *arguments, "--json"]
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return json.loads(ran.stdout)

    memchat("ask", "I live in Berlin.", "--meta", "order_id=4821")
    documented = keys_documented()
    (listed,) = memchat("memories", "list")
    assert listed.keys() == documented["list"]
    for key in ("owner", "evidence"):
        assert listed[key].keys() == documented[key]
    (found,) = memchat("memories", "search", "Berlin")
    assert found.keys() == documented["list"] | documented["search"]
    shown = memchat("memories", "show", listed["id"])
    assert shown.keys() == documented["list"] | documented["show"]
    assert shown["conversation"].keys() == documented["conversation"]
    assert shown["changes"][0].keys() == documented["changes"]


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
