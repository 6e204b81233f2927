"""Shell completion of the values of options and arguments.

Typer runs one of these functions each time Tab is pressed. They load no slow modules, create no files, and offer
nothing after an error, since its message would appear within the line being typed.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import TYPE_CHECKING

import typer

from memchat.errors import MemchatError

if TYPE_CHECKING:
    from memchat.config import Settings
    from memchat.storage.completion import CompletionReader

Offer = tuple[str, str]
"""A value to insert, and its description."""

VARIABLE = "_MEMCHAT_COMPLETE"
_LONGEST_HELP = 60
_TYPEABLE = re.compile(r"[\w.@:+/-]+")
"""Values that need no quoting in any shell."""


def is_completing() -> bool:
    """Return whether a shell is asking for completions."""
    return VARIABLE in os.environ


def _completer(find: Callable[[typer.Context, str], Iterable[Offer]]) -> Callable[..., list[Offer]]:
    @wraps(find)
    def offers(ctx: typer.Context, incomplete: str) -> list[Offer]:
        from memchat.cli.output import one_line

        try:
            found = list(find(ctx, incomplete))
        except (MemchatError, OSError, ValueError):
            return []
        offered = []
        for value, words in found:
            if _TYPEABLE.fullmatch(value):
                line = one_line(words)
                short = line if len(line) <= _LONGEST_HELP else f"{line[: _LONGEST_HELP - 1].rstrip()}…"
                # Typer would read square brackets as markup.
                offered.append((value, short.replace("[", "(").replace("]", ")")))
        return offered

    return offers


def _open(ctx: typer.Context) -> "tuple[Settings, CompletionReader]":
    from memchat.config import load_settings
    from memchat.storage.completion import CompletionReader

    settings = load_settings(user=ctx.params.get("user"))
    return settings, CompletionReader(settings.home)


@_completer
def memories(ctx: typer.Context, incomplete: str) -> Iterable[Offer]:
    """List the ids of memories, by their text."""
    settings, reader = _open(ctx)
    return reader.memories(settings.user, ctx.params.get("agent"), incomplete)


@_completer
def sessions(ctx: typer.Context, incomplete: str) -> Iterable[Offer]:
    """List the ids and names of conversations, by their titles."""
    settings, reader = _open(ctx)
    return reader.sessions(settings.user, incomplete)


@_completer
def users(ctx: typer.Context, incomplete: str) -> Iterable[Offer]:
    """List the users with memories or conversations."""
    return ((name, "") for name in _open(ctx)[1].users())


@_completer
def agents(ctx: typer.Context, incomplete: str) -> Iterable[Offer]:
    """List the agents with a profile, memories or conversations."""
    settings, reader = _open(ctx)
    return ((name, "") for name in dict.fromkeys([*sorted(settings.agents), *reader.agents()]))


@_completer
def categories(ctx: typer.Context, incomplete: str) -> Iterable[Offer]:
    """Offer the categories of memories, or the agent's own."""
    from memchat.core.types import CATEGORIES

    profile = _open(ctx)[0].profile(ctx.params.get("agent"))
    return ((name, "") for name in (profile.categories if profile else CATEGORIES))


@_completer
def models(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """List the models that can be used now."""
    from memchat.llm.model_choice import models_in_reach

    settings, _ = _open(ctx)
    if settings.model:
        yield settings.model, "in use"
    yield from models_in_reach(os.environ)


@_completer
def tokens(ctx: typer.Context, incomplete: str) -> Iterable[Offer]:
    """List the ids of tokens, by their owners."""
    from memchat.servers.tokens import Tokens

    found = Tokens(_open(ctx)[0].home).all()
    return ((token.id, f"{token.owner.kind} {token.owner.name}") for token in found)


# Options and arguments that take such values; each gets its help where it is used.

user_option = partial(typer.Option, "--user", "-u", metavar="NAME", autocompletion=users)
agent_option = partial(typer.Option, "--agent", "-a", metavar="NAME", autocompletion=agents)
model_option = partial(typer.Option, "--model", "-m", metavar="NAME", autocompletion=models)
session_option = partial(typer.Option, "--session", "-s", metavar="ID", autocompletion=sessions)
category_option = partial(typer.Option, "--category", metavar="NAME", autocompletion=categories)
replaced_option = partial(typer.Option, "--replaces", metavar="ID", autocompletion=memories)
memory_argument = partial(typer.Argument, metavar="ID", autocompletion=memories)
session_argument = partial(typer.Argument, metavar="ID", autocompletion=sessions)
token_argument = partial(typer.Argument, metavar="ID", autocompletion=tokens)
