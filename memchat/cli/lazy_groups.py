"""Command groups that load a command when it is called, and answer a slip with the nearest right word."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from memchat.errors import UsageError

_WHOLE = 500


class Group(TyperGroup):
    """A group of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UsageError(f"There is no command {ctx.command_path} {name}.", hint=self._suggestion(ctx, name))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(self._about(ctx))

    def _about(self, ctx: Any) -> list[tuple[str, str]]:
        """What help says about each command: the first sentence of its own help."""
        return [(name, command.get_short_help_str(limit=_WHOLE)) for name, command in self.commands.items()]

    def _suggestion(self, ctx: Any, name: str) -> str:
        from memchat.config import closest_match

        known = self.list_commands(ctx)
        if (guess := closest_match(name, known)) is not None:
            return f"Did you mean {guess}?"
        groups = [group for group in known if name in getattr(self.get_command(ctx, group), "commands", {})]
        if groups:
            return f"Did you mean {' or '.join(f'{ctx.command_path} {group} {name}' for group in groups)}?"
        return f"{ctx.command_path} --help lists the commands."


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is found: a module with a group in `app`, or with a function of its name; and what it does."""

    module: str
    about: str


class LazyGroup(Group):
    """A group whose commands stay unloaded until they are called: help shows what `lazy` says about them."""

    lazy: Mapping[str, LazyCommand] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.lazy:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = lightened(_loaded(cmd_name, self.lazy[cmd_name].module))
        return self.commands[cmd_name]

    def _about(self, ctx: Any) -> list[tuple[str, str]]:
        return [(name, lazy.about) for name, lazy in self.lazy.items()]


def _loaded(name: str, module_name: str) -> Any:
    module = import_module(module_name)
    if not hasattr(module, "app"):
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        alone.command(name)(getattr(module, name))
        return get_command(alone)
    command = get_command(module.app)
    command.name = name
    return command


class _Given:
    """Takes what was typed for a text option as it is, and all else to Typer, which loads pydantic for it (0.1 s)."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if self._parameter.type_descriptor.annotation in (str, list[str]) and (several or isinstance(value, str)):
            return list(value) if several else value
        self._parameter._runtime_param = None
        return self._parameter.get_runtime_param().coerce(value, param=param, ctx=ctx)


def lightened(command: Any) -> Any:
    """`command` with text taken as it is, where this Typer has the hook for it; another Typer does it its own way."""
    made = command.get_help_option
    command.get_help_option = lambda ctx: _light(made(ctx))
    for parameter in command.params:
        _light(parameter)
    for below in getattr(command, "commands", {}).values():
        lightened(below)
    return command


def _light(parameter: Any) -> Any:
    """Help is to name what is meant, by the metavar, not the type of Python's or the bounds that a value has."""
    parameter._get_number_range_help_str = lambda: None
    if parameter.param_type_name == "argument":
        parameter.display_type_rich = lambda ctx: None
    if getattr(parameter, "_runtime_param", parameter) is None and hasattr(parameter, "type_descriptor"):
        parameter._runtime_param = _Given(parameter)
    return parameter


def group(name: str, about: str) -> typer.Typer:
    """A group of commands under `name`, which alone prints its help."""
    made = typer.Typer(
        name=name, cls=Group, help=about, rich_markup_mode=None, add_completion=False, invoke_without_command=True
    )

    @made.callback()
    def alone(ctx: typer.Context) -> None:
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    return made


def option_hint(ctx: Any, option: str) -> str | None:
    """A hint for an option that a group does not know but its commands do."""
    if not isinstance(ctx.command, Group):
        return None
    commands: list[Any] = [ctx.command.get_command(ctx, name) for name in ctx.command.list_commands(ctx)]
    commands += [leaf for command in commands for leaf in getattr(command, "commands", {}).values()]
    if any(option in getattr(parameter, "opts", ()) for command in commands for parameter in command.params):
        return f"{option} goes after the command, as in: {ctx.command_path} COMMAND {option} …"
    return None
