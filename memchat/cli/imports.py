"""`memchat memories import` and `memchat sessions import`: files of memchat's and of other programs."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli.formatting import pluralize
from memchat.cli.options import Json, User, open_app
from memchat.cli.output import Line, Result, print_note
from memchat.cli.progress import progress_bar
from memchat.core.types import LearningOptions, Owner, Scope
from memchat.errors import MemchatError, UsageError
from memchat.storage.protocols import Imported
from memchat.storage.serialization import Record, with_owner

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.importers.found import Dialogue, Found
    from memchat.memories.dialogues import Estimate

File = Annotated[str, typer.Argument(metavar="FILE", help="The file to read; - is standard input.")]
KeepUsers = Annotated[
    bool, typer.Option("--keep-users", help="Keep each memory with the user that the file names for it.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what the file holds and what learning takes; import nothing."),
]
Learn = Annotated[
    bool | None,
    typer.Option("--learn/--no-learn", help="Learn from conversations; else from all but memchat's own exports."),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Learn now, or leave it to memchat's next conversation.")]

OWN_SESSIONS = "memchat sessions"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _How:
    """The options of an import."""

    user: str | None
    keep_users: bool
    learn: bool | None
    wait: bool


def import_(
    file: File,
    *,
    user: User = None,
    keep_users: KeepUsers = False,
    dry_run: DryRun = False,
    learn: Learn = None,
    wait: Wait = True,
    as_json: Json = False,
) -> Result:
    """Restore an export, or take in what other programs have kept.

    The file is recognised by what is in it: memchat's own exports, mem0, ChatGPT, Claude, Gemini Takeout, OpenMemory,
    Open WebUI, the MCP memory server, chat messages as JSON Lines, CSV, Markdown and plain lists, and archives of
    these. Facts become memories; conversations keep their dates, and are learned from. What cannot be read is named and
    left out; the exit code is then 1. An import that was interrupted can be repeated: what is there already stays.

    Memories of an agent, a run or until a day stay so. Where the file names another user than yours, --user says whose
    everything becomes, or --keep-users keeps each with its own.
    """
    from memchat.importers.files import read_file
    from memchat.importers.found import Reading

    if keep_users and user is not None:
        raise UsageError("Give --user or --keep-users, not both.")
    raw = _read(file)
    with open_app(user) as app:
        owner = Owner.user(app.settings.user)
        found = read_file(raw, Reading(owner, app.clock(), app.memory_service.clean, keep_users))
        _refuse_nothing(found, file)
        others = _others(found.facts, owner)
        if others and user is None and not keep_users:
            raise UsageError(
                f"{file} names another user than {owner.name}: {_some(others)}. Nothing was imported.",
                hint=f"Say whose the memories become: --user {others[0]}, --user {owner.name}, or --keep-users.",
            )
        how = _How(user, keep_users, learn, wait)
        return _dry_run(app, found, how, as_json) if dry_run else _import(app, found, how, others, as_json)


def _refuse_nothing(found: "Found", file: str) -> None:
    if not found.facts and not any(dialogue.messages for dialogue in found.dialogues):
        said = "; ".join(f"{skipped.place} {skipped.reason}" for skipped in found.skipped[:_SHOWN])
        if said or found.formats:
            reason = f": {said}" if said else ""
            raise UsageError(f"{file} holds nothing to import{reason}. Nothing was imported.", hint=_HINT)


_HINT = "memchat memories import --help says what can be imported."


def _others(facts: Sequence[Record], owner: Owner) -> list[str]:
    return sorted({record.user for record in facts if record.user is not None} - {owner.name})


def _import(app: "App", found: "Found", how: _How, others: Sequence[str], as_json: bool) -> Result:
    owner = Owner.user(app.settings.user)
    records = [app.memory_service.masked_record(record) for record in found.facts]
    if how.user is not None:
        records = [with_owner(record, owner) for record in records]
    came = _restore_facts(app, records)
    conversations, messages = _restore_dialogues(app, found, how)
    learned = _learn(app) if messages and how.wait and _learns(found, how) else None
    lines = []
    if records or not found.dialogues:
        known = f"{came.known} were there already"
        lines.append(Line(f"{pluralize(len(came.ids), 'memory', 'memories')} imported, {known}."))
    if found.dialogues:
        said = pluralize(messages, "message", "messages")
        lines.append(Line(f"{said} imported in {pluralize(conversations, 'conversation', 'conversations')}."))
    if learned is not None:
        lines.append(Line(learned))
    data = {
        "imported": len(came.ids),
        "known": came.known,
        "ids": list(came.ids),
        "conversations": conversations,
        "messages": messages,
        "skipped": [{"place": one.place, "reason": one.reason} for one in found.skipped],
    }
    return Result(data, lines, _notes(found, how, others, owner), as_json, exit_code=1 if found.skipped else 0)


def _notes(found: "Found", how: _How, others: Sequence[str], owner: Owner) -> list[str]:
    notes = [f"{skipped.place} {skipped.reason}: left out." for skipped in found.skipped[:_SHOWN]]
    if more := len(found.skipped) - _SHOWN:
        notes += [f"{more} more left out: --json lists them."] if more > 0 else []
    if others and not how.keep_users:
        notes.append(f"What the file has of {_some(others)} is of {owner.name} here.")
    agents = {record.memory.owner.name for record in found.facts if record.memory.owner.kind is Scope.AGENT}
    if agents:
        notes.append(f"What is shared by all who talk to {_some(sorted(agents))} stays so.")
    if found.unused:
        notes.append(f"Not taken over, for there is no place for it: {', '.join(sorted(found.unused))}.")
    return notes


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise MemchatError(f"{file} cannot be read: {error.strerror}.") from error


# Steps.


def _restore_facts(app: "App", records: Sequence[Record]) -> Imported:
    if not records:
        return Imported((), 0)
    if len(records) > 1_000:
        print_note(f"Importing {len(records)} memories…")
    return app.store.transfer.restore(records, app.embedder)


def _learns(found: "Found", how: _How) -> bool:
    return how.learn if how.learn is not None else OWN_SESSIONS not in found.formats


def _restore_dialogues(app: "App", found: "Found", how: _How) -> tuple[int, int]:
    """How many conversations brought anything new, and how many messages."""
    settings = app.settings
    terms = LearningOptions(settings.instructions) if _learns(found, how) else None
    from memchat.memories.dialogues import DialogueImporter

    importer = DialogueImporter(app.store.conversations, settings.user, app.memory_service.masked, terms)
    origin = found.formats[0] if found.formats else ""
    spoken = sorted((one for one in found.dialogues if one.messages), key=lambda one: one.messages[0].at)
    conversations = messages = 0
    with progress_bar("Conversations", len(spoken)) as progress:
        for done, dialogue in enumerate(spoken, 1):
            new = importer.restore(dialogue, origin)
            conversations += new > 0
            messages += new
            progress(done, len(spoken))
    return conversations, messages


def _learn(app: "App") -> str:
    """Learn from all that waits of the person; Ctrl-C leaves the rest for later."""
    from memchat.learning.pipeline import learn

    user = app.settings.user
    kept = failed = done = 0
    context = app.learning_context()
    try:
        total = len(context.store.work.pending(user))
        with progress_bar("Learning", total) as progress:
            while (work := context.store.work.claim(user)) is not None:
                result = learn(context, work)
                kept += len(result.applied)
                failed += result.error is not None
                done += 1
                progress(done, total)
    except KeyboardInterrupt:
        print_note("Stopped. What is left is learned by memchat's next conversation, or by: memchat status --retry")
        raise
    finally:
        context.close()
    left = f" {pluralize(failed, 'exchange', 'exchanges')} could not be learned from yet." if failed else ""
    return f"{pluralize(kept, 'memory', 'memories')} learned or changed.{left}"


# What it would take.


def _dry_run(app: "App", found: "Found", how: _How, as_json: bool) -> Result:
    from memchat.memories.dialogues import Estimate, estimate

    takes = estimate(found.dialogues) if _learns(found, how) else Estimate(0, 0, 0)
    model = app.settings.extraction_model or app.choice().extraction
    cost = _cost_usd(model, takes)
    spoken = sum(len(dialogue.messages) for dialogue in found.dialogues)
    data: dict[str, Any] = {
        "formats": found.formats,
        "memories": len(found.facts),
        "conversations": len(found.dialogues),
        "messages": spoken,
        "calls": takes.calls,
        "prompt_tokens": takes.prompt_tokens,
        "completion_tokens": takes.completion_tokens,
        "model": model,
        "cost_usd": cost,
        "skipped": [{"place": one.place, "reason": one.reason} for one in found.skipped],
    }
    lines = [Line(f"{', '.join(found.formats)}: {_contents(found.facts, found.dialogues)}.")]
    if takes.calls:
        price = "its price is not known" if cost is None else f"about ${cost:.2f}"
        tokens = f"about {takes.prompt_tokens:,} tokens read and {takes.completion_tokens:,} written"
        lines.append(Line(f"Learning asks {model} {pluralize(takes.calls, 'time', 'times')}: {tokens}, {price}."))
    return Result(data, lines, _notes(found, how, (), Owner.user(app.settings.user)), as_json)


def _contents(facts: Sequence[Record], dialogues: "Iterable[Dialogue]") -> str:
    spoken = [dialogue for dialogue in dialogues if dialogue.messages]
    messages = sum(len(dialogue.messages) for dialogue in spoken)
    parts = [pluralize(len(facts), "memory", "memories")] if facts else []
    if spoken:
        held = pluralize(len(spoken), "conversation", "conversations")
        parts.append(f"{held} with {pluralize(messages, 'message', 'messages')}")
    return ", ".join(parts)


def _cost_usd(model: str, takes: "Estimate") -> float | None:
    from memchat.llm.prices import cost_usd

    return cost_usd(model, takes.prompt_tokens, takes.completion_tokens)
