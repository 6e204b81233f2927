"""The contents of an imported file: facts, dialogues and skipped records."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

from memchat.core.types import Owner, Role
from memchat.storage.serialization import Record
from memchat.text.normalize import fix_surrogates

_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a dialogue. `id` is its id or its number in the file."""

    id: str
    role: Role
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation from another program. `id` is unique within its format."""

    id: str
    title: str
    messages: tuple[Said, ...]
    agent: str | None = None
    private: bool = False
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that could not be read: its place in the file, and the reason."""

    place: str
    reason: str


@dataclass(slots=True)
class Found:
    """The contents read so far. `unused` contains the names of fields that memchat does not use."""

    facts: list[Record] = field(default_factory=list)
    dialogues: list[Dialogue] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    formats: list[str] = field(default_factory=list)

    def skip(self, place: str, reason: str) -> None:
        self.skipped.append(Skipped(place, reason))

    def extend(self, other: "Found") -> None:
        self.facts += other.facts
        self.dialogues += other.dialogues
        self.skipped += other.skipped
        self.unused |= other.unused
        self.formats += [name for name in other.formats if name not in self.formats]


@dataclass(frozen=True, slots=True)
class Reading:
    """Options for reading a file: `owner` and `now` are for records without their own; `clean` cleans every text.

    With `keep_users`, records keep the users they name.
    """

    owner: Owner
    now: datetime
    clean: Callable[[str], str]
    keep_users: bool = False


@dataclass(frozen=True)
class SourceText:
    """The text of a file, which can be read as JSON, as JSON Lines, or as plain lines."""

    name: str
    text: str

    @cached_property
    def value(self) -> Any:
        """The JSON value of the whole text, or None."""
        return parse_json(self.text) if self.text.lstrip().startswith(("[", "{")) else None

    @cached_property
    def entries(self) -> list[Any]:
        """The entries of a JSON array, at the top level or under the key that exports use; else empty."""
        value = self.value
        if isinstance(value, Mapping):
            value = next((value[name] for name in ("results", "memories", "conversations") if name in value), [value])
        return value if isinstance(value, list) else []

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def first(self) -> Mapping[str, Any]:
        """The first object of the entries or lines, by which formats are recognised; empty if there is none."""
        for entry in self.entries[:20]:
            if isinstance(entry, Mapping):
                return entry
        for line in self.lines[:20]:
            if line.lstrip().startswith("{"):
                entry = parse_json(line)
                if isinstance(entry, Mapping):
                    return entry
        return {}

    def objects(self, found: Found) -> list[tuple[str, Any]]:
        """Return every entry or line with its place; lines that are not JSON are noted in `found`."""
        if self.value is not None:
            return [(self.place("entry", number), entry) for number, entry in enumerate(self.entries, 1)]
        rows = []
        for number, line in enumerate(self.lines, 1):
            if line.strip():
                entry = parse_json(line)
                if entry is None:
                    found.skip(self.place("line", number), "is not valid JSON")
                else:
                    rows.append((self.place("line", number), entry))
        return rows

    def place(self, kind: str, number: int) -> str:
        """Describe a place such as "Line 3", with the name of the file if it is one of several."""
        return f"{self.name}, {kind} {number}" if self.name else f"{kind.capitalize()} {number}"


class Format(Protocol):
    """A file format: a module with a name and these two functions."""

    NAME: str

    def recognises(self, source: SourceText) -> bool:
        """Return whether `source` has this format."""

    def read(self, source: SourceText, reading: Reading) -> Found:
        """Read everything in `source`."""


def parse_json(text: str) -> Any:
    """Parse `text` as JSON; returns None if it is invalid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def words(value: object) -> str:
    """Return `value` without surrounding blanks if it is text, else an empty text."""
    return fix_surrogates(value).strip() if isinstance(value, str) else ""


def moment(value: object) -> datetime | None:
    """Parse a time: ISO 8601, or seconds or milliseconds since 1970. Returns None for anything else."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value > _LATEST else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def role_of(value: object) -> Role | None:
    """Return the role that an export's name stands for; None for tools and instructions."""
    return _ROLES.get(value.lower()) if isinstance(value, str) else None


_ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), Role.USER),
    **dict.fromkeys(("assistant", "gpt", "ai", "bot", "model", "chatgpt"), Role.ASSISTANT),
}


def messages_of(
    entries: Sequence[Any], began: datetime, *, role: str = "role", name: str = "id", text: str = "text", at: str
) -> list[Said]:
    """Read a list of messages, each an object with these keys; `began` is the time of those without one."""
    messages = []
    for number, entry in enumerate(entries):
        speaker = role_of(entry.get(role)) if isinstance(entry, Mapping) else None
        if speaker is not None and (said := words(entry.get(text))):
            messages.append(Said(words(entry.get(name)) or str(number), speaker, said, moment(entry.get(at)) or began))
    return messages


def branch_to(node: object, nodes: Mapping[str, Any], parent: str) -> dict[str, Any]:
    """Return the nodes of a tree from its root to the one named `node`, by their names."""
    branch: dict[str, Any] = {}
    while isinstance(node, str) and node in nodes and node not in branch:
        branch[node] = nodes[node]
        node = nodes[node].get(parent) if isinstance(nodes[node], Mapping) else None
    return dict(reversed(branch.items()))


def in_order(messages: Sequence[Said]) -> tuple[Said, ...]:
    """Return `messages` with times that never decrease; an earlier time becomes that of the message before."""
    ordered: list[Said] = []
    for message in messages:
        at = max(message.at, ordered[-1].at) if ordered else message.at
        ordered.append(Said(message.id, message.role, message.text, at))
    return tuple(ordered)
