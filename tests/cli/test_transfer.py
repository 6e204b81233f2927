"""Export and import of memories."""

import json
import math

import pytest

from memchat.storage.database import Database
from tests.cli.conftest import Shell


def told(shell: Shell) -> None:
    """A store with versions, evidence, an edit, metadata and an agent's memory."""
    for said in ("I live in Berlin.", "I just moved to Amsterdam.", "I am allergic to peanuts."):
        assert shell.run("ask", said).code == 0
    (id_,) = shell.add("Prefers tee.", options=("--meta", "a=1", "--expires", "30d", "--standing"))
    assert shell.run("memories", "edit", id_, "Prefers tea.").code == 0
    shell.add("The desk opens at nine.", options=("--agent", "desk"))


def elsewhere(shell: Shell, name: str = "other") -> dict[str, str]:
    return {"MEMCHAT_HOME": str(shell.home.parent / name)}


def test_an_export_comes_back_without_a_difference(shell: Shell) -> None:
    """Ids, times, versions, evidence, owners and histories are those of before, and search finds them."""
    told(shell)
    exported = shell.run("memories", "export", "--json").json
    assert {"ADD", "SUPERSEDE", "UPDATE"} <= {change["event"] for memory in exported for change in memory["changes"]}
    lines = shell.run("memories", "export").out
    assert [json.loads(line) for line in lines.splitlines()] == exported
    there = elsewhere(shell)
    done = shell.run("memories", "import", "-", "--json", stdin=lines, env=there)
    assert done.json["imported"] == len(exported)
    assert shell.run("memories", "export", env=there).out == lines
    for command in (("list", "--include-superseded"), ("history", exported[1]["id"])):
        assert shell.run("memories", *command, env=there).out == shell.run("memories", *command).out
    # A text's vector is a hair different by what it was embedded together with, and so is the score.
    found = [shell.run("memories", "search", "where is home", "--json", env=env).json for env in ({}, there)]
    assert [hit["id"] for hit in found[0]] == [hit["id"] for hit in found[1]] != []


def test_an_agents_memories_come_back_as_the_agents(shell: Shell) -> None:
    """The owner in the file is kept, also where it is no person."""
    told(shell)
    lines = shell.run("memories", "export", "--agent", "desk").out
    there = elsewhere(shell)
    assert shell.run("memories", "import", "-", stdin=lines, env=there).code == 0
    assert "The desk opens at nine." in shell.run("memories", "list", "--agent", "desk", "-u", "bob", env=there).out


def test_an_import_can_be_repeated(shell: Shell) -> None:
    """What is there already is left as it is."""
    told(shell)
    lines = shell.run("memories", "export").out
    again = shell.run("memories", "import", "-", "--json", stdin=lines)
    assert (again.json["imported"], again.json["known"]) == (0, len(lines.splitlines()))
    assert shell.run("memories", "export").out == lines


def test_an_import_for_another_person_makes_memories_of_theirs(shell: Shell) -> None:
    """With --user the memories become that person's, under new ids, with their chain of versions."""
    told(shell)
    lines = shell.run("memories", "export").out
    assert shell.run("memories", "import", "-", "--user", "bob", stdin=lines).code == 0
    mine = shell.run("memories", "export", "--json").json
    theirs = shell.run("memories", "export", "--user", "bob", "--json").json
    assert [memory["text"] for memory in theirs] == [memory["text"] for memory in mine]
    assert not {memory["id"] for memory in theirs} & {memory["id"] for memory in mine}
    superseded = next(memory for memory in theirs if memory["superseded_by"])
    assert superseded["superseded_by"] in {memory["id"] for memory in theirs}
    assert shell.run("memories", "export").out == lines


@pytest.mark.parametrize(
    "text",
    [
        "- Likes tea.\n\n* Likes jam.\n",
        '{"text": "Likes tea."}\n{"memory": "Likes jam."}\n',
        '["Likes tea.", {"memory": "Likes jam."}]',
        '{\n "results": [{"id": "x", "memory": "Likes tea.", "score": 1}, {"memory": "Likes jam."}]\n}',
    ],
)
def test_memories_from_elsewhere_are_taken_in(shell: Shell, text: str) -> None:
    """Plain lines, JSON Lines, arrays, and what mem0 prints."""
    done = shell.run("memories", "import", "-", stdin=text)
    assert (done.code, done.out) == (0, "Imported 2 memories (0 existed already).\n")
    listed = shell.run("memories", "list", "--json").json
    assert [(memory["text"], memory["source"]) for memory in listed] == [
        ("Likes jam.", "imported"),
        ("Likes tea.", "imported"),
    ]
    assert shell.run("memories", "search", "tea").out.count("\n") >= 1


def test_what_others_say_about_a_memory_is_kept(shell: Shell) -> None:
    """Category, metadata and the time it was made; what metadata cannot hold becomes text."""
    entry = {
        "memory": "Likes tea.",
        "category": "preference",
        "metadata": {"n": 1, "deep": {"a": [1]}, "none": None, "endless": math.inf},
        "created_at": "2025-05-06T07:08:09-07:00",
    }
    assert shell.run("memories", "import", "-", stdin=json.dumps(entry)).code == 0
    (memory,) = shell.run("memories", "list", "--json").json
    assert memory["category"] == "preference"
    assert memory["metadata"] == {"n": 1, "deep": '{"a": [1]}', "endless": "Infinity"}
    assert memory["created_at"] == "2025-05-06T14:08:09.000000Z"


def test_a_file_is_read(shell: Shell) -> None:
    """By its name, with a byte order mark or without; a missing one is one line."""
    file = shell.home.parent / "notes.txt"
    file.write_bytes(b"\xef\xbb\xbfLikes tea.\r\nLikes jam.\r\n")
    assert shell.run("memories", "import", str(file)).code == 0
    assert len(shell.run("memories", "list").lines) == 2
    missing = shell.run("memories", "import", "nowhere.jsonl")
    assert (missing.code, missing.err) == (1, "memchat: nowhere.jsonl cannot be read: No such file or directory.\n")


def test_half_a_character_costs_neither_its_line_nor_the_file(shell: Shell) -> None:
    """It becomes U+FFFD, as it does wherever else it comes from."""
    lines = '{"text": "Likes \\ud800 tea."}\n{"text": "Likes jam.", "metadata": {"a": "\\udfff"}}\n'
    done = shell.run("memories", "import", "-", stdin=lines)
    assert (done.code, done.err) == (0, "")
    listed = shell.run("memories", "list", "--json").json
    assert [memory["text"] for memory in listed] == ["Likes jam.", "Likes \ufffd tea."]
    assert listed[0]["metadata"] == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Likes tea.\n{"text": \n', "Line 2 is not valid JSON"),
        ('{"text": "Likes tea."}\n{"note": "y"}', "Line 2 has no text"),
        ('["Likes tea.", 1]', "Entry 2 is not a memory"),
    ],
)
def test_a_bad_record_is_named_and_left_out(shell: Shell, text: str, said: str) -> None:
    """The good ones are taken in, and the exit code tells."""
    done = shell.run("memories", "import", "-", stdin=text)
    assert done.code == 1
    assert said in done.err
    assert [memory["text"] for memory in shell.run("memories", "list", "--json").json] == ["Likes tea."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "Entry 1 is not a memory"),
        ('{"id": "x", "text": "x", "owner": {"kind": "king", "name": "al"}, "created_at": "2025"}', "cannot be read"),
        ('{"text": ""}', "has no text"),
    ],
)
def test_a_file_that_holds_nothing_is_refused(shell: Shell, text: str, said: str) -> None:
    """The place is named."""
    done = shell.run("memories", "import", "-", stdin=text)
    assert done.code == 2
    assert said in done.err
    assert "Nothing was imported." in done.err
    assert shell.run("memories", "list").out == ""


def test_a_dump_keeps_whose_its_memories_are_and_until_when(shell: Shell) -> None:
    """An agent's memory stays shared, a run's stays in its run, an expired one stays expired."""
    rows = [
        {"memory": "Refunds take 14 days", "agent_id": "shop"},
        {"memory": "My order is late", "user_id": "alice", "agent_id": "shop"},
        {"memory": "We talk about chess", "user_id": "alice", "run_id": "r1"},
        {"memory": "The gate code is 12", "user_id": "alice", "expiration_date": "2020-01-01"},
        {"memory": "Likes jazz", "user_id": "alice", "categories": ["preference", "music"], "structured": {"a": 1}},
    ]
    done = shell.run("memories", "import", "-", stdin=json.dumps({"results": rows}))
    assert done.code == 0
    assert "Memories of shop are shared" in done.err
    assert "structured" in done.err
    general = shell.run("memories", "list", "--json").json
    assert [memory["text"] for memory in general] == ["Likes jazz", "My order is late"]
    assert (general[0]["category"], general[0]["metadata"]) == ("preference", {"categories": "music"})
    assert general[1]["agent"] == "shop"
    every = shell.run("memories", "list", "--all-sessions", "--json").json
    assert [memory["session"] for memory in every if memory["text"] == "We talk about chess"] == ["r1@alice"]
    assert "Refunds take 14 days" not in shell.run("memories", "export").out
    with Database(shell.home / "memchat.db") as database:
        owner = (
            "SELECT o.name FROM memories m JOIN owners o ON o.id = m.owner WHERE text LIKE 'Refund%' AND kind = 'agent'"
        )
        assert database.value(owner) == "shop"


def test_with_keep_users_each_memory_stays_with_its_user(shell: Shell) -> None:
    """A dump of a whole store of mem0's is taken in at once."""
    dump = json.dumps([{"memory": "Likes tea", "user_id": "alice"}, {"memory": "Likes jam", "user_id": "bob"}])
    assert "--keep-users" in shell.run("memories", "import", "-", stdin=dump).err
    assert shell.run("memories", "import", "-", "--keep-users", stdin=dump).code == 0
    for user, text in (("alice", "Likes tea"), ("bob", "Likes jam")):
        listed = shell.run("memories", "list", "--user", user, "--json").json
        assert [memory["text"] for memory in listed] == [text]


def test_secrets_from_elsewhere_are_masked(shell: Shell) -> None:
    """An import is no way around the redaction."""
    key = "sk-" + "a1B2c3D4e5F6g7H8" * 3
    assert shell.run("memories", "import", "-", stdin=f"My key is {key}.\n").code == 0
    assert all(key.encode() not in path.read_bytes() for path in shell.home.rglob("*") if path.is_file())


def test_an_export_goes_on_past_what_cannot_be_read(shell: Shell) -> None:
    """It says on stderr how much that was, the exit code tells, and the rest can be imported."""
    told(shell)
    whole = shell.run("memories", "export", "--json").json
    with Database(shell.home / "memchat.db") as database:
        database.execute("UPDATE memories SET created_at = 'some day' WHERE id = ?", (whole[1]["id"],))
    saved = shell.run("memories", "export")
    assert saved.code == 1
    assert saved.err.startswith("Skipped 1 unreadable row.")
    assert [json.loads(line)["id"] for line in saved.lines] == [m["id"] for m in whole if m != whole[1]]
    done = shell.run("memories", "import", "-", "--json", stdin=saved.out, env=elsewhere(shell))
    assert done.json["imported"] == len(whole) - 1


def test_another_programs_dump_of_somebody_else_is_not_taken_in_silently(shell: Shell) -> None:
    """It says whose it is and how to import it; with --user it is theirs, and what was another's is said to be."""
    rows = [{"id": "1", "memory": "Likes tea", "user_id": "bob"}, {"id": "2", "memory": "Likes jam", "user_id": "bob"}]
    dump = json.dumps({"results": rows})
    refused = shell.run("memories", "import", "-", stdin=dump)
    assert refused.code == 2
    assert "contains memories of another user than alice: bob" in refused.err
    assert "--user bob" in refused.err
    assert shell.run("memories", "list").out == ""
    assert shell.run("memories", "import", "-", "--user", "bob", stdin=dump).code == 0
    assert len(shell.run("memories", "list", "--user", "bob").lines) == 2
    taken = shell.run("memories", "import", "-", "--user", "alice", stdin=dump)
    assert (taken.code, taken.err) == (0, "Memories of bob in this file were imported for alice.\n")
    assert len(shell.run("memories", "list").lines) == 2


def test_a_dump_of_ones_own_needs_no_user(shell: Shell) -> None:
    """Nor does one that names nobody."""
    for row in ({"memory": "Likes tea", "user_id": "alice"}, {"memory": "Likes jam", "user_id": None}):
        assert shell.run("memories", "import", "-", stdin=json.dumps([row])).code == 0
    assert len(shell.run("memories", "list").lines) == 2


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_json_loses_no_letter_where_standard_output_is_no_unicode(shell: Shell, encoding: str) -> None:
    """What the encoding has not is written as an escape, and the export can be imported again."""
    text = "Größe 42 🎉 漢字"
    shell.add(text)
    env = {"PYTHONIOENCODING": encoding}
    exported = shell.program("memories", "export", "--user", "alice", env=env)
    assert exported.out.isascii()
    assert json.loads(exported.out)["text"] == text
    listed = shell.program("memories", "list", "--user", "alice", "--json", env=env)
    assert [memory["text"] for memory in json.loads(listed.out)] == [text]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_text_in_any_form_of_unicode_is_taken_in(shell: Shell, encoding: str) -> None:
    """From a file and from standard input, without the byte order mark."""
    text = "Ich heiße Jörg"
    file = shell.home.parent / "notes.txt"
    file.write_bytes(f"{text}\n".encode(encoding))
    shell.run("memories", "import", str(file), "--user", "ann")
    shell.run("memories", "add", "-", "--user", "bob", stdin=f"{text}\n".encode(encoding))
    for user in ("ann", "bob"):
        listed = shell.run("memories", "list", "--user", user, "--json")
        assert [memory["text"] for memory in json.loads(listed.out)] == [text]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "shift_jis", "utf-16-le"])
def test_other_text_is_refused_and_nothing_kept(shell: Shell, encoding: str) -> None:
    """A wrong guess would be remembered as garbage."""
    data = {"latin-1": "Jörg", "cp1251": "Привет", "shift_jis": "漢字", "utf-16-le": "plain"}[encoding].encode(encoding)
    file = shell.home.parent / "notes.txt"
    file.write_bytes(data)
    for done in (
        shell.run("memories", "import", str(file)),
        shell.run("memories", "add", "-", stdin=data),
        shell.run("ask", "What?", stdin=data),
    ):
        assert done.code == 2
        assert "UTF-8" in done.err
    assert json.loads(shell.run("memories", "list", "--json").out) == []
