"""The prompt of the chat: keys, pastes, suggestions, completion, the line below it."""

import re
from pathlib import Path

from tests.repl.person import Person, said

PAGE = "\n".join(f"line{number}\twith日本🍲\\/cmd@x  " for number in range(1, 1001))


def leave(person: Person) -> None:
    person.prompt()
    person.type("\x04")
    assert person.leave() == 0


def paste(person: Person, text: str) -> None:
    person.type(f"\x1b[200~{text}\x1b[201~")


def test_a_long_paste_is_one_mark_and_sent_exactly(person: Person, tmp_path: Path) -> None:
    """Together with what is typed around it; Up brings the mark back."""
    person.type("see: ")
    paste(person, PAGE)
    person.see(r"^❯ see: \[Pasted: 1,000 lines\]\Z")
    person.type(" ok?\r")
    person.see("You said|and that is all")
    leave(person)
    assert said(tmp_path)[0][1] == f"see: {PAGE} ok?"


def test_a_paste_can_be_unfolded_and_removed(person: Person) -> None:
    """Tab behind the mark shows it, Backspace takes it away as a whole."""
    lines = "\n".join(f"row {number}" for number in range(11))
    paste(person, lines)
    person.see(r"\[Pasted: 11 lines\]\Z")
    person.type("\x7f")
    person.see(r"^❯\Z")
    paste(person, lines)
    person.see(r"\[Pasted: 11 lines\]\Z")
    person.type("\t")
    person.see(r"row 9\n  row 10\Z")


def test_a_line_break_at_the_end_of_a_paste_is_no_line(person: Person) -> None:
    """A file of eleven lines ends with one."""
    paste(person, "row\n" * 11)
    person.see(r"\[Pasted: 11 lines\]\Z")


def test_two_pastes_of_one_size_are_told_apart(person: Person, tmp_path: Path) -> None:
    """Each is sent in its place."""
    one, other = ("\n".join(f"{letter}{number}" for number in range(20)) for letter in "ab")
    paste(person, one)
    paste(person, other)
    person.see(r"Pasted #2")
    person.type("\r")
    person.see("You said|and that is all")
    leave(person)
    assert said(tmp_path)[0][1] == one + other


def test_former_messages_are_suggested(person: Person, tmp_path: Path) -> None:
    """Dim behind the cursor; the right arrow takes the suggestion."""
    person.type("something memorable\r")
    person.see("You said")
    person.prompt()
    person.type("some")
    person.see(r"^❯ something memorable\Z")
    person.type("\x1b[C\r")
    person.prompt()
    leave(person)
    assert [text for _, text, _ in said(tmp_path)][::2] == ["something memorable"] * 2


def test_vi_keys_can_be_chosen(tmp_path: Path) -> None:
    """Escape and two letters do what they do in vi."""
    person = Person(tmp_path, MEMCHAT_VI="on")
    person.prompt()
    person.type("hello wurld")
    person.see("wurld")
    person.type("\x1b")
    person.type("bcwworld\r")
    person.see("You said 'hello world'")


def test_the_editor_opens_on_the_line(tmp_path: Path) -> None:
    """Ctrl-X Ctrl-E with what is typed, /editor with an empty page; what comes back can be changed and sent."""
    script = tmp_path / "editor.sh"
    script.write_text('#!/bin/sh\nprintf "from the editor" >> "$1"\n')
    script.chmod(0o755)
    person = Person(tmp_path, EDITOR=str(script), VISUAL="")
    person.prompt()
    person.type("typed, then ")
    person.see("typed, then")
    person.type("\x18\x05")
    person.see("typed, then from the editor")
    person.type("\x03")
    person.prompt()
    person.type("/editor\r")
    person.see("^❯ from the editor")
    person.type("!\r")
    person.see("You said 'from the editor!'")


def test_tab_completes_what_a_command_takes(person: Person, tmp_path: Path) -> None:
    """An id by its words, a conversation by its title, a file behind an @."""
    person.type("# My cat is called Tom\r")
    person.see("Remembered: My cat")
    person.prompt()
    person.type("/forget cat\t")
    person.see(r"^❯ /forget [0-9a-f]{8}\s*$")
    person.type("\r")
    person.see("Forgotten: My cat")
    (tmp_path / "notes.txt").write_text("The secret word is pelican.")
    person.prompt()
    person.type(f"read @{tmp_path}/not\t")
    # A long path goes on in the next line, anywhere.
    person.see(r"\s*".join(map(re.escape, "notes.t")))
    person.type("\r")
    person.see("Attached")
    leave(person)
    assert "pelican" in said(tmp_path)[0][1]


def test_the_line_below_the_prompt(tmp_path: Path) -> None:
    """Who, which model, whether it learns; it goes with the prompt and leaves nothing in the scrollback."""
    person = Person(tmp_path, MEMCHAT_TOOLBAR="on")
    person.see("^al · scripted/model · memory on")
    person.type("/private on\r")
    person.see("memory private")
    person.type("hello\r")
    person.see("You said")
    shown = person.see("memory private\\Z")
    assert len(re.findall("memory (?:private|on)", shown)) == 1
    person.type("\x04")
    assert person.leave() == 0
    assert "memory private" not in "\n".join(person.screen.display)
