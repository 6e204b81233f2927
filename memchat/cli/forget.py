"""`memchat forget`: count, ask, erase down to the bytes, and say what the search afterwards found."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli import completion
from memchat.cli.confirm import confirm
from memchat.cli.formatting import pluralize, rows
from memchat.cli.last_list import LastList
from memchat.cli.options import Category, DryRun, Json, LearnedWith, User, Where, Yes, build_filter, open_app, owners
from memchat.cli.output import Block, KeyValues, Line, Result, Table
from memchat.cli.progress import progress_bar
from memchat.core.protocols import MemoryFilter, Progress
from memchat.core.types import Memory, Scope
from memchat.errors import UsageError

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.storage.protocols import ErasureReport


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What an erasure would take, and how to carry it out."""

    question: str
    shown: Sequence[Block]
    counts: dict[str, int]
    ids: tuple[str, ...]
    erase: "Callable[[Progress], ErasureReport]"
    notes: Sequence[str] = ()


Everything = Annotated[
    bool,
    typer.Option("--all", help="Everything of the user, conversations too; with a filter, the memories it names."),
]
Shared = Annotated[
    bool, typer.Option("--shared", help="With --agent: also the agent's own memories, which all its users share.")
]
KeepSource = Annotated[
    bool, typer.Option("--keep-source", help="Leave the quoted words in the conversations they come from.")
]


def forget(
    ids: Annotated[
        list[str] | None,
        completion.memory_argument(help="Memories: ids, parts of them, @N of the last list."),
    ] = None,
    *,
    query: Annotated[str | None, typer.Option("--query", "-q", metavar="TEXT", help="What a search finds.")] = None,
    everything: Everything = False,
    user: User = None,
    agent: LearnedWith = None,
    shared: Shared = False,
    where: Where = None,
    category: Category = None,
    keep_source: KeepSource = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> Result:
    """Erase memories for good: every version, the quoted words, every byte of them.

    Counts first, and asks. Afterwards every file is searched for what was erased; the exit code is 1 if any is left.
    Memories of an agent itself go only with --shared, or by their ids.
    """
    help_ = "memchat forget --help says more."
    if sum((bool(ids), query is not None, everything)) != 1:
        raise UsageError("Name what to forget: ids, --query or --all, one of them.", hint=help_)
    if shared and (agent is None or ids):
        raise UsageError("--shared goes with --agent and --query or --all.", hint=help_)
    with open_app(user) as app:
        if everything and not (agent or where or category):
            plan = _person(app)
        elif ids:
            plan = _memories(app, _named(app, ids, agent), keep_source=keep_source)
        else:
            view = build_filter(app, agent, where, category, all_sessions=True)
            found = _found(app, query, view)
            own = [memory for memory in found if shared or memory.owner.kind is not Scope.AGENT]
            plan = _memories(app, own, keep_source=keep_source, stays=len(found) - len(own))
        return execute(plan, yes=yes, dry_run=dry_run, as_json=as_json)


def execute(plan: ErasurePlan, *, yes: bool, dry_run: bool, as_json: bool) -> Result:
    """Erase what `plan` names, once that is agreed, and tell what came of it."""
    if not any(plan.counts.values()):
        data = {"dry_run": dry_run, **plan.counts, "ids": []}
        return Result(data, (Line("There is nothing to forget."),), plan.notes, as_json)
    if dry_run:
        data = {"dry_run": True, **plan.counts, "ids": list(plan.ids)}
        return Result(data, (*plan.shown, Line("Nothing was erased.")), plan.notes, as_json)
    if not yes and not confirm(plan.shown, plan.question):
        data = {"dry_run": False, **dict.fromkeys(plan.counts, 0), "ids": []}
        return Result(data, (), ("Nothing was erased.", *plan.notes), as_json, exit_code=1)
    with progress_bar("Erasing") as progress:
        receipt = plan.erase(progress)
    data = {**receipt_json(receipt), "ids": list(plan.ids)}
    return Result(data, _receipt(receipt), plan.notes, as_json, exit_code=1 if receipt.left else 0)


# What would go.


def _named(app: "App", ids: Sequence[str], agent: str | None) -> list[Memory]:
    whose = owners(app.settings.user, agent)
    rows_shown, known = LastList(app.settings, "memories"), app.store.memories.ids(whose)
    given = [rows_shown.id_of(one, known) for one in ids]
    found = {memory.id: memory for memory in (app.store.memories.find(one, whose) for one in given)}
    return list(found.values())


def _found(app: "App", query: str | None, view: MemoryFilter) -> list[Memory]:
    if query is None:
        return app.store.memories.memories(view)
    if not query.strip():
        raise UsageError("The query is empty.")
    return app.matching(query, view)


def _memories(app: "App", found: Sequence[Memory], *, keep_source: bool, stays: int = 0) -> ErasurePlan:
    """`stays` is how many shared ones were found too, and are left out."""
    ids = tuple(memory.id for memory in found)
    earlier = app.store.memories.count_versions(ids) - len(ids)
    counts = {"memories": len(ids) + earlier}
    what = pluralize(len(ids), "memory", "memories")
    if earlier:
        what += f" and {pluralize(earlier, 'earlier version', 'earlier versions')}"
    of = Counter(f"{m.owner.kind} {m.owner.name}" for m in found if m.owner.kind is not Scope.USER)
    shared = "".join(f", {count} of them of {name}, shared by all its users" for name, count in of.items())
    source = "" if keep_source else " The words they were learned from are blanked in the conversations."
    shown = (
        Table(("ID", "SINCE", "CATEGORY", "MEMORY"), list(rows(found))),
        Line(f"{what}{shared and f'{shared},'} would be erased.{source}"),
    )

    def erase(on_progress: Progress) -> "ErasureReport":
        return app.memory_service.forget(ids, keep_source=keep_source, on_progress=on_progress)

    left_out = f"Left out: {pluralize(stays, 'memory', 'memories')} of the agent, shared by all its users (--shared)."
    return ErasurePlan(f"Erase {what}{shared} for good?", shown, counts, ids, erase, (left_out,) if stays else ())


def _person(app: "App") -> ErasurePlan:
    user = app.settings.user
    store = app.store
    every = replace(build_filter(app, all_sessions=True), superseded=True, expired=True)
    sessions = store.conversations.sessions(user)
    counts = {
        "memories": store.memories.count(every),
        "sessions": len(sessions),
        "messages": sum(session.messages for session in sessions),
        "work": len(store.work.pending(user)),
    }
    shown = (
        Line(f"Everything of {user} would be erased:"),
        KeyValues(
            [
                ("memories", f"{counts['memories']}, earlier versions included"),
                ("conversations", f"{counts['sessions']}, with {counts['messages']} messages"),
                ("waiting to be learned", str(counts["work"])),
            ]
        ),
    )
    question = f"Erase everything of {user} for good?"
    return ErasurePlan(question, shown, counts, (), partial(app.memory_service.forget_person, user))


# What came of it.


def receipt_json(receipt: "ErasureReport") -> dict[str, Any]:
    """Without the words that were searched for: they are what must not be kept."""
    counts = {key: value for key, value in asdict(receipt).items() if isinstance(value, int)}
    return {"dry_run": False, **counts, "left": [{"kind": found.kind, "file": found.file} for found in receipt.left]}


def _receipt(receipt: "ErasureReport") -> list[Block]:
    erased = [
        pluralize(receipt.memories, "memory", "memories"),
        pluralize(receipt.versions, "entry of history", "entries of history"),
        pluralize(receipt.messages, "message blanked or erased", "messages blanked or erased"),
        pluralize(receipt.sessions, "conversation", "conversations") if receipt.sessions else "",
        f"{receipt.work} waiting to be learned" if receipt.work else "",
    ]
    searched = f"Searched {pluralize(receipt.files, 'file', 'files')}, {receipt.bytes:,} bytes"
    lines: list[Block] = [Line(f"Erased: {', '.join(part for part in erased if part)}.")]
    if not receipt.left:
        return [*lines, Line(f"{searched}: nothing of it is left.")]
    traces = Counter((found.file, found.kind) for found in receipt.left)
    lines.append(Line(f"{searched}. Still there:"))
    lines.append(
        KeyValues([(file, pluralize(count, kind, f"{kind}s")) for (file, kind), count in sorted(traces.items())])
    )
    return [*lines, Line("memchat forget can be run again once no other memchat is open.")]
