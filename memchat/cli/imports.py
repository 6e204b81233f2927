"""`memchat memories import` and `memchat sessions import`: import exports of memchat and of other programs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli.options import Json, User, open_app
from memchat.cli.output import Line, Result, print_note
from memchat.cli.progress import progress_bar
from memchat.core.types import LearningOptions, Owner, Scope
from memchat.errors import MemchatError, UsageError
from memchat.storage.results import Imported
from memchat.storage.serialization import with_owner
from memchat.text.plurals import pluralize

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.importers.found import Found

File = Annotated[str, typer.Argument(metavar="FILE", help="File to import; - is standard input.")]
KeepUsers = Annotated[bool, typer.Option("--keep-users", help="Import each memory for the user that the file names.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what FILE contains and what learning would cost; import nothing."),
]
Learn = Annotated[
    bool | None,
    typer.Option(
        "--learn/--no-learn", help="Learn from the conversations, or not (default: unless memchat exported them)."
    ),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Learn now, or during the next chat.")]

OWN_SESSIONS = "memchat sessions"
_MAX_REASONS = 5
"""Skipped records that are named on the screen; --json lists all."""
_BULK = 1_000
"""An import of more memories than this begins with a note."""
_HINT = "memchat memories import --help lists the formats."


@dataclass(frozen=True, slots=True)
class _Options:
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
    """Import memories and conversations from an export of memchat or of another program.

    memchat detects the format: its own exports, mem0, ChatGPT, Claude, Gemini Takeout, OpenMemory, Open WebUI, the MCP
    memory server, chat messages as JSON Lines, CSV, Markdown, plain lists, and archives of these. Facts become
    memories. Conversations keep their dates, and memchat learns from them. Entries that cannot be read are skipped and
    listed; the exit code is then 1. You can repeat an interrupted import: entries that exist already are skipped.

    If the file names another user, give --user to import everything for one user, or --keep-users for each its own.
    """
    from memchat.importers.files import read_file
    from memchat.importers.found import Reading

    if keep_users and user is not None:
        raise UsageError("Give --user or --keep-users, not both.")
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise MemchatError(f"{file} cannot be read: {error.strerror}.") from error
    with open_app(user) as app:
        owner = Owner.user(app.settings.user)
        found = read_file(raw, Reading(owner, app.clock(), app.memory_service.clean, keep_users))
        _require_content(found, file)
        others = sorted({record.user for record in found.facts if record.user is not None} - {owner.name})
        if others and user is None and not keep_users:
            raise UsageError(
                f"{file} contains memories of another user than {owner.name}: {_some(others)}. Nothing was imported.",
                hint=f"Say whose memories they are: --user {others[0]}, --user {owner.name}, or --keep-users.",
            )
        chosen = _Options(user, keep_users, learn, wait)
        return _dry_run(app, found, chosen, as_json) if dry_run else _import(app, found, chosen, others, as_json)


def _require_content(found: "Found", file: str) -> None:
    """Raise UsageError if the file was read and nothing in it can be imported."""
    if not found.facts and not any(dialogue.messages for dialogue in found.dialogues):
        reasons = "; ".join(f"{skipped.place} {skipped.reason}" for skipped in found.skipped[:_MAX_REASONS])
        if reasons or found.formats:
            because = f": {reasons}" if reasons else ""
            raise UsageError(f"{file} contains nothing to import{because}. Nothing was imported.", hint=_HINT)


def _import(app: "App", found: "Found", chosen: _Options, others: Sequence[str], as_json: bool) -> Result:
    owner = Owner.user(app.settings.user)
    records = [app.memory_service.masked_record(record) for record in found.facts]
    if chosen.user is not None:
        records = [with_owner(record, owner) for record in records]
    if len(records) > _BULK:
        print_note(f"Importing {len(records)} memories…")
    restored = app.store.transfer.restore(records, app.embedder) if records else Imported((), 0)
    conversations, messages = _restore_dialogues(app, found, chosen)
    learned = _index_and_learn(app) if messages and chosen.wait and _learns(found, chosen) else None
    lines = []
    if records or not found.dialogues:
        imported = pluralize(len(restored.ids), "memory", "memories")
        lines.append(Line(f"Imported {imported} ({restored.known} existed already)."))
    if found.dialogues:
        imported = pluralize(messages, "message", "messages")
        lines.append(Line(f"Imported {imported} in {pluralize(conversations, 'conversation', 'conversations')}."))
    if learned is not None:
        lines.append(Line(learned))
    data = {
        "imported": len(restored.ids),
        "known": restored.known,
        "ids": list(restored.ids),
        "conversations": conversations,
        "messages": messages,
        "skipped": [{"place": one.place, "reason": one.reason} for one in found.skipped],
    }
    return Result(data, lines, _notes(found, chosen, others, owner), as_json, exit_code=1 if found.skipped else 0)


def _notes(found: "Found", chosen: _Options, others: Sequence[str], owner: Owner) -> list[str]:
    notes = [f"Skipped: {skipped.place} {skipped.reason}." for skipped in found.skipped[:_MAX_REASONS]]
    if (more := len(found.skipped) - _MAX_REASONS) > 0:
        notes.append(f"Skipped {more} more; --json lists them.")
    if others and not chosen.keep_users:
        notes.append(f"Memories of {_some(others)} in this file were imported for {owner.name}.")
    agents = {record.memory.owner.name for record in found.facts if record.memory.owner.kind is Scope.AGENT}
    if agents:
        notes.append(f"Memories of {_some(sorted(agents))} are shared by everyone who talks to that agent.")
    if found.unused:
        notes.append(f"Fields that memchat does not use: {', '.join(sorted(found.unused))}.")
    return notes


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _learns(found: "Found", chosen: _Options) -> bool:
    return chosen.learn if chosen.learn is not None else OWN_SESSIONS not in found.formats


def _restore_dialogues(app: "App", found: "Found", chosen: _Options) -> tuple[int, int]:
    """Import the conversations. Returns how many have new messages, and how many messages are new."""
    from memchat.memories.dialogues import DialogueImporter

    settings = app.settings
    learning = LearningOptions(settings.instructions) if _learns(found, chosen) else None
    importer = DialogueImporter(app.store.conversations, settings.user, app.memory_service.masked, learning)
    origin = found.formats[0] if found.formats else ""
    dialogues = sorted((one for one in found.dialogues if one.messages), key=lambda one: one.messages[0].at)
    conversations = messages = 0
    with progress_bar("Conversations", len(dialogues)) as progress:
        for done, dialogue in enumerate(dialogues, 1):
            new = importer.restore(dialogue, origin)
            conversations += new > 0
            messages += new
            progress(done, len(dialogues))
    return conversations, messages


def _index_and_learn(app: "App") -> str:
    """Index all messages, learn from all pending exchanges of the user, and summarise what was learned.

    Ctrl-C leaves the rest for later.
    """
    from memchat.cli.reindex import index_messages
    from memchat.learning.pipeline import learn

    index_messages(app)
    user = app.settings.user
    changed = failed = done = 0
    context = app.learning_context()
    try:
        total = len(context.store.work.pending(user))
        with progress_bar("Learning", total) as progress:
            while (work := context.store.work.claim(user)) is not None:
                result = learn(context, work)
                changed += len(result.applied)
                failed += result.error is not None
                done += 1
                progress(done, total)
    except KeyboardInterrupt:
        print_note("Stopped. The next chat learns from the rest; to do it now, run: memchat status --retry")
        raise
    finally:
        context.close()
    left = f" {pluralize(failed, 'exchange', 'exchanges')} could not be learned from yet." if failed else ""
    return f"{pluralize(changed, 'memory', 'memories')} learned or changed.{left}"


def _dry_run(app: "App", found: "Found", chosen: _Options, as_json: bool) -> Result:
    from memchat.llm.prices import cost_usd
    from memchat.memories.dialogues import Estimate, estimate

    needed = estimate(found.dialogues) if _learns(found, chosen) else Estimate(0, 0, 0)
    model = app.settings.extraction_model or app.choice().extraction
    cost = cost_usd(model, needed.prompt_tokens, needed.completion_tokens)
    messages = sum(len(dialogue.messages) for dialogue in found.dialogues)
    data: dict[str, Any] = {
        "formats": found.formats,
        "memories": len(found.facts),
        "conversations": len(found.dialogues),
        "messages": messages,
        "calls": needed.calls,
        "prompt_tokens": needed.prompt_tokens,
        "completion_tokens": needed.completion_tokens,
        "model": model,
        "cost_usd": cost,
        "skipped": [{"place": one.place, "reason": one.reason} for one in found.skipped],
    }
    contents = [pluralize(len(found.facts), "memory", "memories")] if found.facts else []
    if messages:
        count = sum(bool(dialogue.messages) for dialogue in found.dialogues)
        conversations = pluralize(count, "conversation", "conversations")
        contents.append(f"{conversations} with {pluralize(messages, 'message', 'messages')}")
    lines = [Line(f"{', '.join(found.formats)}: {', '.join(contents)}.")]
    if needed.calls:
        price = "price unknown" if cost is None else f"about ${cost:.2f}"
        tokens = f"about {needed.prompt_tokens:,} tokens in and {needed.completion_tokens:,} out"
        lines.append(Line(f"Learning takes {pluralize(needed.calls, 'call', 'calls')} of {model}: {tokens}, {price}."))
    return Result(data, lines, _notes(found, chosen, (), Owner.user(app.settings.user)), as_json)
