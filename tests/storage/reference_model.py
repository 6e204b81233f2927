"""What a store should hold, as a few dictionaries and lists: the model that the real one is compared with."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memchat.core.types import Event
from memchat.recall.default_cues import default_cues
from tests.storage.memory_factories import embedded

if TYPE_CHECKING:
    from tests.storage.crash_driver import Hands

NEW = "new"
"""The id of the one memory whose real id is not known yet."""
BLANK = "[forgotten]"


class Refused(Exception):
    """The store should say no."""


@dataclass
class Kept:
    """A memory. `by` is the id of what superseded it."""

    owner: str
    text: str
    by: str | None = None
    mistaken: bool = False
    quote: str | None = None
    cues: tuple[str, ...] = ()


@dataclass
class Told:
    """An entry of the history."""

    memory: str
    event: Event
    old: str | None
    new: str | None


@dataclass
class Model:
    """Memories by id and their history in order of time; messages as (user, text)."""

    memories: dict[str, Kept] = field(default_factory=dict)
    history: list[Told] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)

    def copy(self) -> "Model":
        return deepcopy(self)

    # Looking.

    def current(self, owner: str | None = None) -> dict[str, Kept]:
        return {i: m for i, m in self.memories.items() if m.by is None and owner in {None, m.owner}}

    def replaced_by(self, memory_id: str) -> list[str]:
        return [i for i, m in self.memories.items() if m.by == memory_id]

    def duplicate(self, owner: str, text: str, other_than: str = "") -> str | None:
        """The current memory that says the same."""
        same = (i for i, m in self.current(owner).items() if i != other_than and _plain(m.text) == _plain(text))
        return next(same, None)

    def chain(self, ids: Iterable[str]) -> list[str]:
        """These and all that they replaced, directly or not."""
        found = list(dict.fromkeys(ids))
        for memory_id in found:
            found += [former for former in self.replaced_by(memory_id) if former not in found]
        return found

    def words(self) -> list[str]:
        """Every text that may be read somewhere."""
        told = (words for one in self.history for words in (one.old, one.new) if words)
        kept = (words for m in self.memories.values() for words in (m.text, m.quote, *m.cues) if words)
        return [*told, *kept, *(text for _, text in self.messages)]

    # Doing.

    def add(
        self, owner: str, text: str, kept: Kept | None = None, replaces: Sequence[str] = (), mistaken: bool = False
    ) -> None:
        duplicate = self.duplicate(owner, text)
        former = [i for i in dict.fromkeys(replaces) if i != duplicate and i in self.current(owner)]
        for memory_id in former:
            memory = self.memories[memory_id]
            self._tell(memory_id, Event.MISTAKEN if mistaken else Event.SUPERSEDE, memory.text, text)
            memory.by, memory.mistaken = duplicate or NEW, mistaken
        if duplicate is not None:
            self._tell(duplicate, Event.CONFIRM, self.memories[duplicate].text, self.memories[duplicate].text)
        else:
            self.memories[NEW] = kept or Kept(owner, text)
            self._tell(NEW, Event.ADD, None, text)

    def say(self, owner: str, text: str) -> None:
        self.messages.append((owner, text))

    def edit(self, memory_id: str, text: str, event: Event = Event.UPDATE) -> None:
        memory = self.memories[memory_id]
        if memory.text == text:
            return
        if self.duplicate(memory.owner, text, memory_id) is not None:
            raise Refused
        self._tell(memory_id, event, memory.text, text)
        memory.text, memory.cues = text, default_cues("other", text)

    def undo(self, memory_id: str) -> None:
        memory = self.memories[memory_id]
        last = self._last(memory_id, confirmed=False)
        if last.event in {Event.UPDATE, Event.UNDO} and last.old not in {None, memory.text}:
            self.edit(memory_id, last.old or "", Event.UNDO)
        elif memory.by is not None:
            self._swap(memory.by, memory_id)
        elif former := self.replaced_by(memory_id):
            self._swap(memory_id, former[-1])
        else:
            raise Refused

    def _swap(self, successor: str, former: str) -> None:
        """`former`, and all else that `successor` replaced, comes back in its place."""
        back, taken = self.replaced_by(successor), self.memories[successor]
        again = self._last(former).event is Event.UNDO
        how = [t.event for t in self.history if t.memory == successor and t.event in {Event.SUPERSEDE, Event.MISTAKEN}]
        self._tell(successor, Event.UNDO, taken.text, self.memories[former].text)
        taken.by, taken.mistaken = former, not again or how[-1:] == [Event.MISTAKEN]
        for memory_id in back:
            memory = self.memories[memory_id]
            if self.duplicate(memory.owner, memory.text, memory_id) is not None:
                raise Refused
            memory.by, memory.mistaken = None, False
            self._tell(memory_id, Event.UNDO, None, memory.text)

    def forget(self, ids: Sequence[str]) -> None:
        chain = self.chain(ids)
        gone = [self.memories.pop(memory_id) for memory_id in chain]
        texts = {words for m in gone for words in (m.text, m.quote) if words}
        texts |= {told.old for told in self.history if told.memory in chain and told.old}
        owners = {memory.owner for memory in gone}
        self.history = [told for told in self.history if told.memory not in chain]
        for told in self.history:
            if self.memories[told.memory].owner in owners:
                told.old, told.new = (None if words in texts else words for words in (told.old, told.new))
        for memory in self.memories.values():
            if memory.owner in owners and memory.quote:
                memory.quote = _blanked(memory.quote, texts)
        self.messages = [(u, _blanked(text, texts) if u in owners else text) for u, text in self.messages]

    def restore(self, exported: "Model") -> None:
        """What is there already stays; ids are what they were, but for those of what somebody said again since."""
        names: dict[str, str] = {}
        said: dict[tuple[str, str], str] = {}
        for memory_id, memory in exported.memories.items():
            saying = memory.owner, _plain(memory.text)
            if memory_id in self.memories:
                names[memory_id] = memory_id
            elif memory.by is None and (duplicate := self.duplicate(*saying) or said.get(saying)) is not None:
                names[memory_id] = duplicate
            elif memory.by is None:
                said[saying] = memory_id
        fresh = {i: deepcopy(m) for i, m in exported.memories.items() if i not in names}
        for memory in fresh.values():
            memory.by = memory.by and names.get(memory.by, memory.by)
        self.memories |= fresh
        self.history += [deepcopy(told) for told in exported.history if told.memory in fresh]

    def name(self, memory_id: str) -> None:
        """The real id of the new memory, where there is one."""
        if NEW in self.memories:
            self.memories = {memory_id if i == NEW else i: m for i, m in self.memories.items()}
            for memory in self.memories.values():
                memory.by = memory_id if memory.by == NEW else memory.by
            for told in self.history:
                told.memory = memory_id if told.memory == NEW else told.memory

    def _last(self, memory_id: str, *, confirmed: bool = True) -> Told:
        return [t for t in self.history if t.memory == memory_id and (confirmed or t.event is not Event.CONFIRM)][-1]

    def _tell(self, memory_id: str, event: Event, old: str | None, new: str | None) -> None:
        self.history.append(Told(memory_id, event, old, new))


def observed(hands: "Hands") -> Model:
    """What the store itself holds, in the same shape."""
    database = hands.store.database
    model = Model()
    sql = """SELECT m.id, o.name, m.text, m.superseded_by, m.mistaken, m.quote, m.cues FROM memories AS m
        JOIN owners AS o ON o.id = m.owner ORDER BY m.number"""
    for memory_id, *columns in database.rows(sql):
        *rest, quote, _ = columns
        found = hands.store.memories.get(memory_id)
        assert found is not None
        model.memories[memory_id] = Kept(rest[0], rest[1], rest[2], bool(rest[3]), quote, found.cues)
    for row in database.rows("SELECT memory_id, event, old_text, new_text FROM changes ORDER BY seq"):
        model.history.append(Told(row[0], Event(row[1]), row[2], row[3]))
    for row in database.rows(
        "SELECT s.user, m.text FROM messages AS m JOIN sessions AS s ON s.id = m.session_id"
        " WHERE m.role = 'user' ORDER BY m.number"
    ):
        model.say(*row)
    return model


def scores(model: Model, owner: str, query: str) -> dict[str, float]:
    """The best cosine of any vector of each current memory to that of `query`."""
    wanted = embedded(query).rows[0]
    found = {}
    for memory_id, memory in model.current(owner).items():
        joined = ["; ".join((memory.text, *memory.cues))] if memory.cues else []
        rows = [embedded(text).rows[0] for text in (memory.text, *joined, *memory.cues)]
        found[memory_id] = float(max(row @ wanted for row in rows))
    return found


def _plain(text: str) -> str:
    return text.casefold().rstrip("!")


def _blanked(text: str, texts: Iterable[str]) -> str:
    for words in sorted(texts, key=len, reverse=True):
        text = text.replace(words, BLANK)
    return text
