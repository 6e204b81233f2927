"""Secrets given to a command reach the disk masked, whatever they are given as."""

import json

import pytest

from tests.cli.conftest import Shell

KEY = "sk-proj-" + "Zx9Qw3Er5Ty7Ui1Op2As4Df6Gh8Jk0Lm"
CARD = "4111" + "1111" * 3


def on_disk(shell: Shell) -> bytes:
    return b"".join(path.read_bytes() for path in shell.home.rglob("*") if path.is_file())


@pytest.mark.parametrize("way", [("memories", "add"), ("ask",)])
def test_metadata_is_masked_and_its_keys_stay(shell: Shell, way: tuple[str, ...]) -> None:
    """By its value, by the key before it, and also where it is a number; nothing else of it changes."""
    pairs = (f"note=my key is {KEY}", "password=hunter2", f"card={CARD}", "order_id=4821", "vip=true")
    options = [part for pair in pairs for part in ("--meta", pair)]
    assert shell.run(*way, "I live in Berlin.", *options).code == 0
    (memory,) = shell.run("memories", "list", "--json").json
    assert memory["metadata"] == {
        "note": "my key is [redacted api key]",
        "password": "[redacted password]",
        "card": "[redacted card number]",
        "order_id": 4821,
        "vip": True,
    }
    assert not any(secret.encode() in on_disk(shell) for secret in (KEY, "hunter2", CARD))


def test_what_is_imported_is_masked(shell: Shell) -> None:
    """Others' files, and an export of one who masks nothing: text, quotes, metadata and history."""
    lines = [json.dumps({"text": "Drinks tea.", "metadata": {"note": f"is {KEY}", "deep": {"token": KEY}}})]
    shell.run("memories", "import", "-", stdin="\n".join(lines))
    (memory,) = shell.run("memories", "list", "--json").json
    assert memory["metadata"]["note"] == "is [redacted api key]"
    there = {"MEMCHAT_HOME": str(shell.home.parent / "open"), "MEMCHAT_REDACT": "off"}
    shell.run("ask", "--meta", f"note={KEY}", f"My sister's name is Ana and my api key is {KEY}", env=there)
    shell.run("memories", "add", f"The key is {KEY}", env=there)
    exported = shell.run("memories", "export", env=there).out
    assert exported.count(KEY) >= 3
    assert shell.run("memories", "import", "-", stdin=exported).code == 0
    assert KEY.encode() not in on_disk(shell)
    assert len(shell.run("memories", "list", "--json").json) == 1 + len(exported.splitlines())


def test_titles_and_instructions_are_masked(shell: Shell) -> None:
    """Whether a title comes from the first words or is given."""
    shell.run("ask", f"Is {KEY} a key?", "--instructions", f"Never keep {KEY}")
    (session,) = shell.run("sessions", "list", "--json").json
    assert session["title"] == "Is [redacted api key] a key?"
    renamed = shell.run("sessions", "rename", session["id"], "about", KEY)
    assert renamed.out == "Now: about [redacted api key]\n"
    assert KEY.encode() not in on_disk(shell)


def test_a_conversation_cannot_be_named_after_a_secret(shell: Shell) -> None:
    """Masked names would throw two conversations together."""
    refused = shell.run("ask", "--session", KEY, "Hello.")
    assert (refused.code, refused.out) == (2, "")
    assert "api key" in refused.err
    assert KEY not in refused.err
    assert not shell.home.exists() or KEY.encode() not in on_disk(shell)


def test_nothing_is_masked_where_that_is_turned_off(shell: Shell) -> None:
    """The setting holds for metadata, titles and names as it does for text."""
    off = {"MEMCHAT_REDACT": "off"}
    assert shell.run("memories", "add", "Drinks tea.", "--meta", f"note={KEY}", env=off).code == 0
    assert shell.run("memories", "list", "--json", env=off).json[0]["metadata"] == {"note": KEY}
    assert shell.run("ask", "--session", KEY, "Hello.", env=off).code == 0
