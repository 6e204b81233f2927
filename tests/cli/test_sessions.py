"""`memchat sessions`: the conversations that were held."""

import json
import sys

import pexpect

from tests.cli.conftest import Shell

LISTED = ["id", "user", "agent", "title", "started_at", "last_at", "private", "message_count"]


def test_a_conversation_is_listed_shown_and_found(shell: Shell) -> None:
    """With its messages in order, and only to its own user."""
    shell.run("ask", "I live in Berlin.")
    shell.run("ask", "What do you know about my bicycle?")
    listed = shell.run("sessions", "list", "--json").json
    assert [session["title"] for session in listed] == ["What do you know about my bicycle?", "I live in Berlin."]
    assert list(listed[0]) == LISTED
    shown = shell.run("sessions", "show", listed[1]["id"], "--json").json
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"]
    assert shown["messages"][0]["text"] == "I live in Berlin."
    assert "I live in Berlin." in shell.run("sessions", "show", listed[1]["id"]).lines
    # Behind those with the word come others that are near in meaning, where they are indexed by now.
    found = next(m for m in shell.run("sessions", "search", "bicycle", "--json").json if m["role"] == "user")
    assert found["session"] == listed[0]["id"]
    for reading in (("list",), ("search", "berlin"), ("export",)):
        assert shell.run("sessions", *reading, "--user", "bob").out == ""
    for command in (("show", listed[0]["id"]), ("rename", listed[0]["id"], "x"), ("forget", listed[0]["id"], "--yes")):
        assert shell.run("sessions", *command, "--user", "bob").code == 1


def test_a_conversation_can_be_renamed(shell: Shell) -> None:
    """The new title is listed."""
    shell.run("ask", "Hello.")
    (session,) = shell.run("sessions", "list", "--json").json
    assert shell.run("sessions", "rename", session["id"], "A", "new", "title").code == 0
    assert shell.run("sessions", "list", "--json").json[0]["title"] == "A new title"


def test_what_was_said_with_an_agent_is_told_apart(shell: Shell) -> None:
    """In lists, searches, exports, and in what status counts."""
    shell.run("ask", "--agent", "desk", "I live in Berlin.")
    shell.run("ask", "I have a cat called Momo.")
    for command in (("list",), ("search", "live"), ("export",)):
        (one,) = shell.run("sessions", *command, "--agent", "desk", "--json").json[:1]
        assert one.get("agent", "desk") == "desk"
        assert len(shell.run("sessions", *command, "--agent", "shop", "--json").json) == 0
    assert len(shell.run("sessions", "export", "--json").json) == 2
    status = [shell.run("status", *agent, "--json").json for agent in ((), ("--agent", "desk"))]
    assert [(one["sessions"], one["memories"]["current"]) for one in status] == [(2, 2), (1, 1)]


def test_an_export_has_a_conversation_a_line(shell: Shell) -> None:
    """With all its messages; some may be named."""
    shell.run("ask", "Hello.")
    shell.run("ask", "Good morning.")
    lines = [json.loads(line) for line in shell.run("sessions", "export").lines]
    assert [line["messages"][0]["text"] for line in lines] == ["Hello.", "Good morning."]
    assert [json.loads(line)["id"] for line in shell.run("sessions", "export", lines[1]["id"]).lines] == [
        lines[1]["id"]
    ]


def test_a_conversation_can_be_forgotten(shell: Shell) -> None:
    """It is gone to the last byte; what was learned from it stays."""
    shell.run("ask", "I live in Berlin, by the way, hullabaloo.")
    (session,) = shell.run("sessions", "list", "--json").json
    assert shell.run("sessions", "forget", session["id"]).code == 2
    dry = shell.run("sessions", "forget", session["id"], "--dry-run", "--json").json
    assert dry == {"dry_run": True, "sessions": 1, "messages": 2, "memories": 0, "ids": [session["id"]]}
    done = shell.run("sessions", "forget", session["id"], "--yes", "--json")
    assert done.code == 0
    assert (done.json["sessions"], done.json["left"]) == (1, [])
    assert shell.run("sessions", "list").out == ""
    assert all(b"hullabaloo" not in path.read_bytes() for path in shell.home.rglob("*") if path.is_file())


def test_an_ambiguous_or_unknown_id_is_an_error(shell: Shell) -> None:
    """As with memories."""
    shell.run("ask", "Hello.")
    shell.run("ask", "Good morning.")
    one, two = (session["id"] for session in shell.run("sessions", "list", "--json").json)
    ambiguous = shell.run("sessions", "show", one[:2])
    assert ambiguous.code == 1
    assert one in ambiguous.err
    assert two in ambiguous.err
    assert shell.run("sessions", "show", "ffff").code == 1


def test_a_terminal_shows_names_whole_and_ids_short(shell: Shell) -> None:
    """As much as the other commands need to find the conversation."""
    made = shell.run("ask", "Hello.", "--json").json["session"]
    shell.run("ask", "Hello.", "--session", "holidays-in-2026")
    shown, status = pexpect.run(
        f"{sys.executable} -m memchat sessions list",
        env={**shell.environ, "TERM": "xterm"},
        encoding="utf-8",
        withexitstatus=True,
    )
    assert status == 0
    assert "holidays-in-2026 " in shown
    assert made[-8:] in shown
    assert made not in shown
