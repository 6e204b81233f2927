"""`memchat chat`, `ask` and `compare`: the commands that talk to a model."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli import completion, options
from memchat.cli.options import Json, Meta, Model, User, announce
from memchat.cli.output import Block, Line, Result, SideBySide, Table, one_line, print_note
from memchat.config import MemoryMode, load_settings
from memchat.errors import UsageError
from memchat.signals import INTERRUPTED, Signals
from memchat.storage.short_ids import new_conversation
from memchat.text.attachments import Attachment, with_attachments
from memchat.text.decoding import decode_text

if TYPE_CHECKING:
    from memchat.app import App, Chat
    from memchat.chat.comparison import Answer, Comparison
    from memchat.chat.conversation import UsedMemory
    from memchat.chat.sessions import ChatOptions
    from memchat.config import Settings
    from memchat.core.protocols import Usage
    from memchat.repl.markdown.renderer import ReplyWriter
    from memchat.repl.notifications import NotificationQueue, Wait
    from memchat.repl.reply_screen import Waiting

Agent = Annotated[
    str | None, completion.agent_option(help="Agent to use (default: the conversation's, or MEMCHAT_AGENT).")
]
Session = Annotated[
    str | None, completion.session_option(help="Resume this conversation, or start a new one with this name.")
]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Resume the last conversation (with --agent, its).")]
Memory = Annotated[
    bool | None, typer.Option("--memory/--no-memory", help="Turn memory on or off (default: MEMCHAT_MEMORY).")
]
Private = Annotated[bool, typer.Option("--private", help="Use memories, but don't learn new ones.")]
NoInfer = Annotated[bool, typer.Option("--no-infer", help="Store messages verbatim instead of extracting facts.")]
TopK = Annotated[
    int | None, typer.Option("--top-k", "-k", min=1, metavar="NUMBER", help="Maximum number of memories per prompt.")
]
System = Annotated[str | None, typer.Option("--system", metavar="TEXT", help="System prompt.")]
Instructions = Annotated[
    str | None, typer.Option("--instructions", metavar="TEXT", help="Instructions for what to remember.")
]
Files = Annotated[
    list[str] | None,
    typer.Option("--file", "-f", metavar="FILE", help="Attach FILE (repeatable); - is standard input."),
]
Raw = Annotated[bool, typer.Option("--raw", "--no-markdown", help="Print the reply without formatting it.")]

_QUIET_WAIT_S = 1.0
"""Time to wait for learning before a note says so, in seconds."""


def chat(
    *,
    user: User = None,
    agent: Agent = None,
    session: Session = None,
    continue_: Continue = False,
    model: Model = None,
    memory: Memory = None,
    private: Private = False,
    no_infer: NoInfer = False,
    top_k: TopK = None,
    system: System = None,
    instructions: Instructions = None,
    meta: Meta = None,
) -> int:
    """Start a chat; with piped input, each line is one message or slash command, and replies are printed raw."""
    from memchat.chat.sessions import ChatOptions

    settings = load_settings(user=user, agent=agent, memory=_memory_mode(memory, private=private))
    metadata = options.parse_pairs(meta, "--meta")
    wanted = ChatOptions(
        settings.user, agent, session, continue_, model, top_k, system, instructions, metadata, infer=not no_infer
    )
    with _open_chat(settings, wanted, owns_index=True) as opened:
        app, chat_, notes = opened.app, opened.chat, opened.notes
        if sys.stdin.isatty() and sys.stdout.isatty():
            from memchat.repl.loop import run_chat

            return run_chat(chat_, app, notes)
        from memchat.repl.noninteractive import run_piped

        _note_offline_mode(app, chat_)
        return run_piped(chat_, app, sys.stdin.buffer, sys.stdout, sys.stderr, notes)


def ask(
    question: Annotated[list[str] | None, typer.Argument(metavar="QUESTION")] = None,
    *,
    file: Files = None,
    user: User = None,
    agent: Agent = None,
    session: Session = None,
    continue_: Continue = False,
    model: Model = None,
    memory: Memory = None,
    private: Private = False,
    no_infer: NoInfer = False,
    top_k: TopK = None,
    system: System = None,
    instructions: Instructions = None,
    meta: Meta = None,
    raw: Raw = False,
    as_json: Json = False,
) -> Result:
    """Ask one question. Piped input is attached, or is the question if you give none.

    With --json, "memories" are those in the prompt; a "standing" one is in every prompt. "cut" is "length" or "filter"
    if the model ended its reply early, else null.
    """
    from memchat.chat.sessions import ChatOptions

    text = _question_text(question, file or ())
    settings = load_settings(user=user, agent=agent, memory=_memory_mode(memory, private=private))
    metadata = options.parse_pairs(meta, "--meta")
    wanted = ChatOptions(
        settings.user, agent, session, continue_, model, top_k, system, instructions, metadata, infer=not no_infer
    )
    with _open_chat(settings, wanted) as opened:
        return _answer(opened, text, raw=raw, as_json=as_json)


def compare(
    question: Annotated[list[str], typer.Argument(metavar="QUESTION")],
    *,
    user: User = None,
    agent: Agent = None,
    model: Model = None,
    top_k: TopK = None,
    system: System = None,
    as_json: Json = False,
) -> Result:
    """Ask the same question without and with memory. Nothing is stored or learned."""
    from memchat.app import App
    from memchat.chat.sessions import ChatOptions

    text = options.join_words(question, "question")
    settings = load_settings(user=user, agent=agent)
    with App(settings, on_retry=announce, on_notice=print_note) as app:
        print_note("Asking twice…")
        found = app.compare(text, ChatOptions(settings.user, agent, model=model, top_k=top_k, system=system))
    data = {
        "question": found.question,
        "model": found.model,
        "stateless": _answer_json(found.stateless),
        "with_memory": _answer_json(found.remembering),
    }
    return Result(data, _comparison_blocks(found), as_json=as_json)


# Opening a chat.


@dataclass(frozen=True, slots=True)
class _OpenChat:
    """An open chat with its app, its notifications and its signal handlers."""

    app: "App"
    chat: "Chat"
    notes: "NotificationQueue"
    signals: Signals


@contextmanager
def _open_chat(settings: "Settings", wanted: "ChatOptions", *, owns_index: bool = False) -> "Generator[_OpenChat]":
    """Open a chat and its app. Signals are handled before anything is written."""
    from memchat.app import App
    from memchat.repl.notifications import NotificationQueue

    notes = NotificationQueue()
    notes.at_once = print_note

    def on_notice(line: str) -> None:
        (notes.at_once or print_note)(line)

    with (
        Signals().handled() as signals,
        App(settings, owns_index=owns_index, on_retry=notes.retrying, on_notice=on_notice) as app,
        app.chat(wanted, notes) as chat_,
    ):
        session = chat_.conversation.session
        if wanted.continue_last and not session.messages:
            whom = f"{wanted.user} with {wanted.agent}" if wanted.agent else wanted.user
            on_notice(f"There is no conversation of {one_line(whom)} to continue yet; this is a new one.")
        yield _OpenChat(app, chat_, notes, signals)


def _answer(opened: _OpenChat, text: str, *, raw: bool, as_json: bool) -> Result:
    """Print the reply to `text` as it arrives, with a spinner on stderr until its first word."""
    from memchat.recall.excerpts import excerpt_json
    from memchat.repl.turn import AnswerWriter, notices, run_turn, wait_for_learning

    chat_, notes, signals = opened.chat, opened.notes, opened.signals
    _note_offline_mode(opened.app, chat_)
    if started := new_conversation(chat_.conversation.session):
        print_note(started)
    waiting = _waiting(opened)
    try:
        writer = AnswerWriter(None if as_json else _reply_writer(raw=raw), waiting)
        turn = run_turn(chat_, lambda: chat_.conversation.turn(text), writer, signals)
    except KeyboardInterrupt:
        waiting.clear_line()
        print_note("Stopped.")
        return Result(None, exit_code=INTERRUPTED)
    finally:
        waiting.end()
    with signals.interruptible():
        for notice in notices(turn):
            notes.add(notice)
        if chat_.conversation.remembers and not chat_.conversation.private:
            wait_for_learning(chat_.learning_worker, print_note, _QUIET_WAIT_S)
        for line in notes.take():
            print_note(line)
    data = {
        "reply": turn.reply,
        "model": chat_.conversation.model.name,
        "session": chat_.conversation.session.id,
        "memories": [_used_json(used) for used in turn.used],
        "excerpts": [excerpt_json(excerpt) for excerpt in turn.excerpts],
        "usage": None if turn.usage is None else _usage_json(turn.usage),
        "cut": None if turn.cut is None else str(turn.cut),
    }
    return Result(data, as_json=as_json)


def _waiting(opened: _OpenChat) -> "Waiting":
    """Start a spinner on stderr, if it is a terminal, which counts down between attempts."""
    from memchat.repl.reply_screen import Waiting
    from memchat.repl.spinner import countdown_label, waiting_label
    from memchat.terminal import is_dumb

    def write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    def say(line: str) -> None:
        waiting.end()
        print_note(line)

    def wait_for_retry(notice: "Wait") -> None:
        say(notice.reason)
        waiting.begin(countdown_label("trying again", notice.wait_s))

    waiting = Waiting(write, can_wipe=sys.stderr.isatty() and not is_dumb())
    if waiting.can_wipe:
        opened.notes.at_once, opened.notes.on_wait = say, wait_for_retry
    waiting.begin(waiting_label())
    return waiting


def _note_offline_mode(app: "App", chat_: "Chat") -> None:
    from memchat.core.types import OFFLINE

    conversation = chat_.conversation
    if conversation.model.name == OFFLINE and app.choice(chat_.options.model, conversation.agent).lacks_model:
        print_note("No AI model is set up, so memchat is in offline mode. Run memchat setup to choose a model.")


def _memory_mode(memory: bool | None, *, private: bool) -> MemoryMode | None:
    """Return the memory mode that the options choose, or None to use the setting."""
    if memory is False:
        return MemoryMode.OFF
    if private:
        return MemoryMode.PRIVATE
    return MemoryMode.ON if memory else None


def _question_text(words: list[str] | None, files: Sequence[str]) -> str:
    """Return the question, followed by the attached files and piped input. `-` among `files` is standard input."""
    piped = ""
    if "-" in files or not sys.stdin.isatty():
        piped = decode_text(sys.stdin.buffer.read(), "Standard input").strip()
    attached = []
    if files:
        from memchat.repl.commands.files import read_attachment

        attached = [read_attachment(name) for name in files if name != "-"]
    question = " ".join(words or ()).strip()
    if not question and not piped:
        raise UsageError("No question given.", hint='Example: memchat ask "What do you know about me?"')
    if question and piped:
        attached.append(Attachment(piped))
    return with_attachments(question or piped, attached) if attached else question or piped


def _reply_writer(*, raw: bool) -> "ReplyWriter":
    if raw or not sys.stdout.isatty():
        from memchat.repl.plain_writer import PlainWriter

        return PlainWriter(sys.stdout)
    from rich.console import Console

    from memchat.repl.markdown.renderer import StreamingMarkdown

    return StreamingMarkdown(Console(highlight=False))


# Output.


def _used_json(used: "UsedMemory") -> dict[str, Any]:
    score = None if used.score is None else round(used.score, 4)
    return {"id": used.memory.id, "text": used.memory.text, "score": score, "standing": used.score is None}


def _usage_json(usage: "Usage") -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost_usd": usage.cost_usd,
    }


def _answer_json(answer: "Answer") -> dict[str, Any]:
    from memchat.recall.excerpts import excerpt_json

    return {
        "reply": answer.reply,
        **_usage_json(answer.usage),
        "estimated": answer.estimated,
        "memories": [_used_json(used) for used in answer.used],
        "excerpts": [excerpt_json(excerpt) for excerpt in answer.excerpts],
    }


def _comparison_blocks(found: "Comparison") -> list[Block]:
    from memchat.recall.excerpt_block import caveat

    memories = [
        ("always" if used.score is None else f"{used.score:.2f}", one_line(used.memory.text))
        for used in found.remembering.used
    ]
    replies = (found.stateless.reply.strip(), found.remembering.reply.strip())
    blocks: list[Block] = [
        SideBySide(("Without memory", "With memory"), replies),
        Line(""),
        SideBySide(("Tokens and price", "Tokens and price"), (_cost(found.stateless), _cost(found.remembering))),
        Line(""),
        Line("Memories used" if memories else "No relevant memories found.", "bold"),
    ]
    if memories:
        blocks.append(Table(("SCORE", "MEMORY"), memories))
    rows = []
    for excerpt in found.remembering.excerpts:
        note = caveat(excerpt)
        text = one_line(excerpt.text) + (f" ({one_line(note)})" if note else "")
        rows.append((f"{excerpt.score:.2f}", str(excerpt.said_at.astimezone().date()), str(excerpt.role), text))
    if rows:
        blocks += [Line(""), Line("From earlier conversations", "bold"), Table(("SCORE", "DAY", "WHO", "WORDS"), rows)]
    return blocks


def _cost(answer: "Answer") -> str:
    usage = answer.usage
    about = "about " if answer.estimated else ""
    price = "price unknown" if usage.cost_usd is None else f"${usage.cost_usd:.6f}" if usage.cost_usd else "free"
    return f"{about}{usage.prompt_tokens} in the prompt, {about}{usage.completion_tokens} in the reply; {price}"
