"""`memchat forget`: count, ask, delete permanently, and report whether any traces are left on disk."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli import completion
from memchat.cli.confirm import confirm
from memchat.cli.formatting import rows
from memchat.cli.last_list import LastList
from memchat.cli.options import Category, DryRun, Json, LearnedWith, User, Where, Yes, build_filter, open_app, owners
from memchat.cli.output import Block, KeyValues, Line, Result, Table
from memchat.cli.progress import progress_bar
from memchat.core.protocols import Progress
from memchat.core.types import Memory, Scope
from memchat.errors import UsageError
from memchat.text.plurals import pluralize

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.storage.results import ErasureReport


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """A deletion: the question to ask, what would be deleted, and the function that does it."""

    question: str
    shown: Sequence[Block]
    counts: dict[str, int]
    ids: tuple[str, ...]
    erase: "Callable[[Progress], ErasureReport]"
    notes: Sequence[str] = ()


Ids = Annotated[
    list[str] | None,
    completion.memory_argument(help="Ids of memories, parts of ids, or @N for row N of the last list."),
]
Query = Annotated[str | None, typer.Option("--query", "-q", metavar="TEXT", help="Memories that match TEXT.")]
Everything = Annotated[
    bool,
    typer.Option("--all", help="Everything about the user, with conversations; with a filter, only matching memories."),
]
Shared = Annotated[
    bool, typer.Option("--shared", help="With --agent: also the agent's own memories, which all its users share.")
]
KeepSource = Annotated[
    bool, typer.Option("--keep-source", help="Leave the words they were learned from in your conversations.")
]

_HELP = "See memchat forget --help."


def forget(
    ids: Ids = None,
    *,
    query: Query = None,
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
    """Permanently delete memories, with old versions and quotes, and check that nothing is left on disk.

    memchat asks first. Afterwards it searches every file for the deleted text; the exit code is 1 if any is left. An
    agent's own memories are deleted only with --shared, or by their ids.
    """
    if sum((bool(ids), query is not None, everything)) != 1:
        raise UsageError("Say what to forget: one or more IDs, --query TEXT or --all.", hint=_HELP)
    if shared and (agent is None or ids):
        raise UsageError("--shared needs --agent and --query or --all.", hint=_HELP)
    with open_app(user) as app:
        if everything and not (agent or where or category):
            plan = _plan_user(app)
        elif ids:
            plan = _plan_memories(app, _by_id(app, ids, agent), keep_source=keep_source)
        else:
            view = build_filter(app, agent, where, category, all_sessions=True)
            if query is not None and not query.strip():
                raise UsageError("The query is empty.")
            found = app.store.memories.memories(view) if query is None else app.matching(query, view)
            own = [memory for memory in found if shared or memory.owner.kind is not Scope.AGENT]
            plan = _plan_memories(app, own, keep_source=keep_source, left_out=len(found) - len(own))
        return execute(plan, yes=yes, dry_run=dry_run, as_json=as_json)


def execute(plan: ErasurePlan, *, yes: bool, dry_run: bool, as_json: bool) -> Result:
    """Carry `plan` out once the user agrees, and report the result."""
    if not any(plan.counts.values()):
        data = {"dry_run": dry_run, **plan.counts, "ids": []}
        return Result(data, (Line("There is nothing to forget."),), plan.notes, as_json)
    if dry_run:
        data = {"dry_run": True, **plan.counts, "ids": list(plan.ids)}
        return Result(data, (*plan.shown, Line("Nothing was deleted.")), plan.notes, as_json)
    if not yes and not confirm(plan.shown, plan.question):
        data = {"dry_run": False, **dict.fromkeys(plan.counts, 0), "ids": []}
        return Result(data, (), ("Nothing was deleted.", *plan.notes), as_json, exit_code=1)
    with progress_bar("Deleting") as progress:
        report = plan.erase(progress)
    deleted = [
        pluralize(report.memories, "memory", "memories"),
        pluralize(report.versions, "history entry", "history entries"),
        pluralize(report.messages, "message blanked or deleted", "messages blanked or deleted"),
        pluralize(report.sessions, "conversation", "conversations") if report.sessions else "",
        f"{report.work} not yet learned from" if report.work else "",
    ]
    shown: list[Block] = [Line(f"Deleted: {', '.join(part for part in deleted if part)}.")]
    searched = f"Searched {pluralize(report.files, 'file', 'files')}, {report.bytes:,} bytes"
    if report.left:
        traces = Counter((found.file, found.kind) for found in report.left)
        named = [(file, pluralize(count, kind, f"{kind}s")) for (file, kind), count in sorted(traces.items())]
        shown += [Line(f"{searched}. Traces are left in:"), KeyValues(named)]
        shown.append(Line("Close every other memchat, then run memchat forget again."))
    else:
        shown.append(Line(f"{searched}: no traces are left."))
    data = {**report_json(report), "ids": list(plan.ids)}
    return Result(data, shown, plan.notes, as_json, exit_code=1 if report.left else 0)


def report_json(report: "ErasureReport") -> dict[str, Any]:
    """Convert `report` to JSON, without the text that was searched for: it must not be kept."""
    counts = {key: value for key, value in asdict(report).items() if isinstance(value, int)}
    return {"dry_run": False, **counts, "left": [{"kind": found.kind, "file": found.file} for found in report.left]}


# Plans.


def _by_id(app: "App", ids: Sequence[str], agent: str | None) -> list[Memory]:
    allowed = owners(app.settings.user, agent)
    last_list, known = LastList(app.settings, "memories"), app.store.memories.ids(allowed)
    found = (app.store.memories.find(last_list.id_of(one, known), allowed) for one in ids)
    return list({memory.id: memory for memory in found}.values())


def _plan_memories(app: "App", found: Sequence[Memory], *, keep_source: bool, left_out: int = 0) -> ErasurePlan:
    """Plan the deletion of `found`. `left_out` counts the agent's memories that matched but stay."""
    ids = tuple(memory.id for memory in found)
    earlier = app.store.memories.count_versions(ids) - len(ids)
    counts = {"memories": len(ids) + earlier}
    what = pluralize(len(ids), "memory", "memories")
    if earlier:
        what += f" and {pluralize(earlier, 'earlier version', 'earlier versions')}"
    others = Counter(f"{m.owner.kind} {m.owner.name}" for m in found if m.owner.kind is not Scope.USER)
    shared = "".join(f", {count} of them of {name}, shared by all its users" for name, count in others.items())
    source = "" if keep_source else " The words they were learned from will be removed from your conversations."
    shown = (
        Table(("ID", "SINCE", "CATEGORY", "MEMORY"), list(rows(found))),
        Line(f"{what}{shared and f'{shared},'} will be deleted.{source}"),
    )

    def erase(on_progress: Progress) -> "ErasureReport":
        return app.memory_service.forget(ids, keep_source=keep_source, on_progress=on_progress)

    kept = pluralize(left_out, "memory", "memories")
    notes = (f"Not included: {kept} of the agent, shared by all its users. Use --shared to include them.",)
    return ErasurePlan(f"Permanently delete {what}{shared}?", shown, counts, ids, erase, notes if left_out else ())


def _plan_user(app: "App") -> ErasurePlan:
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
        Line(f"Everything about {user} will be deleted:"),
        KeyValues(
            [
                ("memories", f"{counts['memories']}, with earlier versions"),
                ("conversations", f"{counts['sessions']}, with {counts['messages']} messages"),
                ("not yet learned from", str(counts["work"])),
            ]
        ),
    )
    question = f"Permanently delete everything about {user}?"
    return ErasurePlan(question, shown, counts, (), partial(app.memory_service.forget_person, user))
