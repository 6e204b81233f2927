"""`memchat status`: show the model, memory counts and pending work."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli import completion
from memchat.cli.formatting import local
from memchat.cli.options import Json, User, build_filter, open_app
from memchat.cli.output import Block, KeyValues, Line, Result, Table
from memchat.core.types import LearningJob
from memchat.errors import NotFound
from memchat.storage.serialization import moment_json
from memchat.text.plurals import pluralize

if TYPE_CHECKING:
    from memchat.app import App

Retry = Annotated[bool, typer.Option("--retry", help="Learn from what is pending now.")]
Drop = Annotated[
    list[int] | None,
    typer.Option("--drop", metavar="NUMBER", help="Discard what is pending under NUMBER (repeatable)."),
]

WithAgent = Annotated[str | None, completion.agent_option(help="Show this agent's model, memories and conversations.")]


def status(
    *,
    user: User = None,
    agent: WithAgent = None,
    retry: Retry = False,
    drop: Drop = None,
    as_json: Json = False,
) -> Result:
    """Show the data folder, the model, the number of memories, and what is not learned yet."""
    with open_app(user) as app:
        pending = {job.id: job for job in app.store.work.pending(app.settings.user)}
        for number in drop or ():
            if number not in pending:
                raise NotFound(f"Nothing pending has the number {number}.", hint="memchat status lists them.")
        for number in drop or ():
            app.store.work.discard(pending[number])
        notes = [f"Discarded {number}." for number in drop or ()] + (_learn_pending(app) if retry else [])
        data = _status(app, agent)
        failed = retry and any(job["error"] for job in data["pending"])
        return Result(data, _blocks(data), notes, as_json, exit_code=1 if failed else 0)


def _status(app: "App", agent: str | None) -> dict[str, Any]:
    settings, store = app.settings, app.store
    choice = app.choice(agent=agent or settings.agent)
    sessions = [one for one in store.conversations.sessions(settings.user) if agent in {None, one.agent}]
    view = build_filter(app, agent, all_sessions=True)
    current = store.memories.count(view)
    every = store.memories.count(replace(view, superseded=True))
    extraction = settings.extraction_model or choice.extraction
    form = app.learning_setup.form_policy.choose(extraction, store.extraction_forms)
    index = app.engine.index_state(app.fingerprint)
    return {
        "home": str(settings.home),
        "user": settings.user,
        "model": {
            "name": choice.name,
            "reason": choice.reason,
            "extraction": extraction,
            "extraction_form": {"name": "compact" if form.compact else "full", "reason": form.reason},
        },
        "memories": {"current": current, "superseded": every - current},
        "sessions": len(sessions),
        "messages": {
            "indexed": store.message_index.indexed(settings.user),
            "waiting": store.message_index.backlog(settings.user),
        },
        "pending": [_job_json(job) for job in store.work.pending(settings.user)],
        "index": {"state": str(index.phase), "memories": index.indexed},
    }


def _job_json(job: LearningJob) -> dict[str, Any]:
    return {
        "number": job.id,
        "session": job.session_id or None,
        "memory": job.memory_id,
        "state": str(job.state),
        "attempts": job.attempts,
        "created_at": moment_json(job.created_at),
        "due_at": moment_json(job.due_at),
        "error": job.error,
    }


def _learn_pending(app: "App") -> list[str]:
    """Do all pending jobs of the user; returns a line for each result."""
    from memchat.learning.pipeline import learn
    from memchat.repl.notifications import learning_lines

    user, jobs = app.settings.user, app.store.work
    jobs.retry_all(user)
    if not jobs.due(user):
        return ["Another process is learning from what is pending." if jobs.pending(user) else "Nothing is pending."]
    lines: list[str] = []
    context = app.learning_context()
    try:
        while (job := context.store.work.claim(user)) is not None:
            result = learn(context, job)
            lines += learning_lines(result) if result.error is None else [f"Still pending: {result.error}"]
    finally:
        context.close()
    return lines


def _blocks(data: dict[str, Any]) -> Iterator[Block]:
    memories, messages, model = data["memories"], data["messages"], data["model"]
    index, pending, form = data["index"], data["pending"], model["extraction_form"]
    compact = f", compact form: {form['reason']}" if form["name"] == "compact" else ""
    unindexed = f", {messages['waiting']} to be indexed during the next chat" if messages["waiting"] else ""
    added = sum(job["memory"] is not None for job in pending)
    counts = ((len(pending) - added, "exchange", "exchanges"), (added, "added memory", "added memories"))
    waiting = ", ".join(pluralize(count, one, many) for count, one, many in counts if count)
    yield KeyValues(
        [
            ("home", data["home"]),
            ("user", data["user"]),
            ("model", f"{model['name']} ({model['reason']})"),
            ("extraction", f"{model['extraction']}{compact}"),
            ("memories", f"{memories['current']} current, {memories['superseded']} superseded"),
            ("conversations", str(data["sessions"])),
            ("messages", f"{messages['indexed']} searchable{unindexed}"),
            ("pending", waiting or "nothing"),
            ("index", f"{index['state']}, {pluralize(index['memories'], 'memory', 'memories')}"),
        ]
    )
    if pending:
        rows = [
            (str(w["number"]), str(w["attempts"]), local(w["due_at"]), w["error"] or str(w["state"])) for w in pending
        ]
        yield Line("")
        yield Table(("NUMBER", "ATTEMPTS", "DUE", "WHY"), rows)
        yield Line("memchat status --retry processes them now; --drop NUMBER discards one.", "dim")
