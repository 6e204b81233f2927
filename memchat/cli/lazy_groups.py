"""Command groups that load a command when it is called, and suggest the nearest name for a typo."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from memchat.errors import UsageError

_MAX_ABOUT = 500
"""Characters of a command's description in the list of commands; more than any has."""
_TYPE = re.compile(r" <[^>]+>$")
_BOUND = re.compile(r"  \[x>=\d+\]|; x>=\d+")


class _Help:
    """Ends each help page with examples."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from memchat.cli.examples import examples_of

        with formatter.section("Examples"):
            for example in examples_of(ctx.command_path):
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class Command(_Help, TyperCommand):
    """A command whose help shows metavars only, without Python types and number ranges."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_convert_only_what_needs_it(param) for param in super().get_params(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                name, about = record
                sections[f"{param.param_type_name.title()}s"].append((_TYPE.sub("", name), _BOUND.sub("", about)))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _convert_only_what_needs_it(param: Any) -> Any:
    """Make `param` convert neither text nor absent values: Typer would load pydantic for them, too (0.1 s)."""
    if not isinstance(param.process_value, partial):
        param.process_value = partial(_process_value, param, param.process_value)
    return param


def _process_value(param: Any, convert: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    several = param.multiple or param.nargs == -1
    is_text = param.type_descriptor.annotation in (str, list[str])
    if (param.required and not value) or (value is not None and not is_text):
        return convert(ctx, value)
    if several:
        value = list(value or ())
    return value if param.callback is None else param.callback(ctx, param, value)


class Group(_Help, TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_convert_only_what_needs_it(param) for param in super().get_params(ctx)]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from memchat.config import closest_match

            known = self.list_commands(ctx)
            if (guess := closest_match(name, known)) is not None:
                hint = f"Did you mean {guess}?"
            elif groups := [one for one in known if name in getattr(self.get_command(ctx, one), "commands", {})]:
                hint = f"Did you mean {' or '.join(f'{ctx.command_path} {group} {name}' for group in groups)}?"
            else:
                hint = f"{ctx.command_path} --help lists the commands."
            raise UsageError(f"There is no command {ctx.command_path} {name}.", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        about = [(name, command.get_short_help_str(limit=_MAX_ABOUT)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(about)


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """The module of a command (with a group in `app`, or a function of the command's name) and its description."""

    module: str
    about: str


class LazyGroup(Group):
    """A group that imports a command when it is called; its help shows the descriptions in `lazy`."""

    lazy: Mapping[str, LazyCommand] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.lazy:
            return None
        if cmd_name not in self.commands:
            module = import_module(self.lazy[cmd_name].module)
            if hasattr(module, "app"):
                command = get_command(module.app)
                command.name = cmd_name
            else:
                single = typer.Typer(rich_markup_mode=None, add_completion=False)
                single.command(cmd_name, cls=Command)(getattr(module, cmd_name))
                command = get_command(single)
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.about) for name, lazy in self.lazy.items()])


def group(name: str, about: str) -> typer.Typer:
    """Create a group of commands under `name`. Called without a command, it prints its help."""
    app = typer.Typer(
        name=name, cls=Group, help=about, rich_markup_mode=None, add_completion=False, invoke_without_command=True
    )

    @app.callback()
    def print_help(ctx: typer.Context) -> None:
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    return app


def option_hint(ctx: Any, option: str) -> str | None:
    """Return a hint for an option that a group does not accept but one of its commands does."""
    if not isinstance(ctx.command, Group):
        return None
    commands: list[Any] = [ctx.command.get_command(ctx, name) for name in ctx.command.list_commands(ctx)]
    commands += [leaf for command in commands for leaf in getattr(command, "commands", {}).values()]
    if any(option in getattr(parameter, "opts", ()) for command in commands for parameter in command.params):
        return f"Put {option} after the command: {ctx.command_path} COMMAND {option} …"
    return None
