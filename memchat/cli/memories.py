"""`memchat memories`: list, search, add, edit, export and import memories."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
    reason_of,
    rows,
)
from memchat.cli.imports import import_
from memchat.cli.last_list import LastList, save_numbered
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
from memchat.core.types import Draft, Memory, Owner, Scope, Source
from memchat.errors import UsageError
from memchat.memories.origin import origin_of
from memchat.repl.notifications import remember_lines
from memchat.storage.results import Sort
from memchat.storage.serialization import memory_json, moment_json, record_json
from memchat.storage.short_ids import short_ids
from memchat.text.decoding import decode_text
from memchat.text.plurals import pluralize

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.memories.remember import RememberResult

app = group("memories", "List, search, add, edit, export and import memories.")

Id = Annotated[str, completion.memory_argument(help="Id of a memory, part of one, or @N for row N of the last list.")]
Words = Annotated[list[str], typer.Argument(metavar="TEXT")]
Session = Annotated[str | None, completion.session_option(help="Include memories that belong to this conversation.")]
AllSessions = Annotated[bool, typer.Option("--all-sessions", help="Include memories that belong to one conversation.")]
AsOf = Annotated[str | None, typer.Option(metavar="DAY", help="Show memories that were valid on DAY (2026-06-01).")]
Superseded = Annotated[bool, typer.Option("--include-superseded", help="Include memories that were replaced.")]
Order = Annotated[
    Sort | None,
    typer.Option(metavar="ORDER", help="Sort by created (default), updated, since, category or text."),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="Show at most NUMBER memories.")]
TopK = Annotated[int | None, typer.Option("--top-k", "-k", min=1, metavar="NUMBER", help="Maximum number of results.")]
Expires = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Date or time span (12h, 30d, 8w) after which it is forgotten.")
]
ValidFrom = Annotated[str | None, typer.Option(metavar="DAY", help="Day from which it is true (2026-06-01).")]
Standing = Annotated[
    bool | None,
    typer.Option("--standing/--no-standing", help="Apply to every answer, or not (default: detected for English)."),
]
Replaces = Annotated[list[str] | None, completion.replaced_option(help="Memory that it replaces (repeatable).")]
Wait = Annotated[
    bool | None,
    typer.Option("--wait/--no-wait", help="Wait until it is known what it replaces (default: a few seconds)."),
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
    """List memories, newest first. SINCE is the day from which a memory is true or, by default, its creation day."""
    with open_app(user) as app:
        view = build_filter(app, agent, where, category, session, all_sessions=all_sessions)
        view = replace(view, superseded=include_superseded, as_of=options.parse_day(as_of, "--as-of"))
        view = within(view, since, until, scope)
        memories, order = app.store.memories, sort or Sort.CREATED
        if as_json:
            return Result([RawJson(text) for text in memories.listed_json(view, limit, order)], as_json=True)
        found = list(memories.listed(view, limit, order))
        notes = [] if found else [f'No memories found for user "{app.settings.user}".']
        if not view.all_sessions and session is None and scope is None:
            others = memories.count(replace(view, all_sessions=True, scope=Scope.SESSION))
            notes += [f"{others} more belong to one conversation: --all-sessions lists them."] if others else []
        ids = save_numbered(app.settings, "memories", [one.id for one in found], _short(app, agent))
        table = Table(("ID", "SINCE", "CATEGORY", "MEMORY"), rows(found), ids)
        return Result(None, (table,), notes, paged=not no_pager)


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
    top_k: TopK = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the parts of each score.")] = False,
    as_json: Json = False,
) -> Result:
    """Search memories by meaning and by words, best first, with the ranking that chats use."""
    from memchat.recall.retriever import Query

    text = options.join_words(query, "query")
    with open_app(user) as app:
        view = build_filter(app, agent, where, category, session, all_sessions=all_sessions)
        view = within(view, since, until, scope)
        found = app.recall.search_all(Query(text, view, top_k=top_k))
        hits = found[: top_k or app.settings.top_k]
        data, scored = [], []
        for hit in hits:
            parts = {name: round(float(part), 4) for name, part in hit.parts.items()}
            data.append({**memory_json(hit.memory), "score": round(hit.score, 4), "parts": parts})
            shown = annotated_text(as_listed(hit.memory))
            if explain:
                shown += f"  [{', '.join(f'{name} {part:+.2f}' for name, part in parts.items())}]"
            scored.append((hit.memory.id, f"{hit.score:.2f}", shown))
        if not hits:
            return Result(data, (Line("No relevant memories found."),), as_json=as_json)
        short = save_numbered(app.settings, "memories", [hit.memory.id for hit in hits], _short(app, agent))
        more = len(found) - len(hits)
        notes = (f"{more} more found: --top-k {len(found)} shows them.",) if more and not as_json else ()
        return Result(data, (Table(("ID", "SCORE", "MEMORY"), scored, short),), notes, as_json)


@app.command(cls=Command)
def show(id_: Id, *, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Show a memory with its source (the conversation and your words) and all its versions."""
    with open_app(user) as app:
        memory = find(app, id_, agent)
        versions = _versions(app, memory)
        history = app.store.memories.history(memory)
        origin = None
        if (found := origin_of(memory, app.store.conversations, app.settings.user)) is not None:
            session, message = found
            said = {"said_at": moment_json(message.created_at), "message": message.text} if message else {}
            origin = {"session": session.id, "title": session.title, "said_at": None, "message": None, **said}
        data = {
            **memory_json(memory),
            "versions": [memory_json(version) for version in versions],
            "changes": [change_json(change) for change in history],
            "conversation": origin,
        }
        return Result(data, memory_details(memory, versions, origin), as_json=as_json)


@app.command(cls=Command)
def add(
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT", help="Text to remember; - reads one memory per line of the input.")
    ],
    *,
    user: User = None,
    category: Annotated[str, completion.category_option(help="Category of the memory.")] = "other",
    meta: Meta = None,
    expires: Expires = None,
    valid_from: ValidFrom = None,
    standing: Standing = None,
    replaces: Replaces = None,
    agent: ForAgent = None,
    wait: Wait = None,
    as_json: Json = False,
) -> Result:
    """Remember each TEXT word for word.

    The language model decides which memories it replaces, later if that takes more than a few seconds; without a model,
    simple English rules do. Similar memories are listed. With more than 20 texts, nothing is replaced.
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
        replaced = [_require_current(app.store.memories.find(one, [owner])) for one in replaces or ()]
        results = _await_decisions(
            app, app.rememberer.tell(given, draft, RememberOptions(standing, replaced or None)), wait
        )
        return _remember_report(results, {} if as_json else short_ids(app.store.memories.ids([owner])), as_json=as_json)


def _await_decisions(app: "App", told: "Sequence[RememberResult]", wait: bool | None) -> "Sequence[RememberResult]":
    """Wait until the language model has decided what `told` replaces, or for a few seconds; Ctrl-C ends the wait."""
    from memchat.memories.remember import COMPARED_WITHIN_S, wait_for_decisions, with_decision

    pending = [one.memory.id for one in told if one.pending]
    if pending and wait is not False:
        worker = app.learning_worker(app.settings.user, app.extraction_model)
        with suppress(KeyboardInterrupt):
            wait_for_decisions(app.open_store, pending, worker, None if wait else COMPARED_WITHIN_S)
    return [with_decision(app.store, one) for one in told]


def _remember_report(results: "Sequence[RememberResult]", short: Mapping[str, str], *, as_json: bool) -> Result:
    lines = [Line(line) for one in results for line in remember_lines(one, short, named=True)]
    notes = [_SIMILAR] if any(one.similar for one in results) else []
    notes += [_PENDING] if any(one.pending for one in results) else []
    data = [{**memory_json(one.memory), "pending": one.pending} for one in results]
    return Result(data, lines, notes, as_json=as_json)


_PENDING = "What this replaces is not decided yet. The next chat decides it; to do it now, run: memchat status --retry"
_SIMILAR = "To delete a similar memory: memchat forget ID. To replace it: memchat memories add TEXT --replaces ID."


def _texts(given: Sequence[str]) -> Iterator[str]:
    """Yield the texts; for "-", yield each line of standard input that is not blank."""
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
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="New text (default: opens $EDITOR).")] = None,
    *,
    user: User = None,
    agent: OfAgent = None,
    as_json: Json = False,
) -> Result:
    """Change the text of a memory. Its history keeps the old text."""
    from memchat.repl.editor import edit_text

    with open_app(user) as app:
        memory = _require_current(find(app, id_, agent))
        if not text and not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("There is no terminal for an editor.", hint="Give the text: memchat memories edit ID TEXT")
        words = " ".join(text).strip() if text else edit_text(memory.text)
        if not words:
            raise UsageError("The text is empty. Nothing was changed.", hint="To delete a memory, use memchat forget.")
        changed = app.memory_service.edit(memory, words)
        line = "Nothing was changed." if changed == memory else f"Now: {one_line(changed.text)}"
        return Result(memory_json(changed), (Line(line),), as_json=as_json)


@app.command(cls=Command)
def history(id_: Id, *, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Show the changes to a memory and to those it replaced, oldest first."""
    with open_app(user) as app:
        changes = app.store.memories.history(find(app, id_, agent))
        lines = [(local(moment_json(c.at)), c.event.lower(), reason_of(c), change_text(c)) for c in changes]
        table = Table(("WHEN", "WHAT", "WHY", "WORDS"), lines)
        return Result([change_json(change) for change in changes], (table,), as_json=as_json)


@app.command(cls=Command)
def undo(id_: Id, *, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Undo the last change to a memory: an edit, a replacement, its end, or a mark as possibly outdated."""
    with open_app(user) as app:
        memory = app.memory_service.undo(find(app, id_, agent))
        return Result(memory_json(memory), (Line(f"Now: {one_line(memory.text)}"),), as_json=as_json)


@app.command(cls=Command)
def export(
    *,
    user: User = None,
    agent: LearnedWith = None,
    where: Where = None,
    category: Category = None,
    as_json: Json = False,
) -> Result:
    """Write memories to standard output as JSON Lines, with all versions, sources and changes.

    Each line is an object with the keys of `memories list --json` and "changes", a list of {"order", "event", "at",
    "old_text", "new_text", "reason", "planned_end"}. `memchat memories import` restores them exactly. Damaged rows are
    skipped and counted on standard error; the exit code is then 1.
    """
    with open_app(user) as app:
        view = build_filter(app, agent, where, category, all_sessions=True)
        lost: list[None] = []
        with progress_bar("Exporting") as progress:
            every = replace(view, superseded=True, expired=True)
            records = app.store.transfer.export(every, lambda: lost.append(None), progress)
        if lost:
            print_note(f"Skipped {pluralize(len(lost), 'unreadable row', 'unreadable rows')}. See memchat doctor.")
        data = [record_json(record) for record in records]
        return Result(data, as_json=as_json, lines=not as_json, exit_code=1 if lost else 0)


app.command("import", cls=Command)(import_)
app.command("forget", cls=Command)(forget)


# Look-up.


def find(app: "App", given: str, agent: str | None) -> Memory:
    """Find a memory of the user or of `agent` by its id, a part of it, or @N. Raises NotFound, AmbiguousId."""
    allowed = owners(app.settings.user, agent)
    id_ = LastList(app.settings, "memories").id_of(given, app.store.memories.ids(allowed))
    return app.store.memories.find(id_, allowed)


def _require_current(memory: Memory) -> Memory:
    """Return `memory`. Raises UsageError if another one has replaced it."""
    if memory.superseded:
        raise UsageError(
            f"This memory was replaced by {memory.superseded_by}.",
            hint="Use that id, or restore this memory: memchat memories undo ID",
        )
    return memory


def _versions(app: "App", memory: Memory) -> list[Memory]:
    """Return the other versions of `memory`, earlier and later, oldest first."""
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


def _short(app: "App", agent: str | None) -> dict[str, str] | None:
    """Map each id to its shortest unambiguous part; None if stdout is not a terminal."""
    if not sys.stdout.isatty():
        return None
    return short_ids(app.store.memories.ids(owners(app.settings.user, agent)))
