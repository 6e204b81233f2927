"""What a shell offers on Tab, asked the way bash, zsh and fish ask."""

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Shell


def bash(shell: Shell, line: str, **environ: str) -> list[str]:
    """What bash is offered at the end of `line`. Completion never fails and never says a word."""
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    env = {"_MEMCHAT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), **environ}
    return [line for line in silent(shell.program(env=env)).lines if line]


def other(shell: Shell, kind: str, line: str) -> str:
    env = {"_MEMCHAT_COMPLETE": f"complete_{kind}", "_TYPER_COMPLETE_ARGS": line}
    return silent(shell.program(env={**env, "_TYPER_COMPLETE_FISH_ACTION": "get-args"})).out


def silent(done: Outcome) -> Outcome:
    assert done.err == ""
    return done


@pytest.fixture
def used(shell: Shell) -> Shell:
    """A home with a memory, one of an agent, a conversation of alice, and another of bob."""
    shell.add("Likes tea [with milk]: always.")
    shell.run("memories", "add", "Sells shoes.", "--agent", "shop")
    shell.run("ask", "Hello there.", "--session", "trip")
    shell.run("sessions", "rename", "trip", "Trip to Lisbon")
    shell.run("ask", "Hello.", "--user", "bob", "--session", "work")
    (shell.home / "config.toml").write_text('[agents.chef]\ncategories = ["dish", "other"]\n')
    return shell


def test_values_are_offered_for_every_kind(used: Shell) -> None:
    """Memories, conversations, users, agents, categories, models, and what is of the user and agent named before."""
    short = [id_[-8:] for id_ in (memory["id"] for memory in used.run("memories", "list", "--json").json)]
    assert bash(used, "memchat memories show ") == short
    assert bash(used, "memchat forget ") == short
    assert bash(used, f"memchat memories edit {short[0][:3]}") == short
    assert bash(used, "memchat memories add --replaces ") == short
    assert len(bash(used, "memchat forget --agent shop ")) == 2
    assert bash(used, "memchat sessions show ") == ["trip"]
    assert bash(used, "memchat chat --session t") == ["trip"]
    assert bash(used, "memchat sessions show --user bob ") == ["work"]
    assert bash(used, "memchat ask --user ") == ["alice", "bob"]
    assert bash(used, "memchat ask --agent ") == ["chef", "shop"]
    assert bash(used, "memchat memories list --agent chef --category ") == ["dish", "other"]
    assert "work" in bash(used, "memchat forget --category w")
    assert bash(used, "memchat ask --model o") == ["offline"]


def test_the_words_of_a_memory_describe_its_id(used: Shell) -> None:
    """In zsh and fish, without what would be markup to the shell's side."""
    (memory,) = used.run("memories", "list", "--json").json
    assert other(used, "fish", "memchat memories show ") == f"{memory['id'][-8:]}\tLikes tea (with milk): always.\n"
    assert f'"{memory["id"][-8:]}":"Likes tea (with milk)' in other(used, "zsh", "memchat memories show ")
    assert other(used, "fish", "memchat sessions show t") == "trip\tTrip to Lisbon\n"


def test_whole_ids_are_completed_from_their_beginning(used: Shell) -> None:
    """As they are copied from JSON."""
    (memory,) = used.run("memories", "list", "--json").json
    assert bash(used, f"memchat memories show {memory['id'][:12]}") == [memory["id"]]


@pytest.mark.parametrize(
    "line",
    [
        "memchat memories show ",
        "memchat sessions show ",
        "memchat ask --user ",
        "memchat ask --agent ",
        "memchat tokens revoke ",
        "memchat nonsense more ",
        "memchat memories nonsense ",
    ],
)
def test_an_empty_home_offers_nothing_and_stays_empty(shell: Shell, line: str) -> None:
    """No folder is made, no error told, also for what is no command."""
    assert bash(shell, line) == []
    assert not shell.home.exists()


def test_a_broken_home_offers_nothing(shell: Shell) -> None:
    """Settings or a database that cannot be read are no matter for a press of Tab."""
    shell.home.mkdir()
    (shell.home / "memchat.db").write_text("no database")
    assert bash(shell, "memchat memories show ") == []
    (shell.home / "config.toml").write_text("no = [toml")
    assert bash(shell, "memchat memories show ") == []


def test_a_thousand_memories_are_offered_by_what_is_typed(shell: Shell, tmp_path: Path) -> None:
    """The newest at first; any of them once its id is begun. Names that would need quotes are left out."""
    lines = [json.dumps({"text": f"Has read book number {number}."}) for number in range(1_000)]
    source = tmp_path / "books.jsonl"
    source.write_text("\n".join(lines))
    assert shell.run("memories", "import", str(source), "--no-learn").code == 0
    ids = [memory["id"] for memory in shell.run("memories", "list", "--json").json]
    assert len(ids) == 1_000
    offered = bash(shell, "memchat forget ")
    assert len(offered) == 200
    assert set(offered) <= {id_[-8:] for id_ in ids}
    wanted = {id_[-8:] for id_ in ids if id_[-8:].startswith("a")}
    assert set(bash(shell, "memchat forget a")) == wanted
    shell.run("ask", "Hello.", "--user", "ann lee", "--session", "my trip")
    assert "ann lee" not in bash(shell, "memchat ask --user ")


def test_completion_loads_nothing_slow(used: Shell) -> None:
    """Neither the vendor's library, nor the index, nor numpy."""
    code = (
        "import os, sys\n"
        "slow = ('chromadb', 'litellm', 'numpy', 'onnxruntime', 'prompt_toolkit', 'httpx')\n"
        "end = os._exit\n"
        "def report(code):\n"
        "    print(*(name for name in slow if name in sys.modules), end='', file=sys.stderr, flush=True)\n"
        "    end(code)\n"
        "os._exit = report\n"
        "sys.argv = ['memchat']\n"
        "from memchat.__main__ import main\n"
        "main()\n"
    )
    for line in ("memchat forget ", "memchat chat --model ", "memchat ask --session "):
        words = str(len(line.split()))
        env = {"_MEMCHAT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": words}
        assert silent(used.program(env=env, code=code)).out
