"""Tab completion: slash commands and their arguments, ids by the text behind them, files."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion

if TYPE_CHECKING:
    from prompt_toolkit.document import Document

_LONGEST_META = 60
_MOST_FILES = 100
FILES = "file"
"""The kind of values that are paths."""
_NAMED_FILE = re.compile(r"(?<!\S)@(?P<path>\S*)\Z")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A completion: `text` replaces the last `typed` characters before the cursor, `meta` explains it."""

    text: str
    typed: int
    meta: str = ""


@dataclass(frozen=True, slots=True)
class CompletionSources:
    """The values to complete from.

    `commands` maps names to help, `choices` names to fixed arguments, `takes` names to a kind of argument, and `values`
    each kind to a function that returns pairs of value and description.
    """

    commands: Mapping[str, str]
    choices: Mapping[str, tuple[str, ...]]
    takes: Mapping[str, str]
    values: Mapping[str, Callable[[], Iterable[tuple[str, str]]]]


def suggestions(before: str, sources: CompletionSources) -> list[Suggestion]:
    """Return the completions for the text before the cursor, in display order; within a message, files after @."""
    if not before.startswith("/") or "\n" in before:
        named = _NAMED_FILE.search(before)
        return [] if named is None else _paths(named["path"])
    name, space, argument = before[1:].partition(" ")
    if not space:
        matches = ((known, help_) for known, help_ in sources.commands.items() if known.startswith(name))
        return [Suggestion(f"/{known}", len(before), help_) for known, help_ in matches]
    word = argument.lstrip()
    if (kind := sources.takes.get(name)) is not None:
        if kind == FILES:
            return _paths(word)
        if kind not in sources.values:
            return []
        # The values that begin with the word, or else those whose description contains it.
        known = [(id_, " ".join(text.split())) for id_, text in sources.values[kind]()]
        found = [pair for pair in known if pair[0].startswith(word.lower())]
        if not found:
            found = [pair for pair in known if word.casefold() in pair[1].casefold()]
        return [Suggestion(id_, len(word), text[:_LONGEST_META]) for id_, text in found]
    return [Suggestion(choice, len(word)) for choice in sources.choices.get(name, ()) if choice.startswith(word)]


def _paths(word: str) -> list[Suggestion]:
    """Return the files and folders whose path begins with `word`."""
    typed = Path(word).expanduser()
    folder, name = (typed, "") if word.endswith("/") or not word else (typed.parent, typed.name)
    shown = word[: len(word) - len(name)] if not word.endswith("/") else word
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    found = [one for one in entries if one.name.startswith(name) and (name.startswith(".") or one.name[0] != ".")]
    return [Suggestion(f"{shown}{one.name}{'/' if one.is_dir() else ''}", len(word)) for one in found[:_MOST_FILES]]


class SlashCompleter(Completer):
    """Adapts `suggestions` to prompt_toolkit."""

    def __init__(self, sources: CompletionSources) -> None:
        self._sources = sources

    def get_completions(self, document: "Document", complete_event: CompleteEvent) -> Iterator[Completion]:
        for offer in suggestions(document.text_before_cursor, self._sources):
            yield Completion(offer.text, start_position=-offer.typed, display_meta=offer.meta)
