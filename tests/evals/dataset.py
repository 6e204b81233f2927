"""The evaluation kit: conversations, and after each turn what must be remembered and what must not.

    python -m tests.evals.dataset [FOLDER]       check it and count what is in it

FOLDER holds JSON files, each a list of conversations {name, language, tags, instructions, turns}. The turns of one
conversation are one session, even where days lie between them. A turn has `at` (local time), `user`, `assistant`, and
any of these (regexes: re.search, case-insensitive, dot matches line breaks):

    keep        after the turn, one single current memory matches every regex of `match`; with `category` (some, parted
                by |), `standing`, `scope` and `valid_from` where they matter
    never       after the turn, no current memory matches
    superseded  some memory that was current before the turn matches, and is now superseded; what replaced it may well
                name the old value ("moved from X to Y")
    ended       likewise, its validity has an end, or it is superseded by a sentence that says it is over
    forgotten   likewise, it is erased: nothing of it is left in any version
    doubtful    some current memory matches and carries the mark "possibly outdated"
    max_new     the most new current memories (new versions counted) that are acceptable for the turn
"""

import argparse
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from memchat.core.types import CATEGORIES, Scope

KIT = Path(__file__).with_name("conversations")
HELD_OUT = Path(__file__).with_name("held_out")
"""Conversations written before any model was asked about them, to see what a change is worth elsewhere."""
UNSEEN = Path(__file__).with_name("unseen")
"""Conversations written and asked about once, after all those held out."""
LANGUAGES = ("en", "de", "es", "fr", "pt", "ja")
KIT_LANGUAGES = ("en", "de", "es", "ja")
"""Those in which the kit itself, not only what is held out, has conversations."""
TAGS = frozenset(
    """junk facts echo invention duplicate contradiction correction negation hypothetical other_people question date
    list long pasted injection secret support session standing forget dependent""".split()
)
CHANGES = ("superseded", "ended", "forgotten", "doubtful")
NEUTRAL = ("", "The user", "User is", "User has", "Der Nutzer", "El usuario", "ユーザーは", "2026", "March")
"""What any memory may hold: a regex that matches one of these says nothing."""
LEAST = {"conversations": 40, "turns": 120, "turns in en": 90, "turns that teach nothing": 30}
LEAST_PER_TAG = 2
LEAST_PER_LANGUAGE = 3
LONG_WORDS = 150
PROVIDER_KEY = re.compile(
    r"sk-[A-Za-z0-9]{24,}|gh[pousr]_[A-Za-z0-9]{30,}|xox[abp]-[0-9A-Za-z-]{20,}|AIza[0-9A-Za-z_-]{35}"
)
"""Nothing in the kit may look so real that a scanner of published code reports it."""


@dataclass(frozen=True, slots=True)
class Keep:
    """A fact that must be held. `first` marks where it is to be learned; elsewhere it must still be there."""

    match: tuple[str, ...]
    category: tuple[str, ...] = ()
    standing: bool = False
    scope: Scope | None = None
    valid_from: date | None = None
    note: str = ""
    first: bool = True

    def met_by(self, text: str) -> bool:
        return all(matches(pattern, text) for pattern in self.match)


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange and what is expected after it. `at` is local time, without a zone."""

    at: datetime
    user: str
    assistant: str
    keep: tuple[Keep, ...] = ()
    never: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    max_new: int | None = None

    @property
    def gone(self) -> tuple[str, ...]:
        """What is no longer so after this turn."""
        return self.superseded + self.ended + self.forgotten

    @property
    def teaches_nothing(self) -> bool:
        return self.max_new == 0 and not self.keep and not self.gone and not self.doubtful


@dataclass(frozen=True, slots=True)
class Conversation:
    name: str
    language: str
    tags: tuple[str, ...]
    turns: tuple[Turn, ...]
    instructions: str | None = None
    file: str = ""


class KitError(ValueError):
    """A file that cannot be read as a part of a kit."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


# Loading.


def load(folder: Path = KIT) -> list[Conversation]:
    """All conversations of a kit, files by name. Raises KitError where a file's form is wrong."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise KitError(f"There is no *.json in {folder}.")
    return [conversation for path in paths for conversation in _file(path)]


def _file(path: Path) -> Iterator[Conversation]:
    text = path.read_text(encoding="utf-8")
    if PROVIDER_KEY.search(text):
        raise KitError(f"{path.name} holds what looks like a provider's real key.")
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise KitError(f"{path.name} is not JSON: {error}") from error
    for number, entry in enumerate(entries):
        try:
            yield _conversation(entry, path.name)
        except (KeyError, TypeError, ValueError) as error:
            raise KitError(f"{path.name}, conversation {number}: {error!r}") from error


def _conversation(entry: Mapping[str, Any], file: str) -> Conversation:
    _only_fields_of(Conversation, entry, "file")
    turns = tuple(map(_turn, entry["turns"]))
    tags = tuple(entry["tags"])
    return Conversation(entry["name"], entry["language"], tags, _marked(turns), entry.get("instructions"), file)


def _turn(entry: Mapping[str, Any]) -> Turn:
    _only_fields_of(Turn, entry)
    at = datetime.strptime(entry["at"], "%Y-%m-%dT%H:%M:%S")
    patterns = {name: tuple(entry.get(name, ())) for name in ("never", *CHANGES)}
    keep = tuple(map(_keep, entry.get("keep", ())))
    return Turn(at, entry["user"], entry["assistant"], keep, max_new=entry.get("max_new"), **patterns)


def _keep(entry: Mapping[str, Any]) -> Keep:
    _only_fields_of(Keep, entry, "first")
    return Keep(
        tuple(entry["match"]),
        tuple(entry["category"].split("|")) if "category" in entry else (),
        entry.get("standing", False),
        Scope(entry["scope"]) if "scope" in entry else None,
        date.fromisoformat(entry["valid_from"]) if "valid_from" in entry else None,
        entry.get("note", ""),
    )


def _only_fields_of(kind: type, entry: Mapping[str, Any], *but: str) -> None:
    unknown = entry.keys() - {field.name for field in fields(kind)} | entry.keys() & set(but)
    if unknown:
        raise ValueError(f"unknown fields {sorted(unknown)}")


def _marked(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with what is to be kept a second time marked as no longer new."""
    held: list[set[str]] = []
    marked = []
    for turn in turns:
        held = [patterns for patterns in held if not patterns & set(turn.gone)]
        keep = tuple(replace(k, first=not any(set(k.match) <= known for known in held)) for k in turn.keep)
        marked.append(replace(turn, keep=keep))
        held += [set(item.match) for item in keep]
    return tuple(marked)


# Checking.


def check(conversations: Sequence[Conversation]) -> list[str]:
    """What is wrong in the conversations, a line each; nothing where they are sound."""
    names = Counter(conversation.name for conversation in conversations)
    wrong = [f"{name}: the name is used {times} times" for name, times in names.items() if times > 1]
    for conversation in conversations:
        wrong += [f"{conversation.file}, {conversation.name}: {what}" for what in _wrong_with(conversation)]
    return wrong


def coverage(conversations: Sequence[Conversation]) -> list[str]:
    """What a whole kit still lacks."""
    have = counts(conversations)
    least = LEAST | {f"conversations tagged {tag}": LEAST_PER_TAG for tag in sorted(TAGS)}
    least |= {f"conversations in {language}": LEAST_PER_LANGUAGE for language in KIT_LANGUAGES}
    return [f"{have[what]} {what}, at least {n} are wanted" for what, n in least.items() if have[what] < n]


def counts(conversations: Sequence[Conversation]) -> Counter[str]:
    """How much there is of everything, by a name for it."""
    found: Counter[str] = Counter(conversations=len(conversations))
    for conversation in conversations:
        found[f"conversations in {conversation.language}"] += 1
        found[f"turns in {conversation.language}"] += len(conversation.turns)
        found.update(f"conversations tagged {tag}" for tag in conversation.tags)
        for turn in conversation.turns:
            found["turns"] += 1
            found["turns that teach nothing"] += turn.teaches_nothing
            found["facts to keep"] += sum(item.first for item in turn.keep)
            for name in ("never", *CHANGES):
                found[name] += len(getattr(turn, name))
    return found


def _wrong_with(conversation: Conversation) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", conversation.name):
        yield "the name is not in snake case"
    if conversation.language not in LANGUAGES:
        yield f"unknown language {conversation.language!r}"
    if not conversation.tags or set(conversation.tags) - TAGS:
        yield f"wrong tags {conversation.tags}"
    if not conversation.turns:
        yield "no turns"
    if "long" in conversation.tags and all(len(turn.user.split()) < LONG_WORDS for turn in conversation.turns):
        yield f"tagged long, but no message has {LONG_WORDS} words"
    if any(later.at < turn.at for turn, later in itertools.pairwise(conversation.turns)):
        yield "a turn is earlier than the one before it"
    held: list[Keep] = []
    said: list[str] = []
    for number, turn in enumerate(conversation.turns, 1):
        patterns = [*turn.never, *turn.gone, *turn.doubtful, *(p for item in turn.keep for p in item.match)]
        wrong = list(_useless(patterns)) or [*_wrong_keeps(turn, said), *_wrong_changes(turn, held, said)]
        yield from (f"turn {number}: {what}" for what in wrong)
        said.append(turn.user)
        held += turn.keep


def _useless(patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        try:
            neutral = next((text for text in NEUTRAL if matches(pattern, text)), None)
        except re.error as error:
            yield f"{pattern!r} is no regex: {error}"
        else:
            if neutral is not None:
                yield f"{pattern!r} matches the neutral text {neutral!r}"


def _wrong_keeps(turn: Turn, said: Sequence[str]) -> Iterator[str]:
    own_words = "\n".join([*said, turn.user])
    if not turn.user.strip() or not turn.assistant.strip():
        yield "somebody says nothing"
    for item in turn.keep:
        if not item.match or set(item.category) - set(CATEGORIES) or item.scope is Scope.AGENT:
            yield f"no match, or a category or scope that is none, in {item}"
        if not any(matches(pattern, own_words) for pattern in item.match):
            yield f"nothing of {item.match} is in the person's own words so far"
        if item.first and turn.max_new == 0:
            yield f"{item.match} is to be learned, but max_new is 0"
        if any(all(matches(p, text) for text in wordings(item)) for p in turn.forgotten if wordings(item)):
            yield f"{item.match} is to be kept and to be forgotten"
        if wordings(item) and all(any(matches(p, text) for p in turn.never) for text in wordings(item)):
            yield f"never forbids every wording of {item.match}"
    if turn.superseded and not turn.keep:
        yield "something is superseded, but nothing is kept in its place"


def _wrong_changes(turn: Turn, held: Sequence[Keep], said: Sequence[str]) -> Iterator[str]:
    known = [*said, *(text for item in held for text in wordings(item))]
    for pattern in (*turn.gone, *turn.doubtful):
        if not any(matches(pattern, text) for text in known):
            yield f"nothing that {pattern!r} could match was to be kept before"


@cache
def wordings(item: Keep) -> tuple[str, ...]:
    """Some texts that would meet `item`; not every regex gives away one."""
    picks = itertools.islice(itertools.product(*map(_samples, item.match)), 400)
    texts = (" ".join(order) for pick in picks for order in (pick, pick[::-1]))
    return tuple(dict.fromkeys(text for text in texts if item.met_by(text)))


_SIMPLER = tuple(
    (re.compile(found), by)
    for found, by in (
        (r"\(\?<?[=!][^()]*\)|\\b|[\^$]", ""),
        (r"\((?:\?:)?([^()|]*)(?:\|[^()]*)?\)\??", r"\1"),
        (r"\[\\?(.)[^\]]*\][?*+]?", r"\1"),
        (r"(?<!\\)\.[*+?]?", " "),
        (r"\\d", "7"),
        (r"(.)[?*+]", r"\1"),
        (r"\\(.)", r"\1"),
    )
)
"""Steps from a regex of the kit's plain kind to a text that it matches; of a group, the first alternative is taken."""


def _samples(pattern: str) -> list[str]:
    """Short texts that `pattern` matches, one for each of its alternatives as far as these are simple."""
    text = pattern
    for step, by in _SIMPLER:
        text = step.sub(by, text)
    return [sample for sample in dict.fromkeys(text.split("|")) if sample and matches(pattern, sample)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=KIT)
    conversations = load(parser.parse_args().folder)
    for what, number in sorted(counts(conversations).items()):
        print(f"{number:>5}  {what}")
    wrong = check(conversations) + coverage(conversations)
    print("\n".join(wrong) or "sound")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
