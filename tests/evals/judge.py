"""What is held after a turn, against what the kit expects."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from memchat.core.types import Memory, Source
from tests.evals.dataset import CHANGES, Keep, Turn, matches

SHOWN = 12
"""So many memories are shown with an expectation that none of them met."""


@dataclass(frozen=True)
class Failure:
    """An expectation that was not met, and the memories that bear on it as the store held them."""

    kind: str
    expected: str
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """Every version of every memory before and after the turn, oldest first, by id."""

    before: Mapping[str, Memory]
    after: Mapping[str, Memory]

    def current(self, today: date) -> list[Memory]:
        return [memory for memory in self.after.values() if is_current(memory, today)]

    def current_before(self, today: date) -> list[Memory]:
        return [memory for memory in self.before.values() if is_current(memory, today)]

    def new(self, today: date) -> list[Memory]:
        """What the turn added and left current, new versions of older memories among it."""
        return [memory for memory in self.current(today) if memory.id not in self.before]


class Verdict:
    """How many expectations of each kind there were, how many were met, and which were not."""

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        self.of: Counter[str] = Counter()
        self.failures: list[Failure] = []

    def count(self, kind: str, *, ok: bool) -> None:
        self.of[kind] += 1
        self.met[kind] += ok

    def note(self, kind: str, *, ok: bool, expected: str, held: Iterable[Memory] = ()) -> None:
        """Count it, and keep it in mind as a failure where it is not `ok`."""
        self.count(kind, ok=ok)
        if not ok:
            self.failures.append(Failure(kind, expected, tuple(map(_shown, list(held)[-SHOWN:]))))


def is_current(memory: Memory, today: date) -> bool:
    """Whether `memory` is in force: not superseded, and not ended by anything said since it was learned.

    What was past already when it was learned ("she worked in Oslo until 2020") stays in force as what it is.
    """
    learned_as_past = memory.updated_at == memory.created_at and memory.ended(memory.created_at.astimezone().date())
    return not memory.superseded and (learned_as_past or not memory.ended(today))


def judge(turn: Turn, expected: Sequence[Keep], held: Held, said: Mapping[str, str]) -> Verdict:
    """What `turn` came to. `expected` holds its keeps and those of the turns before; `said` the person's messages.

    The kinds of expectation: `kept` (a fact to be learned here), `still` (one from before), `category`, `standing`,
    `scope` and `valid_from` of those that are there, the changes by name, `never` (a pattern that nothing current
    matches); and of the new memories, each: `wanted` (it meets a keep so far, or takes the place of what was to be
    superseded or ended, and matches no `never`), `harmless` (it matches no `never`), `clean` (it is no junk: harmless,
    and not one too many, which of more than `max_new` are those beyond it, the unwanted first) and `quoted` (its quote
    stands in the message).
    """
    verdict = Verdict()
    _judge_keeps(verdict, turn, held)
    _judge_changes(verdict, turn, held)
    _judge_new(verdict, turn, expected, held)
    _judge_quotes(verdict, held, said)
    return verdict


def _judge_keeps(verdict: Verdict, turn: Turn, held: Held) -> None:
    current = held.current(turn.at.date())
    for keep in turn.keep:
        found = [memory for memory in current if keep.met_by(memory.text)]
        what = " & ".join(keep.match)
        verdict.note("kept" if keep.first else "still", ok=bool(found), expected=what, held=current)
        if found:
            _judge_fields(verdict, keep, found)
    for pattern in turn.never:
        wrong = [memory for memory in current if matches(pattern, memory.text)]
        verdict.note("never", ok=not wrong, expected=pattern, held=wrong)


def _judge_fields(verdict: Verdict, keep: Keep, found: Sequence[Memory]) -> None:
    """One of the memories in question must be as it should."""
    wanted = (
        ("category", keep.category, lambda m: m.category in keep.category),
        ("standing", keep.standing, lambda m: m.standing),
        ("scope", keep.scope, lambda m: m.scope is keep.scope),
        ("valid_from", keep.valid_from, lambda m: m.valid_from == keep.valid_from),
    )
    for kind, value, is_right in wanted:
        if value:
            verdict.note(kind, ok=any(map(is_right, found)), expected=f"{keep.match}: {value}", held=found)


def _judge_changes(verdict: Verdict, turn: Turn, held: Held) -> None:
    today = turn.at.date()
    current = held.current_before(today)
    for kind in CHANGES:
        for pattern in getattr(turn, kind):
            former = [memory for memory in current if matches(pattern, memory.text)]
            if kind == "doubtful":
                ok = any(memory.doubtful and matches(pattern, memory.text) for memory in held.current(today))
            elif kind == "forgotten":
                ok = bool(former) and not any(_is_left(pattern, memory_id, held) for memory_id in held.before)
            else:
                ok = any(_is_over(memory, held, ends=kind == "ended") for memory in former)
            now = [held.after.get(memory.id) for memory in former]
            verdict.note(kind, ok=ok, expected=pattern, held=filter(None, now))


def _is_over(former: Memory, held: Held, *, ends: bool) -> bool:
    now = held.after.get(former.id)
    return now is not None and (now.superseded or (ends and now.valid_to is not None))


def _is_left(pattern: str, memory_id: str, held: Held) -> bool:
    """Whether a version that was there before the turn still is, and matches."""
    return memory_id in held.after and matches(pattern, held.after[memory_id].text)


def _judge_new(verdict: Verdict, turn: Turn, expected: Sequence[Keep], held: Held) -> None:
    new = held.new(turn.at.date())
    wrong = {memory.id for memory in new if any(matches(pattern, memory.text) for pattern in turn.never)}
    wanted = {memory.id for memory in new if memory.id not in wrong and _is_wanted(memory, turn, expected, held)}
    most = len(new) if turn.max_new is None else turn.max_new
    by_worth = sorted(new, key=lambda memory: (memory.id not in wanted, memory.id in wrong))
    surplus = {memory.id for memory in by_worth[most:]}
    for memory in new:
        verdict.count("harmless", ok=memory.id not in wrong)
        verdict.note("clean", ok=memory.id not in wrong | surplus, expected=f"at most {most} new", held=[memory])
        verdict.note("wanted", ok=memory.id in wanted, expected="something to be kept", held=[memory])


def _is_wanted(memory: Memory, turn: Turn, expected: Sequence[Keep], held: Held) -> bool:
    if any(keep.met_by(memory.text) for keep in expected):
        return True
    replaced = [held.before[former].text for former in memory.supersedes if former in held.before]
    return any(matches(pattern, text) for pattern in turn.superseded + turn.ended for text in replaced)


def _judge_quotes(verdict: Verdict, held: Held, said: Mapping[str, str]) -> None:
    for memory in held.after.values():
        if memory.id not in held.before and memory.source is Source.SAID:
            proof = memory.evidence
            ok = proof is not None and bool(proof.quote) and proof.quote in said.get(proof.message_id, "")
            verdict.note("quoted", ok=ok, expected="its quote in the person's message", held=[memory])


def _shown(memory: Memory) -> str:
    marks = [memory.category, memory.scope.value]
    marks += ["standing"] if memory.standing else []
    marks += ["doubtful"] if memory.doubtful else []
    marks += ["superseded"] if memory.superseded else []
    marks += [f"from {memory.valid_from}"] if memory.valid_from else []
    marks += [f"to {memory.valid_to}"] if memory.valid_to else []
    return f"{memory.text} ({', '.join(marks)})"
