"""`memchat memories`: shapes, filters, ids, versions."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner, Scope
from memchat.storage.serialization import memory_json
from memchat.storage.store import Store
from tests.cli.conftest import Shell
from tests.storage.memory_factories import add

KEYS = (
    "id text owner scope category agent session metadata cues standing verbatim source valid_from valid_to created_at "
    "updated_at expires_at confirmed_at last_used_at supersedes superseded_by mistaken doubtful evidence"
).split()
FINGERPRINT = "builtin/all-MiniLM-L6-v2-int8:384"


def texts(shell: Shell, *arguments: str, user: str = "alice") -> list[str]:
    done = shell.run("memories", "list", "--json", "--user", user, *arguments)
    assert done.code == 0, done.err
    return [memory["text"] for memory in done.json]


def moved(shell: Shell) -> None:
    """Alice says where she lives, and then that she has moved: the offline model learns both."""
    for said in ("I live in Berlin.", "I just moved to Amsterdam."):
        assert shell.run("ask", said).code == 0


def test_the_list_is_an_array_with_the_documented_keys(shell: Shell) -> None:
    """`--json` prints a bare array, and an empty one for nobody."""
    shell.add("Likes tea.", options=("--category", "preference", "--meta", "order_id=4821", "--meta", "vip=true"))
    (memory,) = shell.run("memories", "list", "--json").json
    assert list(memory) == KEYS
    assert memory["metadata"] == {"order_id": 4821, "vip": True}
    assert memory["owner"] == {"kind": "user", "name": "alice"}
    assert datetime.fromisoformat(memory["created_at"]).tzinfo == UTC
    assert shell.run("memories", "list", "--user", "nobody", "--json").json == []


def test_the_list_sqlite_writes_is_the_one_python_would(shell: Shell) -> None:
    """The quick way to JSON and the plain one agree on every key of every kind of memory."""
    moved(shell)
    shell.add('Says "ja" — 日本 \\ back', options=("--standing", "--expires", "30d", "--valid-from", "2026-01-02"))
    shell.add("Opens at nine.", options=("--agent", "desk", "--meta", "a.b=1.5"))
    quick = shell.run("memories", "list", "--json", "--include-superseded", "--all-sessions").json
    with Store(shell.home / "memchat.db", lambda: datetime.now(UTC), FINGERPRINT) as store:
        plain = store.memories.memories(MemoryFilter((Owner.user("alice"),), all_sessions=True, superseded=True))
        (desk,) = store.memories.memories(MemoryFilter((Owner.agent("desk"),)))
    assert quick == [memory_json(memory) for memory in plain]
    assert len(quick) == 3
    assert memory_json(desk) in shell.run("memories", "list", "--json", "--agent", "desk").json


def test_a_pipe_gets_rows_with_whole_ids(shell: Shell) -> None:
    """Tab-separated, newest first, nothing else on standard output."""
    one, two = shell.add("Likes tea.", "Likes\ta  tab and\x1b[31m red.")
    listed = shell.run("memories", "list")
    rows = [line.split("\t") for line in listed.lines]
    assert [row[0] for row in rows] == [two, one]
    assert rows[0][3] == "Likes a tab and red."


def test_no_memories_is_an_empty_output(shell: Shell) -> None:
    """That there is nothing is said on stderr, and is no failure."""
    empty = shell.run("memories", "list")
    assert (empty.code, empty.out) == (0, "")
    assert "No memories found for user" in empty.err


def test_filters(shell: Shell) -> None:
    """By metadata, category, agent and number."""
    shell.add("Waits for a parcel.", options=("--category", "support", "--meta", "order_id=4821"))
    shell.add("Likes tea.", "Likes jam.", options=("--category", "preference"))
    assert texts(shell, "--where", "order_id=4821") == ["Waits for a parcel."]
    assert texts(shell, "--where", "order_id=4822") == []
    assert texts(shell, "--category", "support", "--category", "health") == ["Waits for a parcel."]
    assert texts(shell, "--limit", "1") == ["Likes jam."]


def test_a_list_can_be_narrowed_to_a_period(shell: Shell) -> None:
    """By the day under SINCE, both ends included, in the list and in a search."""
    for year in (2019, 2020, 2021):
        shell.add(f"Read {year} books.", options=("--valid-from", f"{year}-06-01"))
    shell.add("Reads books today.")
    assert texts(shell, "--since", "2020-06-01", "--until", "2021-06-01") == ["Read 2021 books.", "Read 2020 books."]
    assert texts(shell, "--since", "2022-01-01") == ["Reads books today."]
    found = shell.run("memories", "search", "books", "--until", "2019-12-31", "--json").json
    assert [hit["text"] for hit in found] == ["Read 2019 books."]
    wrong = shell.run("memories", "list", "--since", "last week")
    assert (wrong.code, "--since" in wrong.err) == (2, True)


def test_a_list_can_be_narrowed_to_a_scope(shell: Shell) -> None:
    """Session memories need no second option to be seen when they alone are asked for."""
    shell.add("Likes tea.")
    shell.add("Ships on Mondays.", options=("--agent", "desk"))
    with Store(shell.home / "memchat.db", lambda: datetime.now(UTC), FINGERPRINT) as store:
        add(store, "plans a trip here", scope=Scope.SESSION, session_id="s1")
    assert texts(shell, "--scope", "session") == ["plans a trip here"]
    assert texts(shell, "--scope", "user", "--all-sessions") == ["Likes tea."]
    assert texts(shell, "--scope", "agent", "--agent", "desk") == ["Ships on Mondays."]
    assert "more belong to one conversation" not in shell.run("memories", "list", "--scope", "user").err


def test_a_list_is_ordered_as_asked_for(shell: Shell) -> None:
    """By creation unless said otherwise; the order comes before the limit."""
    shell.add("b", options=("--valid-from", "2019-01-01", "--category", "work"))
    first, _ = shell.add("C", "a", options=("--category", "plan", "--valid-from", "2018-01-01"))
    shell.add("D")
    shell.run("memories", "edit", first, "c")
    orders = {
        "created": ["D", "a", "c", "b"],
        "updated": ["c", "D", "a", "b"],
        "since": ["D", "b", "a", "c"],
        "category": ["D", "a", "c", "b"],
        "text": ["a", "b", "c", "D"],
    }
    assert {name: texts(shell, "--sort", name) for name in orders} == orders
    assert texts(shell, "--sort", "text", "--limit", "2") == ["a", "b"]
    assert shell.run("memories", "list", "--sort", "colour").code == 2


def test_what_was_replaced_is_shown_when_asked_for(shell: Shell) -> None:
    """A move leaves one home in the list and the former one in its history."""
    moved(shell)
    assert texts(shell) == ["User lives in Amsterdam."]
    assert set(texts(shell, "--include-superseded")) == {"User lives in Amsterdam.", "User lives in Berlin."}
    ids = [memory["id"] for memory in shell.run("memories", "list", "--json").json]
    shown = shell.run("memories", "show", ids[0], "--json").json
    assert [version["text"] for version in shown["versions"]] == ["User lives in Berlin."]
    assert shown["conversation"]["message"] == "I just moved to Amsterdam."
    assert shown["evidence"]["quote"] in "I just moved to Amsterdam."
    assert "User lives in Berlin. (superseded)" in shell.run("memories", "show", ids[0]).out
    events = [change["event"] for change in shell.run("memories", "history", ids[0], "--json").json]
    assert events == ["ADD", "SUPERSEDE", "ADD"]


def test_a_replacement_can_be_undone(shell: Shell) -> None:
    """`undo` brings the former version back."""
    moved(shell)
    (now,) = shell.run("memories", "list", "--json").json
    undone = shell.run("memories", "undo", now["id"], "--json")
    assert undone.json["text"] == "User lives in Berlin."
    assert texts(shell) == ["User lives in Berlin."]


def test_as_of_a_day(shell: Shell) -> None:
    """What was true then and what was not yet known."""
    shell.add("Works at Acme.", options=("--valid-from", "2020-01-01"))
    assert texts(shell, "--as-of", "2021-01-01") == ["Works at Acme."]
    assert texts(shell, "--as-of", "2019-12-31") == []


def test_users_do_not_see_each_other(shell: Shell) -> None:
    """Not in a list, a search, an export, nor by id."""
    (id_,) = shell.add("Owns a red bicycle.")
    for reading in (("list",), ("search", "red bicycle"), ("export",)):
        assert "bicycle" not in shell.run("memories", *reading, "--user", "bob").out
    for command in (("show", id_), ("edit", id_, "x"), ("history", id_), ("undo", id_), ("forget", id_, "--yes")):
        done = shell.run("memories", *command, "--user", "bob")
        assert (done.code, done.out) == (1, "")
        assert "There is no memory" in done.err
    assert texts(shell) == ["Owns a red bicycle."]


@pytest.mark.parametrize("name", ["al", "../x", "日本", "🦊", "a" * 300, "x'; --", "%", "_"])
def test_any_name_is_a_user(shell: Shell, name: str) -> None:
    """Odd names are kept apart and make no files."""
    shell.add("Likes tea.", user=name)
    assert texts(shell, user=name) == ["Likes tea."]
    assert texts(shell, user="ali") == []
    assert {path.name for path in shell.home.parent.iterdir()} == {"home"}


def test_a_unique_beginning_names_a_memory(shell: Shell) -> None:
    """The id may be cut as long as it names one; else the error says what there is."""
    one, two = shell.add("Likes tea.", "Likes jam.")
    same = next(i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
    assert shell.run("memories", "show", one[: same + 1], "--json").json["id"] == one
    ambiguous = shell.run("memories", "show", one[:same])
    assert ambiguous.code == 1
    assert one in ambiguous.err
    assert two in ambiguous.err
    unknown = shell.run("memories", "show", "ffff")
    assert unknown.code == 1
    assert unknown.err == "memchat: There is no memory 'ffff'.\nmemchat memories list shows the ids.\n"


def test_lines_of_standard_input_are_added(shell: Shell) -> None:
    """`add -` keeps one memory a line, and each once."""
    done = shell.run("memories", "add", "-", stdin="Likes tea.\n\nlikes TEA\nLikes jam.\n")
    assert done.code == 0
    assert sorted(texts(shell)) == ["Likes jam.", "Likes tea."]


def test_secrets_are_masked(shell: Shell) -> None:
    """A key that is told by hand does not reach the disk."""
    key = "sk-" + "a1B2c3D4e5F6g7H8" * 3
    shell.add(f"My key is {key}.")
    (text,) = texts(shell)
    assert key not in text
    assert all(key.encode() not in path.read_bytes() for path in shell.home.rglob("*") if path.is_file())


def test_agent_memory_is_for_everybody_who_asks_that_agent(shell: Shell) -> None:
    """`add --agent` is an explicit act, and the memory is the agent's."""
    shell.add("The desk opens at nine.", options=("--agent", "desk"))
    assert texts(shell) == []
    assert texts(shell, "--agent", "desk", user="bob") == ["The desk opens at nine."]
    assert texts(shell, "--agent", "other") == []


def test_an_edit_keeps_the_former_words(shell: Shell) -> None:
    """The new text is searched, the old one is in the history, and undo brings it back."""
    (id_,) = shell.add("Lives in Lille.")
    assert shell.run("memories", "edit", id_, "Lives", "in", "Lyon.", "--json").json["text"] == "Lives in Lyon."
    changes = shell.run("memories", "history", id_, "--json").json
    assert [(c["event"], c["old_text"], c["new_text"]) for c in changes] == [
        ("ADD", None, "Lives in Lille."),
        ("UPDATE", "Lives in Lille.", "Lives in Lyon."),
    ]
    assert shell.run("memories", "undo", id_, "--json").json["text"] == "Lives in Lille."


def editor(folder: Path, body: str) -> str:
    script = folder / "editor.sh"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return str(script)


def test_edit_without_a_text_opens_the_editor(shell: Shell) -> None:
    """VISUAL comes before EDITOR; the file is gone afterwards."""
    (id_,) = shell.add("Lives in Lille.")
    folder = shell.home.parent
    command = editor(folder, f'echo "$1" > {folder}/seen; sed -i s/Lille/Lyon/ "$1"')
    edited = shell.at_terminal("memories", "edit", id_, env={"VISUAL": command, "EDITOR": "false"})
    assert edited.out == "Now: Lives in Lyon.\n"
    assert not Path((folder / "seen").read_text().strip()).exists()


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("true", 0, "Nothing was changed."),
        (': > "$1"', 2, "The text is empty"),
        ("exit 3", 1, "with an error (3)"),
    ],
)
def test_an_edit_that_comes_to_nothing_changes_nothing(shell: Shell, body: str, code: int, said: str) -> None:
    """The same text, no text, and an editor that failed."""
    (id_,) = shell.add("Lives in Lille.")
    done = shell.at_terminal("memories", "edit", id_, env={"EDITOR": editor(shell.home.parent, body)})
    assert done.code == code
    assert said in done.out + done.err
    assert len(shell.run("memories", "history", id_, "--json").json) == 1


def test_edit_without_a_terminal_starts_no_editor(shell: Shell) -> None:
    """It asks for the text as an argument."""
    (id_,) = shell.add("Lives in Lille.")
    done = shell.run("memories", "edit", id_, env={"EDITOR": editor(shell.home.parent, "echo started")})
    assert (done.code, done.out) == (2, "")
    assert "memchat memories edit ID TEXT" in done.err


def test_messages_for_people_break_between_words(shell: Shell) -> None:
    """At a terminal of forty columns no word is cut; in a pipe the sentence is one line."""
    command = ("memories", "show", "ffffffff")
    shown = shell.at_terminal(*command, size=(40, 24)).out
    said = shell.run(*command).err
    assert max(map(len, shown.splitlines())) <= 40
    assert shown.split() == said.split()


def test_search_says_its_scores(shell: Shell) -> None:
    """Best first; `--explain` gives the parts; nothing relevant says so."""
    shell.add("I am vegetarian.", "My bicycle is red.", options=("--category", "health"))
    found = shell.run("memories", "search", "suggest", "a", "restaurant", "--json").json
    assert found[0]["text"] == "I am vegetarian."
    assert found[0]["score"] == pytest.approx(sum(found[0]["parts"].values()), abs=0.001)
    assert "[meaning +" in shell.run("memories", "search", "vegetarian", "--explain").out
    nothing = shell.run("memories", "search", "restaurant", "--user", "bob")
    assert (nothing.code, nothing.out) == (0, "No relevant memories found.\n")
    assert shell.run("memories", "search", "restaurant", "--user", "bob", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--where", "x"), "--where must be KEY=VALUE"),
        (("list", "--as-of", "tomorrow"), "--as-of must be a day"),
        (("add", "x", "--expires", "soon"), "--expires must be a date or a time span"),
        (("add", ""), "empty"),
        (("add", "x" * 8001), "8000 characters"),
        (("list", "--session", "ffff"), "There is no conversation"),
        (("list", "--limit", "0"), "--limit"),
    ],
)
def test_what_makes_no_sense_is_said(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    """One sentence, and nothing is done."""
    done = shell.run("memories", *arguments)
    assert done.code in {1, 2}
    assert said in done.err
    assert done.out == ""


def test_json_never_shows_a_control_character(shell: Shell) -> None:
    """What a terminal would obey is escaped, and reads back as it was."""
    shell.add("a\u009b31m b\u202e c\u200bd \u2028 e\x7f")
    done = shell.run("memories", "list", "--json")
    assert not {"\u009b", "\u202e", "\u200b", "\u2028", "\x7f"} & set(done.out)
    assert json.loads(done.out)[0]["text"] == "a\u009b31m b\u202e c\u200bd \u2028 e\x7f"


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        (["rank=1"], "a"),
        (["rank!=1"], "bc"),
        (["rank>=1", "rank<2"], "a"),
        (["rank>1"], "b"),
        (["topic~TEA"], "ab"),
        (["rank=*"], "ab"),
        (['{"OR": [{"rank": 2}, {"NOT": {"rank": "*"}}]}'], "bc"),
        (["created_at>=2020-01-01"], "abc"),
        (["created_at<2020-01-01"], ""),
    ],
)
def test_memories_are_chosen_by_operators(shell: Shell, where: list[str], kept: str) -> None:
    """Over metadata and times, all of them together."""
    for name, meta in (("a", ["rank=1", "topic=tea"]), ("b", ["rank=2", "topic=Teapot"]), ("c", [])):
        options = [part for one in meta for part in ("--meta", one)]
        assert shell.run("memories", "add", f"Note {name}", *options).code == 0
    chosen = [part for one in where for part in ("--where", one)]
    listed = shell.run("memories", "list", "--json", *chosen).json
    assert {memory["text"][-1] for memory in listed} == set(kept)


@pytest.mark.parametrize("where", ["rank", "=1", "{", '{"rank": {"near": 1}}', "created_at>soon"])
def test_a_choice_that_makes_no_sense_is_refused(shell: Shell, where: str) -> None:
    """With a word about how it is written."""
    done = shell.run("memories", "list", "--where", where)
    assert done.code == 2


def test_a_user_is_the_same_in_either_unicode_form(shell: Shell) -> None:
    """On the command line, in the environment and in a file that keeps users apart."""
    shell.run("memories", "add", "I like tea", "--user", "Zoe\u0308")
    assert [one["text"] for one in shell.run("memories", "list", "--json", "--user", "Zoë").json] == ["I like tea"]
    assert shell.run("memories", "list", "--json", env={"MEMCHAT_USER": "Zoë"}).json
    shell.home.with_name("facts.json").write_text('[{"memory": "I like jazz", "user_id": "Zoe\\u0308"}]')
    assert shell.run("memories", "import", str(shell.home.with_name("facts.json")), "--keep-users").code == 0
    assert len(shell.run("memories", "list", "--json", "--user", "Zoë").json) == 2
