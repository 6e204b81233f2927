"""`memchat sessions`: list, read, search, rename, export and delete conversations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from memchat.chat.transcript_export import conversation_json, message_json, session_json
from memchat.cli import completion
from memchat.cli.forget import ErasurePlan, execute
from memchat.cli.formatting import local
from memchat.cli.imports import import_
from memchat.cli.last_list import LastList, save_numbered
from memchat.cli.lazy_groups import Command, group
from memchat.cli.options import DryRun, Json, NoPager, User, Yes, join_words, open_app
from memchat.cli.output import Block, Line, Result, Table, one_line
from memchat.cli.progress import progress_bar
from memchat.core.protocols import MemoryFilter, MessageFilter
from memchat.core.types import Message, MessageStatus, Owner, Role, Scope, Session
from memchat.storage.serialization import moment_json
from memchat.storage.short_ids import is_generated, short_ids
from memchat.text.plurals import pluralize

if TYPE_CHECKING:
    from memchat.app import App

app = group("sessions", "List, read, search, rename, export and delete conversations.")

Id = Annotated[str, completion.session_argument(help="Id of a conversation, part of one, its name, or @N.")]
Agent = Annotated[str | None, completion.agent_option(help="Only conversations with this agent.")]

_EXCERPT = 60
"""Characters shown before and after a match in a message."""


@app.command("list", cls=Command)
def list_(
    *,
    user: User = None,
    agent: Agent = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="Show at most NUMBER.")] = None,
    no_pager: NoPager = False,
    as_json: Json = False,
) -> Result:
    """List conversations, most recent first."""
    with open_app(user) as app:
        found = [s for s in app.store.conversations.sessions(app.settings.user) if agent in {None, s.agent}]
        found = found[:limit]
        notes = () if found else (f'No conversations found for user "{app.settings.user}".',)
        ids = save_numbered(app.settings, "conversations", [session.id for session in found], _short(app))
        table = Table(("ID", "LAST", "MESSAGES", "TITLE"), [_row(session) for session in found], ids)
        return Result([session_json(session) for session in found], (table,), notes, as_json, paged=not no_pager)


@app.command(cls=Command)
def show(id_: Id, *, user: User = None, no_pager: NoPager = False, as_json: Json = False) -> Result:
    """Show a conversation with all its messages."""
    with open_app(user) as app:
        session = _find(app, id_)
        messages = app.store.conversations.messages(session.id)
        shown: list[Block] = [Line(_title(session), "bold")]
        for message in messages:
            author = session.user if message.role is Role.USER else message.model or str(message.role)
            status = "" if message.status is MessageStatus.COMPLETE else f" ({message.status})"
            head = f"{one_line(author)}, {local(moment_json(message.created_at))}{status}"
            shown += [Line(""), Line(head, "dim"), Line(message.text)]
        return Result(conversation_json(session, messages), shown, as_json=as_json, paged=not no_pager)


@app.command(cls=Command)
def search(
    query: Annotated[list[str], typer.Argument(metavar="TEXT", help="Words to find, or a description of the message.")],
    *,
    user: User = None,
    agent: Agent = None,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Show at most NUMBER messages.")] = 50,
    no_pager: NoPager = False,
    as_json: Json = False,
) -> Result:
    """Search messages: first those that contain all words, then those of similar meaning."""
    text = join_words(query, "query")
    with open_app(user) as app:
        sessions = [s for s in app.store.conversations.sessions(app.settings.user) if agent in {None, s.agent}]
        found = _with_words(app, sessions, text.casefold().split())[:limit]
        if len(found) < limit:
            known = {one.message.id for one in found}
            found += [one for one in _with_meaning(app, sessions, text, agent, limit) if one.message.id not in known]
        found = found[:limit]
        rows = [
            (one.session.id, local(moment_json(one.message.created_at)), one.message.role, one.shown) for one in found
        ]
        data = [
            {"session": one.session.id, "title": one.session.title, **message_json(one.message), "match": one.match}
            for one in found
        ]
        notes = () if found else ("No messages match that.",)
        return Result(
            data, (Table(("ID", "WHEN", "WHO", "WORDS"), rows, _short(app)),), notes, as_json, paged=not no_pager
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A message that was found, the part of it to show, and what matched: "words" or "meaning"."""

    session: Session
    message: Message
    shown: str
    match: str


def _with_words(app: "App", sessions: Sequence[Session], words: Sequence[str]) -> list[_Found]:
    """Return the messages that contain all of `words` (case-folded), newest first."""
    found = []
    spoken = ((session, message) for session in sessions for message in app.store.conversations.messages(session.id))
    for session, message in spoken:
        if all(word in message.text.casefold() for word in words):
            line = one_line(message.text)
            at = max(line.casefold().find(words[0]), 0)
            start, stop = max(at - _EXCERPT, 0), at + len(words[0]) + _EXCERPT
            shown = f"{'…' if start else ''}{line[start:stop]}{'…' if stop < len(line) else ''}"
            found.append(_Found(session, message, shown, "words"))
    return sorted(found, key=lambda one: one.message.created_at, reverse=True)


def _with_meaning(
    app: "App", sessions: Sequence[Session], text: str, agent: str | None, limit: int
) -> Iterator[_Found]:
    """Yield the messages of similar meaning, best first."""
    from memchat.app import UNBOUNDED
    from memchat.recall.excerpts import ExcerptQuery

    finder = app.recall_over(app.store, indexed=False, excerpts=True).excerpts
    view = MessageFilter(Owner.user(app.settings.user), agent, every_agent=agent is None)
    by_id = {session.id: session for session in sessions}
    for excerpt in (
        finder.search(ExcerptQuery(text, view, UNBOUNDED, most=limit, ordinary_tokens=UNBOUNDED)) if finder else ()
    ):
        message = app.store.conversations.message(excerpt.message_id)
        if message is not None and excerpt.session_id in by_id:
            yield _Found(by_id[excerpt.session_id], message, one_line(excerpt.text), "meaning")


@app.command(cls=Command)
def rename(
    id_: Id,
    title: Annotated[list[str], typer.Argument(metavar="TITLE")],
    *,
    user: User = None,
    as_json: Json = False,
) -> Result:
    """Change the title of a conversation."""
    with open_app(user) as app:
        text = app.memory_service.masked(one_line(join_words(title, "title")))
        conversations = app.store.conversations
        session = _find(app, id_)
        conversations.rename(session, text)
        renamed = conversations.session(session.id) or session
        return Result(session_json(renamed), (Line(f"Now: {text}"),), as_json=as_json)


@app.command(cls=Command)
def export(
    ids: Annotated[
        list[str] | None, completion.session_argument(help="Conversations to export (default: all).")
    ] = None,
    *,
    user: User = None,
    agent: Agent = None,
    as_json: Json = False,
) -> Result:
    """Write conversations to standard output as JSON Lines, one conversation with all its messages per line.

    The keys are those of `sessions list --json`, and "messages": a list of {"id", "role", "text", "created_at",
    "status", "model", "recalled"}, where "recalled" contains the ids of the memories in the prompt.
    """
    with open_app(user) as app:
        conversations = app.store.conversations
        named = [_find(app, one) for one in ids] if ids else conversations.sessions(app.settings.user)[::-1]
        found = [session for session in named if agent in {None, session.agent}]
        data = []
        with progress_bar("Exporting", len(found)) as progress:
            for done, session in enumerate(found, 1):
                data.append(conversation_json(session, conversations.messages(session.id)))
                progress(done, len(found))
        return Result(data, as_json=as_json, lines=not as_json)


app.command("import", cls=Command)(import_)


@app.command(cls=Command)
def forget(
    ids: Annotated[
        list[str],
        completion.session_argument(help="Ids of conversations, parts of ids, names, or @N."),
    ],
    *,
    user: User = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> Result:
    """Permanently delete conversations, with the memories that belong to them only. Other memories are kept."""
    with open_app(user) as app:
        named = {session.id: session for session in (_find(app, one) for one in ids)}
        owner, whole = (Owner.user(app.settings.user),), tuple(named)
        views = (
            MemoryFilter(owner, session_id=one, scope=Scope.SESSION, superseded=True, expired=True) for one in whole
        )
        counts = {
            "sessions": len(named),
            "messages": sum(session.messages for session in named.values()),
            "memories": sum(app.store.memories.count(view) for view in views),
        }
        what = pluralize(counts["sessions"], "conversation", "conversations")
        messages = pluralize(counts["messages"], "message", "messages")
        memories = pluralize(counts["memories"], "memory that belongs", "memories that belong")
        shown = (
            Table(("ID", "LAST", "MESSAGES", "TITLE"), [_row(session) for session in named.values()]),
            Line(f"{what} will be deleted, with {messages} and {memories} to them only. Other memories are kept."),
        )
        erase = partial(app.memory_service.forget_sessions, whole)
        plan = ErasurePlan(f"Permanently delete {what}?", shown, counts, whole, erase)
        return execute(plan, yes=yes, dry_run=dry_run, as_json=as_json)


# Output.


def _row(session: Session) -> tuple[str, ...]:
    return session.id, local(moment_json(session.last_at)), str(session.messages), _title(session)


def _title(session: Session) -> str:
    marks = [f"with {session.agent}"] if session.agent else []
    marks += ["private"] if session.private else []
    title = session.title or "(no title)"
    return f"{title} ({', '.join(marks)})" if marks else title


def _find(app: "App", given: str) -> Session:
    """Find a conversation by its id, a part of it, its name, or @N of the last list. Raises NotFound, AmbiguousId."""
    conversations, user = app.store.conversations, app.settings.user
    known = (session.id for session in conversations.sessions(user))
    return conversations.find_session(LastList(app.settings, "conversations").id_of(given, known), user)


def _short(app: "App") -> dict[str, str]:
    """Map each generated id to its shortest unambiguous part; names stay whole."""
    ids = [session.id for session in app.store.conversations.sessions(app.settings.user)]
    return short_ids([id_ for id_ in ids if is_generated(id_)])
