"""`memchat forget`: counting, asking, erasing, proving."""

import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Shell


def left(shell: Shell, words: str) -> list[str]:
    """The files of the home that still hold `words`."""
    return [p.name for p in shell.home.rglob("*") if p.is_file() and words.encode() in p.read_bytes()]


def test_forgetting_leaves_no_byte_and_says_so(shell: Shell) -> None:
    """The receipt counts what was erased and what was searched."""
    shell.run("ask", "I live in Berlin.")
    (memory,) = shell.run("memories", "list", "--json").json
    done = shell.run("forget", memory["id"][:20], "--yes", "--json")
    assert done.code == 0, done.err
    receipt = done.json
    assert (receipt["memories"], receipt["messages"], receipt["left"]) == (1, 1, [])
    assert receipt["files"] > 0
    assert receipt["ids"] == [memory["id"]]
    assert left(shell, "live in Berlin") == []
    assert shell.run("memories", "list").out == ""


def test_the_receipt_for_people(shell: Shell) -> None:
    """It says what went and that nothing is left."""
    (id_,) = shell.add("Lives in Berlin.")
    out = shell.run("forget", id_, "--yes").out
    assert "Erased: 1 memory" in out
    assert "nothing of it is left" in out


def test_a_dry_run_erases_nothing(shell: Shell) -> None:
    """It shows what would go."""
    (id_,) = shell.add("Lives in Berlin.")
    dry = shell.run("forget", id_, "--dry-run")
    assert dry.code == 0
    assert "Lives in Berlin." in dry.out
    assert "Nothing was erased." in dry.out
    assert shell.run("forget", id_, "--dry-run", "--json").json == {"dry_run": True, "memories": 1, "ids": [id_]}
    assert left(shell, "Lives in Berlin.")


def test_without_a_terminal_it_does_not_ask(shell: Shell) -> None:
    """It refuses, and says what to do."""
    (id_,) = shell.add("Lives in Berlin.")
    refused = shell.run("forget", id_, stdin="y\n")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert shell.run("memories", "list").out != ""


@pytest.mark.parametrize(("answer", "code", "rest"), [("y", 0, 0), ("n", 1, 1), ("", 1, 1)])
def test_on_a_terminal_it_counts_and_asks(shell: Shell, answer: str, code: int, rest: int) -> None:
    """Only a yes is one."""
    shell.add("Lives in Berlin.")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "forget", "--all"],
        env={**shell.environ, "TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
    )
    child.expect("Everything of alice would be erased")
    child.expect("memories +1")
    child.expect_exact("[y/N]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert len(shell.run("memories", "list").lines) == rest


def test_all_erases_the_person_and_nobody_else(shell: Shell) -> None:
    """Conversations too; what bob said stays."""
    for user in ("alice", "bob"):
        shell.run("ask", f"I live in Berlin. My name is {user.title()}ina.", "--user", user)
    counted = shell.run("forget", "--all", "--dry-run", "--json").json
    assert counted["sessions"] == 1
    assert counted["messages"] == 2
    assert shell.run("forget", "--all", "--yes").code == 0
    assert shell.run("memories", "list").out == shell.run("sessions", "list").out == ""
    assert left(shell, "Aliceina") == []
    assert shell.run("sessions", "list", "--user", "bob").out != ""
    assert shell.run("memories", "list", "--user", "bob").out != ""


def test_a_filter_narrows_all_to_memories(shell: Shell) -> None:
    """`--all --where` erases the memories with that metadata, and no conversation."""
    shell.add("Order 4821 is late.", options=("--meta", "order_id=4821"))
    shell.add("Likes tea.")
    assert shell.run("forget", "--all", "--where", "order_id=4821", "--yes").code == 0
    assert [line.split("\t")[3] for line in shell.run("memories", "list").lines] == ["Likes tea."]


def test_a_query_erases_what_it_finds(shell: Shell) -> None:
    """And nothing else."""
    shell.add("My bicycle is red.", "I take my coffee black.")
    assert shell.run("forget", "--query", "what colour is the bicycle", "--yes").code == 0
    assert [line.split("\t")[3] for line in shell.run("memories", "list").lines] == ["I take my coffee black."]


def test_earlier_versions_are_counted_and_go_too(shell: Shell) -> None:
    """Erasing a memory erases what it replaced."""
    for said in ("I live in Berlin.", "I just moved to Amsterdam."):
        shell.run("ask", said)
    (memory,) = shell.run("memories", "list", "--json").json
    assert "1 memory and 1 earlier version" in shell.run("forget", memory["id"], "--dry-run").out
    assert shell.run("forget", memory["id"], "--yes", "--json").json["memories"] == 2
    assert shell.run("memories", "list", "--include-superseded").out == ""


def test_the_source_can_be_kept(shell: Shell) -> None:
    """With --keep-source the conversation stays word for word; the receipt owns that its words are still there."""
    shell.run("ask", "I live in Berlin.")
    (memory,) = shell.run("memories", "list", "--json").json
    assert shell.run("forget", memory["id"], "--yes", "--keep-source").code == 0
    assert left(shell, "I live in Berlin.") != []
    assert shell.run("memories", "list").out == ""


@pytest.mark.parametrize("arguments", [(), ("abc", "--all"), ("--query", "x", "--all")])
def test_what_to_forget_must_be_named_in_one_way(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Ids, a query or all: exactly one of them."""
    done = shell.run("forget", *arguments, "--yes")
    assert done.code == 2
    assert "Name what to forget" in done.err


def test_nothing_to_forget_is_no_failure(shell: Shell) -> None:
    """A person nobody knows, a query that finds nothing."""
    for arguments in (("--all", "--user", "nobody"), ("--query", "anything", "--user", "nobody")):
        done = shell.run("forget", *arguments)
        assert (done.code, done.out) == (0, "There is nothing to forget.\n")


def test_both_spellings_are_one_command(shell: Shell) -> None:
    """`memchat memories forget` is `memchat forget`."""
    assert (
        shell.run("memories", "forget", "--help").out.splitlines()[2:]
        == shell.run("forget", "--help").out.splitlines()[2:]
    )


def test_a_shared_memory_is_named_as_one(shell: Shell) -> None:
    """An agent's memory is everybody's: the preview says so."""
    shell.add("The desk opens at nine.", options=("--agent", "desk"))
    preview = shell.run("forget", "--all", "--agent", "desk", "--dry-run").out
    assert "1 of them of agent desk, shared by all its users" in preview


def test_the_history_file_of_nobody_else_is_touched(shell: Shell, tmp_path: Path) -> None:
    """Forgetting writes below the home alone."""
    beside = tmp_path / "beside.txt"
    beside.write_text("Lives in Berlin.")
    (id_,) = shell.add("Lives in Berlin.")
    assert shell.run("forget", id_, "--yes").code == 0
    assert beside.read_text() == "Lives in Berlin."


def test_no_file_of_the_current_folder_is_run(shell: Shell) -> None:
    """The search for what is left is a program of its own; a file named like one of its modules is not among them."""
    (id_,) = shell.add("Lives in Berlin.")
    for name in ("bisect", "json", "pickle"):
        (shell.home.parent / f"{name}.py").write_text("raise SystemExit('this was run')")
    done = shell.run("forget", id_, "--yes")
    assert (done.code, done.err) == (0, "")
    assert "nothing of it is left" in done.out
