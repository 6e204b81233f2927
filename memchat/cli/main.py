"""The `memchat` program: its commands, and the one place that turns results and errors into exit codes."""

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
    "chat": LazyCommand("memchat.cli.chat", "Start a chat; with piped input, each line is one message."),
    "ask": LazyCommand("memchat.cli.chat", "Ask one question; piped input is attached."),
    "compare": LazyCommand("memchat.cli.chat", "Ask the same question without and with memory."),
    "memories": LazyCommand("memchat.cli.memories", "List, search, add, edit, export and import memories."),
    "forget": LazyCommand("memchat.cli.forget", "Permanently delete memories."),
    "sessions": LazyCommand("memchat.cli.sessions", "List, read, search, export and delete conversations."),
    "stats": LazyCommand("memchat.cli.stats", "Count memories, and the tokens spent and saved."),
    "status": LazyCommand("memchat.cli.status", "Show the model, memory counts and pending work."),
    "doctor": LazyCommand("memchat.cli.doctor", "Check the installation and data; --fix repairs them."),
    "reindex": LazyCommand("memchat.cli.reindex", "Rebuild the search index, and embeddings if the model changed."),
    "backup": LazyCommand("memchat.cli.backup", "Copy everything into one file, even while chats are running."),
    "config": LazyCommand("memchat.cli.config", "Show every setting and where it comes from."),
    "models": LazyCommand("memchat.cli.models", "List available models; * marks the one in use."),
    "setup": LazyCommand("memchat.cli.setup", "Choose a model step by step, test it, and save it."),
    "serve": LazyCommand("memchat.cli.serve", "Serve chat and memories to other programs over HTTP."),
    "tokens": LazyCommand("memchat.cli.tokens", "Create, list and revoke tokens for memchat serve."),
    "mcp": LazyCommand("memchat.cli.mcp", "Share memories with other assistants (MCP)."),
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
    """Start a chat if no command is given, or print the help if there is no terminal."""
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
    """Run a command line (without the program's name) and return its exit code.

    Expected failures are printed to stderr; any other exception keeps its traceback.
    """
    # Bytes that are not UTF-8 are replaced, so that they can be stored and sent.
    valid = [argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for argument in arguments]
    try:
        return _exit_code(_invoke(valid))
    except MemchatError as error:
        if is_completing():
            return error.exit_code
        from memchat.cli.output import print_error

        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _exit_code(INTERRUPTED)
    except BrokenPipeError:
        # The reading program has closed the pipe, as `head` does.
        _discard_buffered_output()
        return 1


def _invoke(arguments: list[str]) -> object:
    """Call the command and return its result. Typer's errors about the command line become UsageError."""
    command: Any = get_command(app)
    try:
        first = arguments[0].partition("=")[0] if arguments else ""
        own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        named = first in own | {"-h", "--help"} or any(name in COMMANDS for name in arguments)
        if first.startswith("-") and not named:
            # The options of a chat start one, as `memchat` alone does.
            chat = command.get_command(None, "chat")
            known = {name for parameter in chat.params for name in (*parameter.opts, *parameter.secondary_opts)}
            arguments = ["chat", *arguments] if first in known else arguments
        return command.main(arguments, prog_name="memchat", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        raise _usage_error(error) from error


def _usage_error(error: Any) -> UsageError:
    """Rephrase Typer's error, naming the option it is about, with the nearest option or the help page as a hint."""
    context, option, parameter = (getattr(error, name, None) for name in ("ctx", "option_name", "param"))
    guesses = getattr(error, "possibilities", None)
    least = getattr(parameter, "min", None)
    if parameter is not None and (least is not None or "integer" in str(error)):
        bound = "" if least is None else f", at least {least}"
        message = f"{' / '.join(parameter.opts)} must be a whole number{bound}."
    elif (extra := _EXTRA.match(str(error.format_message()))) is not None:
        message = f"Unexpected argument: {extra[1]}."
    else:
        text = str(error.message if guesses else error.format_message())
        message = text if text.endswith((".", "?")) else f"{text}."
    if option is not None and guesses:
        return UsageError(message, hint=f"Did you mean {guesses[0]}?")
    if context is None:
        return UsageError(message)
    hint = None if option is None else option_hint(context, option)
    return UsageError(message, hint=hint or f"See {context.command_path} --help.")


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
        _discard_buffered_output()
        raise MemchatError(f"The output cannot be written: {error.strerror}.") from error


def _discard_buffered_output() -> None:
    """Send the rest of stdout to /dev/null, so that flushing it at exit does not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
