"""`memchat status`, `config` and `models`: how things stand, what is set, and who answers."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli.formatting import local, pluralize
from memchat.cli.options import Json, User, build_filter, open_app
from memchat.cli.output import Block, KeyValues, Line, Result, Table
from memchat.config import SECRET_SETTINGS, SETTING_NAMES, load_settings
from memchat.core.types import LearningJob
from memchat.errors import NotFound
from memchat.storage.serialization import moment_json

if TYPE_CHECKING:
    from memchat.app import App

Retry = Annotated[bool, typer.Option("--retry", help="Learn now from what waits of the user.")]
Drop = Annotated[
    list[int] | None, typer.Option("--drop", metavar="NUMBER", help="Give waiting work up for good; may be repeated.")
]

WithAgent = Annotated[
    str | None,
    typer.Option("--agent", "-a", metavar="NAME", help="Its model, and what was learned and said with it."),
]

MASKED = "(hidden)"


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


def config(*, user: User = None, as_json: Json = False) -> Result:
    """Show every setting, its value, and where it comes from. Keys of providers are no settings and never shown."""
    settings = load_settings(user=user)
    origins = {"home": "MEMCHAT_HOME" if os.environ.get("MEMCHAT_HOME") else "default", **settings.origins}
    origins.setdefault("user", "login name")
    values: dict[str, Any] = {"home": str(settings.home)}
    values.update({name: getattr(settings, name) for name in SETTING_NAMES})
    values.update({name: MASKED for name in SECRET_SETTINGS if values[name] is not None})
    data: dict[str, Any] = {
        name: {"value": value, "from": origins.get(name, "default")} for name, value in values.items()
    }
    rows = [(name, entry["from"], _written(entry["value"])) for name, entry in data.items()]
    shown: list[Block] = [Table(("SETTING", "FROM", "VALUE"), rows)]
    data["agents"] = {"value": sorted(settings.agents), "from": settings.config_file.name}
    if settings.agents:
        shown.append(Line(f"Agents with a profile: {', '.join(sorted(settings.agents))}"))
    shown.append(Line(f"The settings file is {settings.config_file}", "dim"))
    return Result(data, shown, as_json=as_json)


def models(*, user: User = None, as_json: Json = False) -> Result:
    """List the models within reach, the one that would be used marked with *."""
    from memchat.llm.providers import OFFLINE, PROVIDERS, choose_model, ollama_address, ollama_models

    settings = load_settings(user=user)
    address = ollama_address(os.environ)
    local_ones = ollama_models(address)
    chosen = choose_model(os.environ, explicit=settings.model, ollama_probe=lambda _: local_ones)
    extraction = settings.extraction_model or chosen.extraction
    within: dict[str, str] = {p.chat: f"{p.key} is set" for p in PROVIDERS if p.has_key(os.environ)}
    within.update({f"ollama_chat/{name}": f"Ollama at {address}" for name in local_ones})
    within[OFFLINE] = "built in: no language model, answers from memory alone"
    within = {chosen.name: within.get(chosen.name, chosen.reason), **within}
    data = [
        {"name": name, "chosen": name == chosen.name, "why": chosen.reason if name == chosen.name else why}
        for name, why in within.items()
    ]
    rows = [("*" if entry["chosen"] else " ", str(entry["name"]), str(entry["why"])) for entry in data]
    shown: list[Block] = [Table((" ", "MODEL", "WHY"), rows), Line(f"Memories are extracted with {extraction}.", "dim")]
    others = [(p.chat, f"set {p.key}") for p in PROVIDERS if not p.has_key(os.environ)]
    if not local_ones:
        others.append(("ollama_chat/llama3.2", f"start Ollama ({address}), then: ollama pull llama3.2"))
    others.append(("openai/NAME", "another server: set OPENAI_API_BASE to its address, and OPENAI_API_KEY"))
    shown += [Line(""), Table(("ALSO POSSIBLE", "HOW"), others), Line("memchat setup does it step by step.", "dim")]
    return Result(data, shown, as_json=as_json)


# Status.


def _standing(app: "App", agent: str | None) -> dict[str, Any]:
    settings, store = app.settings, app.store
    choice = app.choice(agent=agent or settings.agent)
    sessions = [one for one in store.transcripts.sessions(settings.user) if agent in {None, one.agent}]
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
            lesson = learn(context, work)
            lines += learning_lines(lesson) if lesson.error is None else [f"Still waiting: {lesson.error}"]
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


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)
