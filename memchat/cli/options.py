"""Options that several commands share, the parsers of their values, and the app that they open."""

import json
import re
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from memchat.cli import completion
from memchat.cli.output import print_note
from memchat.config import closest_match, load_settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import CATEGORIES, Metadata, MetadataValue, Owner, Scope
from memchat.errors import UsageError

if TYPE_CHECKING:
    from memchat.app import App
    from memchat.core.conditions import Condition
    from memchat.llm.retry import RetryNotice

User = Annotated[str | None, completion.user_option(help="User (default: MEMCHAT_USER, or your login name).")]
NoPager = Annotated[bool, typer.Option("--no-pager", help="Print long lists without a pager.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LearnedWith = Annotated[
    str | None, completion.agent_option(help="Only memories from chats with this agent, and the agent's own.")
]
OfAgent = Annotated[str | None, completion.agent_option(help="Include this agent's own memories.")]
Model = Annotated[
    str | None, completion.model_option(help='Model in LiteLLM form (openai/gpt-5.4-mini), or "offline".')
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="KEY=VALUE", help="Only memories with this metadata (repeatable); also != > >= < <= ~."
    ),
]
Category = Annotated[list[str] | None, completion.category_option(help="Only this category (repeatable).")]
Since = Annotated[
    str | None,
    typer.Option(metavar="DAY", help="Only memories whose SINCE is DAY (2026-06-01) or later."),
]
Until = Annotated[str | None, typer.Option(metavar="DAY", help="Only memories whose SINCE is DAY or earlier.")]
InScope = Annotated[
    Scope | None,
    typer.Option("--scope", metavar="SCOPE", help="Only memories of this scope: user, agent or session."),
]
Meta = Annotated[
    list[str] | None,
    typer.Option("--meta", metavar="KEY=VALUE", help="Metadata to store with it (repeatable)."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, without deleting it.")]

_SPAN = re.compile(r"(\d{1,4})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@contextmanager
def open_app(user: str | None = None) -> "Generator[App]":
    """Open the app for a single command, which searches without building an index."""
    from memchat.app import App

    with App(load_settings(user=user), on_retry=announce, on_notice=print_note) as app:
        yield app


@contextmanager
def require_extra(name: str, *packages: str) -> Generator[None]:
    """Import packages of the extra `name` within the block. Raises UsageError if one of `packages` is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        missing = f"the package {packages[0]}, which is" if len(packages) == 1 else "packages that are"
        hint = f"Install with: pip install 'memchat[{name}]'"
        raise UsageError(f"memchat {name} needs {missing} not installed.", hint=hint) from error


def announce(notice: "RetryNotice") -> None:
    """Print that a model call is retried. Retries on the learning thread are not printed."""
    from memchat.repl.notifications import retry_line

    if threading.current_thread() is threading.main_thread():
        print_note(retry_line(notice))


def owners(user: str, agent: str | None) -> tuple[Owner, ...]:
    """Return the owners whose memories `user` may see: the user and, if given, the agent."""
    return (Owner.user(user), Owner.agent(agent)) if agent else (Owner.user(user),)


def build_filter(
    app: "App",
    agent: str | None = None,
    where: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    session: str | None = None,
    *,
    all_sessions: bool = False,
) -> MemoryFilter:
    """Build the filter that a command's options describe. Raises NotFound for a conversation the user does not have."""
    user = app.settings.user
    return MemoryFilter(
        owners(user, agent),
        session_id=app.store.conversations.find_session(session, user).id if session else None,
        all_sessions=all_sessions,
        agent=agent,
        condition=parse_where(where),
        categories=tuple(parse_category(app, name, agent) for name in categories or ()),
    )


def within(view: MemoryFilter, since: str | None, until: str | None, scope: Scope | None) -> MemoryFilter:
    """Narrow `view` to a period and a scope. Scope "session" without a session means those of all conversations."""
    all_sessions = view.all_sessions or (scope is Scope.SESSION and view.session_id is None)
    first, last = parse_day(since, "--since"), parse_day(until, "--until")
    return replace(view, since=first, until=last, scope=scope, all_sessions=all_sessions)


def parse_pairs(given: Sequence[str] | None, option: str) -> Metadata:
    """Parse `key=value` pairs as metadata. Numbers, true and false become such; other values stay text."""
    found: dict[str, MetadataValue] = {}
    for item in given or ():
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} must be KEY=VALUE, not {item!r}.", hint=f"Example: {option} order_id=4821")
        found[key.strip()] = _value(value.strip())
    return found


def parse_where(given: Sequence[str] | None) -> "Condition | None":
    """Parse `--where`: key=value, with another operator in place of `=`, or a filter as JSON. All must match."""
    from memchat.core.conditions import Junction, comparison, parse_condition

    if not given:
        return None
    parts: list[Condition] = []
    for item in given:
        if item.lstrip().startswith("{"):
            try:
                filters = json.loads(item)
            except (ValueError, RecursionError):
                hint = 'Example: --where \'{"OR": [{"a": 1}, {"b": 2}]}\''
                raise UsageError("--where is not valid JSON.", hint=hint) from None
            parts.append(parse_condition(filters))
            continue
        match = _WHERE.fullmatch(item)
        if match is None:
            hint = "Examples: --where order_id=4821, --where 'rating>=4', --where 'created_at<2026-06-01'"
            raise UsageError(f"--where must be KEY=VALUE, not {item!r}.", hint=hint)
        key, operator, value = match["key"].strip(), match["operator"], match["value"].strip()
        if value == "*" and operator == "=":
            parts.append(comparison(key, "*", True))
        elif operator == "~":
            parts.append(comparison(key, "icontains", value))
        else:
            parts.append(comparison(key, _OPERATORS[operator], _value(value)))
    return Junction(tuple(parts))


_WHERE = re.compile(r"(?P<key>[^=!<>~]*[^=!<>~\s][^=!<>~]*)(?P<operator>!=|>=|<=|=|>|<|~)(?P<value>.*)", re.DOTALL)
_OPERATORS = {"=": "eq", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def _value(text: str) -> MetadataValue:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text and abs(number) < 2**53:
            return number
    return text


def parse_category(app: "App", name: str, agent: str | None = None) -> str:
    """Return `name` if it is a category (of the agent, if it has its own). Raises UsageError otherwise."""
    profile = app.settings.profile(agent)
    known = profile.categories if profile else CATEGORIES
    if name not in known:
        guess = closest_match(name, list(known))
        hint = f"Did you mean {guess}?" if guess else f"Categories: {', '.join(known)}."
        raise UsageError(f"There is no category {name!r}.", hint=hint)
    return name


def parse_day(text: str | None, option: str) -> date | None:
    """Parse a day like 2026-06-01. Raises UsageError."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} must be a day, not {text!r}.", hint=f"Example: {option} 2026-06-01") from None


_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}")


def parse_expiry(text: str | None, option: str, now: datetime) -> datetime | None:
    """Parse a day (its end in local time), a date and time, or a span like 12h, 30d, 8w. Raises UsageError."""
    if text is None:
        return None
    if match := _SPAN.fullmatch(text.strip().lower()):
        return now + timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        if _DAY.fullmatch(text.strip()):
            return (datetime.fromisoformat(text.strip()) + timedelta(days=1)).astimezone(UTC)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        hint = f"Examples: {option} 2026-12-31, or {option} 30d for 30 days."
        raise UsageError(f"{option} must be a date or a time span, not {text!r}.", hint=hint) from None


def join_words(words: Sequence[str], what: str) -> str:
    """Join words that were given without quotation marks. `what` names the text in the error if it is empty."""
    text = " ".join(words).strip()
    if not text:
        raise UsageError(f"The {what} is empty.")
    return text
