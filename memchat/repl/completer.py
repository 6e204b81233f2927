"""What Tab offers: slash commands, and the ids of memories behind /forget."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion

if TYPE_CHECKING:
    from prompt_toolkit.document import Document

_LONGEST_META = 60
_TAKES_MEMORY = "forget"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A completion: `text` replaces the last `typed` characters before the cursor, `meta` explains it."""

    text: str
    typed: int
    meta: str = ""


@dataclass(frozen=True, slots=True)
class CompletionSources:
    """What can be completed: the help of each command by name, the choices some take, the memories by short id."""

    commands: Mapping[str, str]
    choices: Mapping[str, tuple[str, ...]]
    memories: Callable[[], Iterable[tuple[str, str]]]


def suggestions(before: str, sources: CompletionSources) -> list[Suggestion]:
    """The completions for the text before the cursor, in the order shown; none outside of slash commands."""
    if not before.startswith("/") or "\n" in before:
        return []
    name, space, argument = before[1:].partition(" ")
    if not space:
        fitting = ((known, help_) for known, help_ in sources.commands.items() if known.startswith(name))
        return [Suggestion(f"/{known}", len(before), help_) for known, help_ in fitting]
    word = argument.lstrip()
    if name == _TAKES_MEMORY:
        return _memories(word, sources.memories())
    return [Suggestion(choice, len(word)) for choice in sources.choices.get(name, ()) if choice.startswith(word)]


def _memories(word: str, memories: Iterable[tuple[str, str]]) -> list[Suggestion]:
    """Memories whose id begins with `word`, else those whose text holds it, whatever the case."""
    known = [(id_, " ".join(text.split())) for id_, text in memories]
    found = [pair for pair in known if pair[0].startswith(word.lower())]
    if not found:
        found = [pair for pair in known if word.casefold() in pair[1].casefold()]
    return [Suggestion(id_, len(word), text[:_LONGEST_META]) for id_, text in found]


class SlashCompleter(Completer):
    """Prompt-toolkit's view of `offers`."""

    def __init__(self, sources: CompletionSources) -> None:
        self._sources = sources

    def get_completions(self, document: "Document", complete_event: CompleteEvent) -> Iterator[Completion]:
        for offer in suggestions(document.text_before_cursor, self._sources):
            yield Completion(offer.text, start_position=-offer.typed, display_meta=offer.meta)
