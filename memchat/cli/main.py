"""The program: its commands, and the one place that turns whatever happens into an exit code."""

import os
import re
import sys
from contextlib import suppress
from typing import Any

import typer
from typer.main import get_command

from memchat import __version__
from memchat.cli.completion import is_completing
from memchat.cli.lazy_groups import LazyCommand, LazyGroup, option_hint
from memchat.errors import MemchatError, UsageError
from memchat.signals import INTERRUPTED

_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")

COMMANDS = {
    "chat": LazyCommand("memchat.cli.chat", "Chat; with piped input every line is a turn."),
    "ask": LazyCommand("memchat.cli.chat", "Ask one question; piped input goes with it."),
    "compare": LazyCommand("memchat.cli.chat", "Ask the same question without and with memory."),
    "memories": LazyCommand("memchat.cli.memories", "List, search, add, correct, export, import memories."),
    "forget": LazyCommand("memchat.cli.forget", "Erase memories for good."),
    "sessions": LazyCommand("memchat.cli.sessions", "List, read, search, export, forget conversations."),
    "stats": LazyCommand("memchat.cli.stats", "Show how much is remembered, by category and by month."),
    "status": LazyCommand("memchat.cli.status", "Show how things stand, and what waits to be learned."),
    "doctor": LazyCommand("memchat.cli.doctor", "Look for what is wrong, and mend what safely can be."),
    "reindex": LazyCommand("memchat.cli.reindex", "Build the index anew, after a change of embedder the vectors too."),
    "backup": LazyCommand("memchat.cli.backup", "Copy everything into one file, while chats may be running."),
    "config": LazyCommand("memchat.cli.config", "Show every setting and where it comes from."),
    "models": LazyCommand("memchat.cli.models", "List the models within reach, and the one in use."),
    "setup": LazyCommand("memchat.cli.setup", "Choose a model step by step, try it, and save it."),
    "serve": LazyCommand("memchat.cli.serve", "Serve chat and memories to other programs over HTTP."),
    "tokens": LazyCommand("memchat.cli.tokens", "Make, list and revoke tokens for memchat serve."),
    "mcp": LazyCommand("memchat.cli.mcp", "Let other assistants search and keep memories (MCP)."),
}


class Root(LazyGroup):
    """All commands."""

    lazy = COMMANDS


app = typer.Typer(
    name="memchat",
    cls=Root,
    help="A chat assistant for the terminal that remembers people across conversations.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)


@app.callback()
def _memchat(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> int | None:
    """Start a chat where no command is given; without a terminal, print the help."""
    if version:
        typer.echo(f"memchat {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        return None
    if sys.stdin.isatty() and sys.stdout.isatty():
        from memchat.cli.chat import chat

        return chat()
    typer.echo(ctx.get_help())
    return None


def run(arguments: list[str]) -> int:
    """Run one command line, without the program's name; returns the exit code.

    Expected failures are one line on stderr; anything else keeps its traceback.
    """
    try:
        return _exit_code(_invoke([_well_formed(argument) for argument in arguments]))
    except MemchatError as error:
        if is_completing():
            return error.exit_code
        from memchat.cli.output import print_error

        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _exit_code(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has had enough.
        _abandon_output()
        return 1


def _invoke(arguments: list[str]) -> object:
    """What the command returned. Typer's complaints about the command line come as UsageError."""
    command: Any = get_command(app)
    try:
        return command.main(_with_command(command, arguments), prog_name="memchat", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        raise UsageError(_message(error), hint=_hint(error)) from error


def _with_command(command: Any, arguments: list[str]) -> list[str]:
    """`arguments` with `chat` in front where there are only options of that: memchat alone starts a chat, too."""
    first = arguments[0].partition("=")[0] if arguments else ""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if not first.startswith("-") or first in own | {"-h", "--help"} or any(name in COMMANDS for name in arguments):
        return arguments
    chat = command.get_command(None, "chat")
    known = {name for parameter in chat.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return ["chat", *arguments] if first in known else arguments


def _message(error: Any) -> str:
    """Typer's complaint in plain words, with the option it is about."""
    parameter = getattr(error, "param", None)
    least = getattr(parameter, "min", None)
    if parameter is not None and (least is not None or "integer" in str(error)):
        bound = "" if least is None else f" of {least} or more"
        return f"{' / '.join(parameter.opts)} wants a whole number{bound}."
    if (extra := _EXTRA.match(str(error.format_message()))) is not None:
        return f"Unexpected argument: {extra[1]}."
    text = str(error.message if getattr(error, "possibilities", None) else error.format_message())
    return text if text.endswith((".", "?")) else f"{text}."


def _hint(error: Any) -> str | None:
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option is not None and getattr(error, "possibilities", None):
        return f"Did you mean {error.possibilities[0]}?"
    if option is not None and context is not None and (hint := option_hint(context, option)):
        return hint
    return f"{context.command_path} --help says what there is." if context is not None else None


def _exit_code(returned: object) -> int:
    if returned == INTERRUPTED and sys.stderr.isatty():
        # The terminal shows ^C on the line where the cursor was; the shell's prompt begins another one.
        sys.stderr.write("\n")
    if returned is None or isinstance(returned, int):
        return returned or 0
    from memchat.cli.output import Result, render

    assert isinstance(returned, Result)
    try:
        return render(returned)
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon_output()
        raise MemchatError(f"The output cannot be written: {error.strerror}.") from error


def _abandon_output() -> None:
    """What is still buffered must not fail again when the interpreter ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _well_formed(argument: str) -> str:
    """Bytes of the command line that are no UTF-8 are replaced, so that they can be stored and sent."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
