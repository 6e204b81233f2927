"""`memchat stats`: count memories by category and by month."""

import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from memchat.cli import completion
from memchat.cli.formatting import pluralize
from memchat.cli.options import Json, User, build_filter, open_app
from memchat.cli.output import Block, Line, Result, Table

LONGEST_BAR = 30
"""Maximum length of a bar, in characters."""
BESIDE_BAR = 26
"""Columns taken by the name, the number and the gaps."""
LATEST_MONTHS = 24
"""Months that are shown on the screen; --json has all."""

OfAgent = Annotated[str | None, completion.agent_option(help="Only memories and conversations with this agent.")]


def stats(*, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Count memories by category and by the month from which they are true or, by default, were created."""
    with open_app(user) as app:
        name, store = app.settings.user, app.store
        rows = store.memories.tally(build_filter(app, agent, all_sessions=True))
        sessions = [one for one in store.conversations.sessions(name) if agent in {None, one.agent}]
        waiting = len(store.work.pending(name))
    by_category, by_month = Counter[str](), Counter[str]()
    for category, month, count in rows:
        by_category[category] += count
        by_month[month] += count
    data: dict[str, Any] = {
        "user": name,
        "memories": by_category.total(),
        "categories": dict(by_category.most_common()),
        "months": dict(sorted(by_month.items())),
        "conversations": len(sessions),
        "messages": sum(one.messages for one in sessions),
        "pending": waiting,
    }
    latest = dict(sorted(by_month.items())[-LATEST_MONTHS:])
    memories = pluralize(data["memories"], "memory", "memories")
    conversations = pluralize(data["conversations"], "conversation", "conversations")
    messages = pluralize(data["messages"], "message", "messages")
    shown: list[Block] = [
        Line(f"{memories}, {conversations}, {messages}", "bold"),
        *_chart("CATEGORY", dict(by_category.most_common())),
        *_chart("MONTH", latest),
    ]
    pending = pluralize(waiting, "exchange is", "exchanges are")
    notes = [f"{pending} not yet learned from; see memchat status."] if waiting else []
    return Result(data, shown, notes, as_json)


def _chart(heading: str, counts: Mapping[str, int]) -> list[Block]:
    """Return a row for each name with its count and, on a terminal, a bar."""
    most = max(counts.values(), default=0)
    if not most:
        return []
    if not sys.stdout.isatty():
        return [Table((heading, "MEMORIES"), [(name, str(count)) for name, count in counts.items()])]
    longest = max(1, min(LONGEST_BAR, shutil.get_terminal_size().columns - BESIDE_BAR))
    width = max(map(len, counts))
    lines = [
        Line(f"{name:<{width}}  {count:>5}  {'█' * max(1, round(longest * count / most))}")
        for name, count in counts.items()
    ]
    return [Line(""), Line(heading, "dim"), *lines]
