"""`memchat status`: how things stand, and what waits to be learned."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli import completion
from memchat.cli.formatting import local, pluralize
from memchat.cli.options import Json, User, build_filter, open_app
from memchat.cli.output import Block, KeyValues, Line, Result, Table
from memchat.core.types import LearningJob
from memchat.errors import NotFound
from memchat.storage.serialization import moment_json

if TYPE_CHECKING:
    from memchat.app import App

Retry = Annotated[bool, typer.Option("--retry", help="Learn now from what waits of the user.")]
Drop = Annotated[
    list[int] | None, typer.Option("--drop", metavar="NUMBER", help="Give waiting work up for good; may be repeated.")
]

WithAgent = Annotated[str | None, completion.agent_option(help="Its model, and what was learned and said with it.")]


def status(
    *,
    user: User = None,
    agent: WithAgent = None,
    retry: Retry = False,
    drop: Drop = None,
    as_json: Json = False,
) -> Result:
    """Show where data is, which model answers, how much is remembered, and what still waits to be learned."""
    with open_app(user) as app:
        notes = [*_dropped(app, drop or ()), *(_retried(app) if retry else ())]
        data = _standing(app, agent)
        failed = retry and any(work["error"] for work in data["pending"])
        return Result(data, _shown(data), notes, as_json, exit_code=1 if failed else 0)


# Status.


def _standing(app: "App", agent: str | None) -> dict[str, Any]:
    settings, store = app.settings, app.store
    choice = app.choice(agent=agent or settings.agent)
    sessions = [one for one in store.conversations.sessions(settings.user) if agent in {None, one.agent}]
    view = build_filter(app, agent, all_sessions=True)
    current = store.memories.count(view)
    every = store.memories.count(replace(view, superseded=True))
    extraction = settings.extraction_model or choice.extraction
    form = app.form_policy.choose(extraction, store.extraction_forms)
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
        "pending": [_work_json(work) for work in store.work.pending(settings.user)],
        "index": _index(app),
    }


def _index(app: "App") -> dict[str, Any]:
    """How the index stands, seen from a process that does not keep it."""
    state = app.engine.index_state(app.fingerprint)
    return {"state": str(state.phase), "memories": state.indexed}


def _work_json(work: LearningJob) -> dict[str, Any]:
    return {
        "number": work.id,
        "session": work.session_id,
        "state": str(work.state),
        "attempts": work.attempts,
        "created_at": moment_json(work.created_at),
        "due_at": moment_json(work.due_at),
        "error": work.error,
    }


def _dropped(app: "App", numbers: Sequence[int]) -> Iterator[str]:
    waiting = {work.id: work for work in app.store.work.pending(app.settings.user)}
    for number in numbers:
        if number not in waiting:
            raise NotFound(f"Nothing waits under the number {number}.", hint="memchat status lists what does.")
    for number in numbers:
        app.store.work.discard(waiting[number])
        yield f"Given up: {number}."


def _retried(app: "App") -> list[str]:
    """Learn from all that waits of the person; what was learned, in a line each."""
    from memchat.learning.pipeline import learn
    from memchat.repl.notifications import learning_lines

    user = app.settings.user
    if not app.store.work.retry_all(user):
        return ["Nothing is waiting."]
    lines: list[str] = []
    context = app.learning_context()
    try:
        while (work := context.store.work.claim(user)) is not None:
            result = learn(context, work)
            lines += learning_lines(result) if result.error is None else [f"Still waiting: {result.error}"]
    finally:
        context.close()
    return lines


def _messages(data: dict[str, int]) -> str:
    """How many messages can be found by their meaning, and how many are still to be indexed."""
    waiting = f", {data['waiting']} still to be indexed (done during a chat)" if data["waiting"] else ""
    return f"{data['indexed']} searchable{waiting}"


def _shown(data: dict[str, Any]) -> Iterator[Block]:
    memories, model, index, pending = data["memories"], data["model"], data["index"], data["pending"]
    yield KeyValues(
        [
            ("home", data["home"]),
            ("user", data["user"]),
            ("model", f"{model['name']} ({model['reason']})"),
            ("extraction", _extraction(model)),
            ("memories", f"{memories['current']} current, {memories['superseded']} superseded"),
            ("conversations", str(data["sessions"])),
            ("messages", _messages(data["messages"])),
            ("waiting", pluralize(len(pending), "exchange", "exchanges") if pending else "nothing"),
            ("index", f"{index['state']}, {pluralize(index['memories'], 'memory', 'memories')}"),
        ]
    )
    if pending:
        rows = [
            (str(w["number"]), str(w["attempts"]), local(w["due_at"]), w["error"] or str(w["state"])) for w in pending
        ]
        yield Line("")
        yield Table(("NUMBER", "ATTEMPTS", "DUE", "WHY"), rows)
        yield Line("memchat status --retry learns from it now, --drop NUMBER gives it up.", "dim")


def _extraction(model: dict[str, Any]) -> str:
    form = model["extraction_form"]
    return f"{model['extraction']}" + (f", compact form: {form['reason']}" if form["name"] == "compact" else "")
