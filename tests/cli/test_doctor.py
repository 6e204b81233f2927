"""`memchat doctor` over real homes: what it finds around the database, what it mends, and what it leaves alone."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from memchat.storage.database import Database
from tests.cli.conftest import NOWHERE, ROOT, Outcome, Shell

FACTS = ("User is vegetarian", "User lives in Berlin")


def finding(outcome: Outcome, check: str) -> dict[str, Any]:
    """The worst that was found under `check`."""
    order = {"ok": 0, "warning": 1, "error": 2}
    found: list[dict[str, Any]] = [one for one in outcome.json["findings"] if one["check"] == check]
    return max(found, key=lambda one: order[one["health"]])


def examined(shell: Shell, *options: str, **env: str) -> Outcome:
    found = shell.run("doctor", "--json", *options, env=env)
    assert found.err == ""
    return found


def database(shell: Shell) -> Database:
    return Database(shell.home / "memchat.db")


def test_before_anything_is_kept_all_is_well(shell: Shell) -> None:
    """Without a home there is nothing wrong, and looking makes none."""
    found = examined(shell)
    assert found.code == 0
    assert found.json["healthy"]
    assert not shell.home.exists()


def test_a_store_in_use_is_sound(shell: Shell) -> None:
    """After some memories and a chat every check is ok, and the last line says so."""
    shell.add(*FACTS)
    assert shell.program("chat", "--model", "offline", stdin=b"I have a dog.\n").code == 0
    told = shell.run("doctor")
    assert told.code == 0
    assert told.lines[-1] == "No problems found."
    found = examined(shell)
    assert {one["health"] for one in found.json["findings"]} == {"ok"}
    assert "3 memories" in finding(found, "index")["message"]


def test_every_slip_in_the_settings_is_named_at_once(shell: Shell) -> None:
    """Other commands stop at the first one; each comes with the nearest right word, and the rest is still looked at."""
    shell.add(*FACTS)
    (shell.home / "config.toml").write_text('user = "alice"\ntop_kk = 3\n')
    found = examined(shell, MEMCHAT_TOPK="3", MEMCHAT_RETRIES="many")
    assert found.code == 1
    slips = [one for one in found.json["findings"] if one["check"] == "settings"]
    assert len(slips) == 3
    assert any("line 2" in one["message"] and "top_k" in one["mend"] for one in slips)
    assert any("MEMCHAT_TOPK" in one["message"] and "MEMCHAT_TOP_K" in one["mend"] for one in slips)
    assert any("many" in one["message"] for one in slips)
    assert finding(found, "database")["health"] == "ok"


def test_keys_are_told_by_name_and_never_shown(shell: Shell) -> None:
    """That a key is set is worth knowing; what it is, is not."""
    found = examined(shell, ANTHROPIC_API_KEY="sk-very-secret")
    assert "ANTHROPIC_API_KEY" in finding(found, "keys")["message"]
    assert "secret" not in found.out


@pytest.mark.parametrize(
    ("model", "mend"),
    [("openai/gpt-5.4-mini", "OPENAI_API_KEY"), ("ollama_chat/llama3.2", "ollama serve")],
)
def test_a_model_that_cannot_answer_is_an_error(shell: Shell, model: str, mend: str) -> None:
    """A key that is missing, an Ollama that is not running: named with what to do."""
    found = examined(shell, MEMCHAT_MODEL=model)
    assert found.code == 1
    assert finding(found, "model")["health"] == "error"
    assert mend in finding(found, "model")["mend"]


def test_a_server_of_ones_own_that_is_down_is_an_error(shell: Shell) -> None:
    """Where a server stands in for the provider, it is tried by a connection alone."""
    found = examined(shell, MEMCHAT_MODEL="openai/mine", OPENAI_API_KEY="x", OPENAI_API_BASE=NOWHERE)
    assert NOWHERE in finding(found, "model")["message"]
    assert finding(found, "model")["health"] == "error"


def test_a_litellm_that_steals_keys_is_an_error(shell: Shell, tmp_path: Path) -> None:
    """The two bad releases are named by what is installed, without loading it."""
    info = tmp_path / "first" / "litellm-1.82.8.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 1.82.8\n")
    found = shell.program("doctor", "--json", env={"PYTHONPATH": f"{info.parent}{os.pathsep}{ROOT}"})
    assert found.code == 1
    assert "steal" in finding(found, "program")["message"]


def test_what_others_could_read_is_shut(shell: Shell) -> None:
    """A home or a file open to others is a warning; --fix closes them."""
    shell.add(*FACTS)
    (shell.home / "config.toml").write_text("top_k = 4\n")
    (shell.home / "config.toml").chmod(0o644)
    shell.home.chmod(0o755)
    found = examined(shell)
    assert (found.code, finding(found, "permissions")["health"]) == (0, "warning")
    fixed = examined(shell, "--fix")
    assert finding(fixed, "permissions")["health"] == "ok"
    assert len(fixed.json["mended"]) == 1
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (shell.home, *shell.home.iterdir())}
    assert modes["home"] == 0o700
    assert {mode for name, mode in modes.items() if name.startswith(("config", "memchat.db"))} == {0o600}


def test_a_database_of_a_newer_memchat_is_left_alone(shell: Shell) -> None:
    """It is named, with the upgrade that reads it; --fix does not touch it."""
    shell.add(*FACTS)
    with database(shell) as opened:
        opened.execute("PRAGMA user_version = 99")
    before = (shell.home / "memchat.db").read_bytes()
    for options in ((), ("--fix",)):
        found = examined(shell, *options)
        assert found.code == 1
        assert "upgrade" in finding(found, "database")["mend"]
    assert (shell.home / "memchat.db").read_bytes() == before


def test_words_and_vectors_are_mended_by_the_built_in_embedder(shell: Shell) -> None:
    """Afterwards a search finds again what only they could find."""
    shell.add(*FACTS)
    with database(shell) as opened:
        opened.execute("DELETE FROM words")
        opened.execute("DELETE FROM vectors")
    assert examined(shell).code == 1
    fixed = examined(shell, "--fix")
    assert fixed.code == 0
    assert len(fixed.json["mended"]) == 2
    assert "Berlin" in shell.run("memories", "search", "Which city is home?").out


def test_an_index_that_another_memchat_has_is_not_looked_into(shell: Shell) -> None:
    """Whoever holds the lock keeps it up to date: that is in order."""
    shell.add(*FACTS)
    assert shell.run("reindex").code == 0
    with FileLock(shell.home / "index.lock"):
        assert "Another memchat" in finding(examined(shell), "index")["message"]


def test_an_index_that_ends_the_process_is_a_warning(shell: Shell) -> None:
    """Damage under a mark that vouches for it, as no checksum can show, harms the process apart alone."""
    from memchat.storage.index.manifest import read_manifest, write_manifest

    shell.add(*FACTS)
    assert shell.run("reindex").code == 0
    marked = read_manifest(shell.home / "index")
    assert marked is not None
    for file in (shell.home / "index").rglob("chroma.sqlite3"):
        file.write_bytes(b"SQLite format 3\0" + os.urandom(8192))
    write_manifest(shell.home / "index", marked[0], {})
    found = examined(shell)
    assert found.code == 0
    assert finding(found, "index")["health"] == "warning"
    assert finding(examined(shell, "--fix"), "index")["health"] == "ok"


def test_people_see_each_finding_with_its_remedy(shell: Shell) -> None:
    """A line for each check: its name, how it stands, what is wrong and what mends it; a count at the end."""
    shell.add(*FACTS)
    with database(shell) as opened:
        opened.execute("DELETE FROM words WHERE rowid = 1")
    told = shell.run("doctor")
    assert told.code == 1
    (line,) = [line for line in told.lines if line.startswith("words\t")]
    assert line.split("\t")[1] == "error"
    assert line.endswith("To fix it: memchat doctor --fix")
    assert told.lines[-1] == "1 error, 0 warnings."
    assert shell.run("doctor", "--fix").lines[0].startswith("Repaired: ")
