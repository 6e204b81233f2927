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
    assert "Deleted: 1 memory" in out
    assert "no traces are left" in out


def test_a_dry_run_erases_nothing(shell: Shell) -> None:
    """It shows what would go."""
    (id_,) = shell.add("Lives in Berlin.")
    dry = shell.run("forget", id_, "--dry-run")
    assert dry.code == 0
    assert "Lives in Berlin." in dry.out
    assert "Nothing was deleted." in dry.out
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
    child.expect("Everything about alice will be deleted")
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
    assert "Say what to forget" in done.err


def test_nothing_to_forget_is_no_failure(shell: Shell) -> None:
    """A person nobody knows, a query that finds nothing."""
    for arguments in (("--all", "--user", "nobody"), ("--query", "anything", "--user", "nobody")):
        done = shell.run("forget", *arguments)
        assert (done.code, done.out) == (0, "There is nothing to forget.\n")


def test_both_spellings_are_one_command(shell: Shell) -> None:
    """`memchat memories forget` is `memchat forget`."""
    pages = [shell.run(*words, "--help").out for words in (["memories", "forget"], ["forget"])]
    one, other = [page.partition("\nExamples:\n")[0].splitlines()[2:] for page in pages]
    assert one == other


def test_a_query_erases_all_it_finds(shell: Shell) -> None:
    """Not the first few alone: who forgets a subject believes it gone. A search says how many more there are."""
    shell.add(*(f"My Berlin flat has {number + 2} windows." for number in range(9)), "I take my coffee black.")
    searched = shell.run("memories", "search", "Berlin", "flat")
    assert len(searched.lines) == 5
    assert searched.err == "4 more found: --top-k 9 shows them.\n"
    assert shell.run("memories", "search", "Berlin", "flat", "--top-k", "9").err == ""
    assert "9 memories will be deleted" in shell.run("forget", "--query", "Berlin flat", "--dry-run").out
    assert shell.run("forget", "--query", "Berlin flat", "--yes").code == 0
    assert [line.split("\t")[3] for line in shell.run("memories", "list").lines] == ["I take my coffee black."]


def test_a_query_reaches_further_than_recall_looks(shell: Shell) -> None:
    """Recall reads some hundred candidates; whoever forgets means all."""
    lines = "\n".join(f"My Berlin flat has {number + 2} windows." for number in range(200))
    assert shell.run("memories", "import", "-", stdin=lines).code == 0
    assert shell.run("forget", "--query", "Berlin flat", "--dry-run", "--json").json["memories"] == 200


def with_the_desk(shell: Shell) -> None:
    """A memory of the desk's own, one that alice shares with it, and one of hers."""
    shell.add("The desk opens at nine.", options=("--agent", "desk"))
    assert shell.run("ask", "I live in Berlin.", "--agent", "desk").code == 0
    shell.add("Likes tea.")


def test_an_agents_own_memories_stay_when_a_person_forgets_it(shell: Shell) -> None:
    """What the person has with the agent goes; what all its users share stays, and that is said."""
    with_the_desk(shell)
    for how in (("--all",), ("--query", "when does the desk open, where does the user live")):
        done = shell.run("forget", *how, "--agent", "desk", "--dry-run", "--json")
        assert done.json["memories"] == 1
    done = shell.run("forget", "--all", "--agent", "desk", "--yes")
    assert "Deleted: 1 memory" in done.out
    assert "1 memory of the agent, shared by all its users" in done.err
    assert [m["text"] for m in shell.run("memories", "list", "--agent", "desk", "--json", "--user", "bob").json] == [
        "The desk opens at nine."
    ]
    assert [line.split("\t")[3] for line in shell.run("memories", "list").lines] == ["Likes tea."]
    again = shell.run("forget", "--all", "--agent", "desk", "--user", "rando", "--yes")
    assert again.out == "There is nothing to forget.\n"
    assert "--shared" in again.err


def test_an_agents_own_memories_go_when_they_are_named(shell: Shell) -> None:
    """With --shared or by id; the count says that they are everybody's."""
    with_the_desk(shell)
    preview = shell.run("forget", "--all", "--agent", "desk", "--shared", "--dry-run").out
    assert "2 memories, 1 of them of agent desk, shared by all its users, will be deleted" in preview
    (desk,) = (m for m in shell.run("memories", "list", "--agent", "desk", "--json").json if m["scope"] == "agent")
    assert "1 of them of agent desk" in shell.run("forget", desk["id"], "--agent", "desk", "--dry-run").out
    assert shell.run("forget", "--all", "--agent", "desk", "--shared", "--yes").code == 0
    assert shell.run("memories", "list", "--agent", "desk", "--user", "bob").out == ""


@pytest.mark.parametrize("arguments", [("--all", "--shared"), ("abc", "--agent", "desk", "--shared")])
def test_shared_needs_an_agent_and_a_search(shell: Shell, arguments: tuple[str, ...]) -> None:
    """An id names what it names."""
    assert shell.run("forget", *arguments, "--yes").code == 2


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
    assert "no traces are left" in done.out
