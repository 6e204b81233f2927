"""What Tab suggestions for the text before the cursor."""

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from memchat.repl.completer import CompletionSources, SlashCompleter, suggestions

SOURCES = CompletionSources(
    commands={"help": "what can be typed", "memories": "what is remembered", "model": "which", "forget": "erase"},
    choices={"private": ("on", "off")},
    takes={"forget": "memory"},
    values={
        "memory": lambda: [("0198f3c2-1a", "Lives in Berlin"), ("0198f3d0", "Likes\nTea"), ("01aa0000", "Has a dog")]
    },
)


def texts(before: str) -> list[str]:
    return [offer.text for offer in suggestions(before, SOURCES)]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("/", ["/help", "/memories", "/model", "/forget"]),
        ("/h", ["/help"]),
        ("/m", ["/memories", "/model"]),
        ("/help", ["/help"]),
        ("/x", []),
        ("/H", []),
        ("", []),
        ("hello", []),
        ("hello /h", []),
        (" /h", []),
        ("/help ", []),
        ("/help me", []),
        ("two\n/h", []),
        ("/forget a\nb", []),
        ("/private ", ["on", "off"]),
        ("/private o", ["on", "off"]),
        ("/private of", ["off"]),
        ("/private x", []),
        ("/forget ", ["0198f3c2-1a", "0198f3d0", "01aa0000"]),
        ("/forget 0198", ["0198f3c2-1a", "0198f3d0"]),
        ("/forget 0198F3D", ["0198f3d0"]),
        ("/forget   01a", ["01aa0000"]),
        ("/forget berlin", ["0198f3c2-1a"]),
        ("/forget likes tea", ["0198f3d0"]),
        ("/forget nothing", []),
        ("/etc/passwd", []),
    ],
)
def test_offers(before: str, expected: list[str]) -> None:
    """Commands at the start of a line, their arguments behind them, and nothing in ordinary text."""
    assert texts(before) == expected


def test_an_offer_replaces_exactly_what_was_typed_for_it() -> None:
    """The command stays, the words that found the memory give way to its id."""
    (offer,) = suggestions("/forget likes tea", SOURCES)
    assert offer.typed == len("likes tea")
    assert offer.meta == "Likes Tea"


def test_memories_are_not_asked_for_while_a_command_is_typed() -> None:
    """Typing a command's name costs no look into the store."""
    asked: list[str] = []

    def memories() -> list[tuple[str, str]]:
        asked.append("asked")
        return []

    sources = CompletionSources(SOURCES.commands, SOURCES.choices, SOURCES.takes, {"memory": memories})
    suggestions("/f", sources)
    assert not asked
    suggestions("/forget ", sources)
    assert asked


def test_the_prompt_gets_the_same_offers() -> None:
    """The completer hands on text, place and explanation."""
    (completion,) = SlashCompleter(SOURCES).get_completions(Document("/he"), CompleteEvent())
    assert completion.text == "/help"
    assert completion.start_position == -3
    assert completion.display_meta_text == "what can be typed"
