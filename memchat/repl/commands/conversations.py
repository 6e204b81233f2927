"""Commands about conversations: new, list, resume, rename, retry, undo, compact, export."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from memchat.chat.transcript_export import conversation_json, conversation_markdown
from memchat.core.types import Event, Message, Session
from memchat.errors import MemchatError, UsageError
from memchat.paths import expand_path
from memchat.repl.auto_compaction import Compaction
from memchat.repl.commands.registry import CommandContext, CommandResult, Group, Takes, command
from memchat.repl.commands.rows import numbered_sessions, session_named
from memchat.repl.last_words import last_words
from memchat.text.attachments import without_attachments
from memchat.text.sanitize import one_line


@command(Group.CONVERSATION, "new", "start a new conversation", words=0)
def _new(context: CommandContext, argument: str) -> CommandResult:
    options = context.chat.options
    context.reopen(replace(options, session=None, agent=context.chat.conversation.agent))
    private = " It stays private; /private off turns that off." if context.chat.conversation.private else ""
    return CommandResult(f"New conversation.{private}")


@command(Group.CONVERSATION, "sessions [WORDS]", "list conversations; with WORDS, those with WORDS in the title")
def _sessions(context: CommandContext, argument: str) -> CommandResult:
    words = argument.casefold().split()
    every = context.app.store.conversations.sessions(context.user)
    found = [one for one in every if all(word in one.title.casefold() for word in words)]
    if not found:
        return CommandResult("No conversation has that in its title." if words else "There are no conversations yet.")
    return CommandResult(f"{numbered_sessions(context, found)}\n/resume N resumes one.", paged=True)


@command(Group.CONVERSATION, "resume N|ID|TITLE", "resume another conversation", takes=Takes.SESSION)
def _resume(context: CommandContext, argument: str) -> CommandResult:
    if not argument:
        return _sessions(context, "")
    session = session_named(context, argument)
    if session.id == context.chat.conversation.session.id:
        return CommandResult("You are in that conversation already.")
    context.reopen(replace(context.chat.options, session=session, agent=None))
    return CommandResult(last_words(context, session))


@command(Group.CONVERSATION, "rename TITLE", "change the title of this conversation")
def _rename(context: CommandContext, argument: str) -> CommandResult:
    session = context.session
    if not argument or not session.messages:
        raise UsageError("Rename it to what?" if session.messages else "This conversation has no messages yet.")
    title = context.app.memory_service.masked(one_line(argument))
    context.app.store.conversations.rename(session, title)
    return CommandResult(f"This conversation is now called {title!r}.")


@command(Group.CONVERSATION, "retry", "ask your last message again; the new answer replaces the old one", words=0)
def _retry(context: CommandContext, argument: str) -> CommandResult:
    conversations = context.app.store.conversations
    asked = _last_question(context)
    conversations.drop_replies(asked)
    return CommandResult(turn=lambda: context.chat.conversation.turn_again(asked))


@command(Group.CONVERSATION, "undo", "take back your last message, its answer and what was learned from it", words=0)
def _undo(context: CommandContext, argument: str) -> CommandResult:
    asked = _last_question(context)
    # This discards the pending job first, so that nothing more is learned from the message.
    context.app.store.conversations.take_back(asked)
    context.chat.conversation.last_turn = None
    context.chat.conversation.drop_summary()
    text = one_line(without_attachments(asked.text))
    lines = [f"Taken back: {text if len(text) <= 60 else text[:60] + '…'}"]
    applied = context.notes.learned.pop(asked.id, ())
    service, memories = context.app.memory_service, context.app.store.memories
    for memory in memories.learned_from(asked.id):
        if memory.supersedes:
            lines.append(f"Restored: {one_line(service.undo(memory).text)}")
        else:
            service.forget([memory.id])
            lines.append(f"Forgotten: {one_line(memory.text)}")
    for change in applied:
        if change.event is Event.DELETE:
            lines.append(f"Cannot be restored, since you asked to forget it: {one_line(change.memory.text)}")
        elif change.event in {Event.END, Event.DOUBT} and (known := memories.get(change.memory.id)) is not None:
            with suppress(UsageError):
                lines.append(f"Restored: {one_line(service.undo(known).text)}")
    return CommandResult("\n".join(lines), draft=without_attachments(asked.text))


def _last_question(context: CommandContext) -> Message:
    asked = context.app.store.conversations.last_question(context.chat.conversation.session)
    if asked is None:
        raise UsageError("This conversation has no messages yet.")
    return asked


@command(Group.CONVERSATION, "compact", "summarise the older messages, so that fewer tokens are sent", words=0)
def _compact(context: CommandContext, argument: str) -> CommandResult:
    summary = Compaction(context).sum_up()
    if summary is None:
        return CommandResult("This conversation is too short to summarise.")
    return CommandResult(f"From now on {summary.messages} messages are sent as a summary:\n{summary.text}")


@command(Group.CONVERSATION, "session", "show this conversation's title and id", words=0)
def _session(context: CommandContext, argument: str) -> CommandResult:
    session = context.session
    title = one_line(session.title) or "(no title yet)"
    started = session.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return CommandResult(f"{title}\n  started {started}\n  memchat chat --session {session.id}")


@command(
    Group.CONVERSATION, "export FILE", "write this conversation to a file: Markdown, or JSON (.json)", takes=Takes.FILE
)
def _export(context: CommandContext, argument: str) -> CommandResult:
    if not argument:
        raise UsageError("Export to which file?", hint="Examples: /export chat.md, /export chat.json")
    path = expand_path(argument, "the file's name")
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint=f"Example: /export {path / 'chat.md'}")
    if path.exists():
        return CommandResult("", f"{path} already exists. Overwrite it?", lambda: _write(context, path))
    return CommandResult(_write(context, path))


def _write(context: CommandContext, path: Path) -> str:
    session = context.session
    messages = context.app.store.conversations.messages(session.id)
    if path.suffix.lower() in {".json", ".jsonl"}:
        indent = 2 if path.suffix.lower() == ".json" else None
        text = json.dumps(conversation_json(session, messages), ensure_ascii=False, indent=indent) + "\n"
    else:
        text = conversation_markdown(session, messages)
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise MemchatError(f"{path} cannot be written: {error.strerror}.") from error
    return f"Wrote {len(messages)} messages to {path}."


def titles(sessions: Sequence[Session]) -> list[tuple[str, str]]:
    """Return pairs of id and title for completion."""
    from memchat.storage.short_ids import is_generated, short_ids

    short = short_ids(one.id for one in sessions if is_generated(one.id))
    return [(short.get(one.id, one.id), one.title or "(no title)") for one in sessions]
