"""`memchat memories`: what is remembered, and what a person does with it by hand."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from memchat.cli import completion, options
from memchat.cli.forget import forget
from memchat.cli.formatting import (
    annotated_text,
    as_listed,
    change_json,
    change_text,
    local,
    memory_details,
    pluralize,
    reason_of,
    rows,
)
from memchat.cli.imports import import_
from memchat.cli.last_list import LastList, numbered
from memchat.cli.lazy_groups import Command, group
from memchat.cli.options import (
    Category,
    InScope,
    Json,
    LearnedWith,
    Meta,
    NoPager,
    OfAgent,
    Since,
    Until,
    User,
    Where,
    build_filter,
    open_app,
    owners,
    within,
)
from memchat.cli.output import Line, RawJson, Result, Table, one_line, print_note
from memchat.cli.progress import progress_bar
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Draft, Memory, Owner, Scope, Source
from memchat.errors import UsageError
from memchat.repl.notifications import remember_lines
from memchat.storage.protocols import Sort
from memchat.storage.serialization import memory_json, moment_json, record_json
from memchat.storage.short_ids import short_ids
from memchat.text.decoding import decode_text

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.memories.remember import RememberResult
    from memchat.recall.retriever import Hit

app = group("memories", "What is remembered: list, search, correct, export, forget.")

Id = Annotated[str, completion.memory_argument(help="A memory's id, a part of it, or @N of the last list.")]
Words = Annotated[list[str], typer.Argument(metavar="TEXT")]
Session = Annotated[str | None, completion.session_option(help="Also what is known in this conversation alone.")]
AllSessions = Annotated[bool, typer.Option("--all-sessions", help="Also what is known in single conversations alone.")]
AsOf = Annotated[str | None, typer.Option(metavar="DAY", help="What held on that day, as 2026-06-01.")]
Superseded = Annotated[bool, typer.Option("--include-superseded", help="Also what was replaced.")]
Order = Annotated[
    Sort | None, typer.Option(metavar="ORDER", help="Order by created (usual), updated, since, category or text.")
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="List at most NUMBER memories.")]
Expires = Annotated[str | None, typer.Option(metavar="WHEN", help="A date, or a time from now: 12h, 30d, 8w.")]
ValidFrom = Annotated[str | None, typer.Option(metavar="DAY", help="Since when it is true.")]
Standing = Annotated[
    bool | None,
    typer.Option("--standing/--no-standing", help="A wish for every answer, or none; else English ones are seen."),
]
Replaces = Annotated[
    list[str] | None, completion.replaced_option(help="A memory whose place it takes; may be repeated.")
]
ForAgent = Annotated[str | None, completion.agent_option(help="Keep it for everyone who talks to this agent.")]


@app.command("list", cls=Command)
def list_(
    *,
    user: User = None,
    agent: LearnedWith = None,
    where: Where = None,
    category: Category = None,
    session: Session = None,
    all_sessions: AllSessions = False,
    scope: InScope = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    include_superseded: Superseded = False,
    sort: Order = None,
    limit: Limit = None,
    no_pager: NoPager = False,
    as_json: Json = False,
) -> Result:
    """List memories, the newest first.

    SINCE is the day on which a memory became true or, where it does not say, the day on which it was created.
    """
    with open_app(user) as app:
        view = build_filter(app, agent, where, category, session, all_sessions=all_sessions)
        view = replace(view, superseded=include_superseded, as_of=options.parse_day(as_of, "--as-of"))
        view = within(view, since, until, scope)
        memories = app.store.memories
        if as_json:
            return Result(
                [RawJson(text) for text in memories.listed_json(view, limit, sort or Sort.CREATED)], as_json=True
            )
        found = list(memories.listed(view, limit, sort or Sort.CREATED))
        notes = [] if found else [f"No memories of {app.settings.user} here."]
        if not view.all_sessions and session is None and scope is None:
            notes += _elsewhere(app, view)
        ids = numbered(app.settings, "memories", [one.id for one in found], _short(app, agent))
        table = Table(("ID", "SINCE", "CATEGORY", "MEMORY"), rows(found), ids)
        return Result(None, (table,), notes, paged=not no_pager)


def _elsewhere(app: "App", view: MemoryFilter) -> Iterator[str]:
    """How many memories hold in single conversations alone, if any."""
    if count := app.store.memories.count(replace(view, all_sessions=True, scope=Scope.SESSION)):
        yield f"{count} more in single conversations: --all-sessions lists them."


@app.command(cls=Command)
def search(
    query: Words,
    *,
    user: User = None,
    agent: LearnedWith = None,
    where: Where = None,
    category: Category = None,
    session: Session = None,
    all_sessions: AllSessions = False,
    scope: InScope = None,
    since: Since = None,
    until: Until = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", min=1, metavar="NUMBER", help="At most so many.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    as_json: Json = False,
) -> Result:
    """Search memories by meaning and by words, the best first, as recall does in a chat."""
    from memchat.recall.retriever import Query

    text = options.join_words(query, "query")
    with open_app(user) as app:
        view = build_filter(app, agent, where, category, session, all_sessions=all_sessions)
        view = within(view, since, until, scope)
        found = app.recall.search_all(Query(text, view, top_k=top_k))
        hits = found[: top_k or app.settings.top_k]
        data = [{**memory_json(h.memory), "score": round(h.score, 4), "parts": _parts(h.parts)} for h in hits]
        if not hits:
            return Result(data, (Line("No relevant memories found."),), as_json=as_json)
        short = numbered(app.settings, "memories", [hit.memory.id for hit in hits], _short(app, agent))
        scored = [(hit.memory.id, f"{hit.score:.2f}", _found(hit, explain)) for hit in hits]
        more = len(found) - len(hits)
        notes = (f"{more} more found: --top-k {len(found)} shows them.",) if more and not as_json else ()
        return Result(data, (Table(("ID", "SCORE", "MEMORY"), scored, short),), notes, as_json)


def _parts(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(part), 4) for name, part in parts.items()}


def _found(hit: "Hit", explain: bool) -> str:
    inside = ", ".join(f"{name} {part:+.2f}" for name, part in _parts(hit.parts).items())
    return annotated_text(as_listed(hit.memory)) + (f"  [{inside}]" if explain else "")


@app.command(cls=Command)
def show(id_: Id, *, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Show a memory with where it comes from: the conversation, the words, every version of it."""
    with open_app(user) as app:
        memory = find(app, id_, agent)
        versions = _versions(app, memory)
        history = app.store.memories.history(memory)
        origin = _origin(app, memory)
        data = {
            **memory_json(memory),
            "versions": [memory_json(version) for version in versions],
            "changes": [change_json(change) for change in history],
            "conversation": origin,
        }
        return Result(data, memory_details(memory, versions, origin), as_json=as_json)


@app.command(cls=Command)
def add(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT", help="What to remember; - reads a line for each.")],
    *,
    user: User = None,
    category: Annotated[str, completion.category_option(help="What it is about.")] = "other",
    meta: Meta = None,
    expires: Expires = None,
    valid_from: ValidFrom = None,
    standing: Standing = None,
    replaces: Replaces = None,
    agent: ForAgent = None,
    as_json: Json = False,
) -> Result:
    """Remember each text exactly as it is written.

    The language model decides which memories it replaces; without one, simple English rules do. Other memories about
    the same thing are listed. More than 20 texts at once are kept as they stand.
    """
    from memchat.memories.remember import RememberOptions

    with open_app(user) as app:
        given = list(_texts(texts))
        if replaces and len(given) != 1:
            raise UsageError("With --replaces, give one text.")
        owner = Owner.agent(agent) if agent else Owner.user(app.settings.user)
        draft = Draft(
            "",
            owner,
            owner.kind,
            options.parse_category(app, category, agent),
            agent=agent,
            metadata=options.parse_pairs(meta, "--meta"),
            valid_from=options.parse_day(valid_from, "--valid-from"),
            expires_at=options.parse_expiry(expires, "--expires", app.clock()),
            source=Source.TOLD,
        )
        manner = RememberOptions(standing, _replaced(app, replaces, owner) if replaces else None)
        told = app.rememberer.tell(given, draft, manner)
        told = told if replaces else app.compare_told(told)
        return _told(told, {} if as_json else short_ids(app.store.memories.ids([owner])), as_json=as_json)


def _told(told: "Sequence[RememberResult]", short: Mapping[str, str], *, as_json: bool) -> Result:
    lines = [Line(line) for one in told for line in remember_lines(one, short, named=True)]
    notes = [_SIMILAR] if any(one.similar for one in told) else []
    return Result([memory_json(one.memory) for one in told], lines, notes, as_json=as_json)


_SIMILAR = "memchat forget ID erases one; added with --replaces ID, a text takes its place."


def _replaced(app: "App", ids: Sequence[str], owner: Owner) -> list[Memory]:
    """The current memories of `owner` under `ids`."""
    found = [app.store.memories.find(one, [owner]) for one in ids]
    for memory in found:
        _refuse_former(memory)
    return found


def _texts(given: Sequence[str]) -> Iterator[str]:
    for text in given:
        if text != "-":
            yield text
            continue
        for line in decode_text(sys.stdin.buffer.read(), "Standard input").splitlines():
            if line.strip():
                yield line


@app.command(cls=Command)
def edit(
    id_: Id,
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="The new words; else EDITOR opens.")] = None,
    *,
    user: User = None,
    agent: OfAgent = None,
    as_json: Json = False,
) -> Result:
    """Correct the words of a memory. The former words stay in its history."""
    from memchat.repl.editor import edit_text

    with open_app(user) as app:
        memory = find(app, id_, agent)
        _refuse_former(memory)
        if not text and not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("There is no terminal for an editor.", hint="Give the text: memchat memories edit ID TEXT")
        words = " ".join(text).strip() if text else edit_text(memory.text)
        if not words:
            raise UsageError("The text is empty. Nothing was changed.", hint="memchat forget erases a memory.")
        changed = app.memory_service.edit(memory, words)
        line = "Nothing was changed." if changed == memory else f"Now: {one_line(changed.text)}"
        return Result(memory_json(changed), (Line(line),), as_json=as_json)


@app.command(cls=Command)
def history(id_: Id, *, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Show what happened to a memory and to those it replaced, the oldest first."""
    with open_app(user) as app:
        changes = app.store.memories.history(find(app, id_, agent))
        lines = [(local(moment_json(c.at)), c.event.lower(), reason_of(c), change_text(c)) for c in changes]
        table = Table(("WHEN", "WHAT", "WHY", "WORDS"), lines)
        return Result([change_json(change) for change in changes], (table,), as_json=as_json)


@app.command(cls=Command)
def undo(id_: Id, *, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Take back the last change to a memory: an edit, a replacement, its end, or the doubt about it."""
    with open_app(user) as app:
        memory = app.memory_service.undo(find(app, id_, agent))
        return Result(memory_json(memory), (Line(f"In force: {one_line(memory.text)}"),), as_json=as_json)


@app.command(cls=Command)
def export(
    *,
    user: User = None,
    agent: LearnedWith = None,
    where: Where = None,
    category: Category = None,
    as_json: Json = False,
) -> Result:
    """Write memories to standard output as JSON Lines, with every version, their evidence and their history.

    Each line is an object with the keys of `memories list --json` and "changes", a list of {"order", "event", "at",
    "old_text", "new_text", "reason", "planned_end"}. `memchat memories import` restores them without a difference.
    Damaged rows are left out and counted on standard error; the exit code is then 1.
    """
    with open_app(user) as app:
        view = build_filter(app, agent, where, category, all_sessions=True)
        lost: list[None] = []
        with progress_bar("Exporting") as progress:
            every = replace(view, superseded=True, expired=True)
            records = app.store.transfer.export(every, lambda: lost.append(None), progress)
        if lost:
            print_note(
                f"Left out, as it cannot be read: {pluralize(len(lost), 'row', 'rows')}. memchat doctor says more."
            )
        data = [record_json(record) for record in records]
        return Result(data, as_json=as_json, lines=not as_json, exit_code=1 if lost else 0)


app.command("import", cls=Command)(import_)
app.command("forget", cls=Command)(forget)


# Finding.


def find(app: "App", prefix: str, agent: str | None) -> Memory:
    """The one memory whose id begins with `prefix`, of the user or of the agent named. NotFound, AmbiguousId."""
    whose = owners(app.settings.user, agent)
    given = LastList(app.settings, "memories").id_of(prefix, app.store.memories.ids(whose))
    return app.store.memories.find(given, whose)


def _refuse_former(memory: Memory) -> None:
    """Raise UsageError for a memory that another has replaced."""
    if memory.superseded:
        raise UsageError(
            f"This memory was replaced by {memory.superseded_by}.",
            hint="Name that one, or go back to this one with: memchat memories undo",
        )


def _versions(app: "App", memory: Memory) -> list[Memory]:
    """What `memory` replaced, and what replaced it, oldest first; the memory itself is not among them."""
    get = app.store.memories.get
    earlier: dict[str, Memory] = {}
    queue = list(memory.supersedes)
    for memory_id in queue:
        if memory_id not in earlier and (former := get(memory_id)) is not None:
            earlier[memory_id] = former
            queue.extend(former.supersedes)
    later: dict[str, Memory] = {}
    by = memory.superseded_by
    while by is not None and by not in later and (successor := get(by)) is not None:
        later[by] = successor
        by = successor.superseded_by
    return [*sorted(earlier.values(), key=lambda m: m.created_at), *later.values()]


def _origin(app: "App", memory: Memory) -> dict[str, str | None] | None:
    """The conversation and the message that a memory comes from, as far as they are still there."""
    if memory.evidence is None:
        return None
    session = app.store.conversations.session(memory.evidence.session_id)
    message = app.store.conversations.message(memory.evidence.message_id)
    if session is None or session.user != app.settings.user:
        return None
    return {
        "session": session.id,
        "title": session.title,
        "said_at": moment_json(message.created_at) if message else None,
        "message": message.text if message else None,
    }


def _short(app: "App", agent: str | None) -> dict[str, str] | None:
    """How short each id may be written, where a terminal will show it."""
    if not sys.stdout.isatty():
        return None
    return short_ids(app.store.memories.ids(owners(app.settings.user, agent)))
