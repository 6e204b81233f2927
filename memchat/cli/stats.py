"""`memchat stats`: count memories by category and by month, and the tokens spent and saved."""

import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from memchat.cli import completion
from memchat.cli.options import Json, User, build_filter, open_app
from memchat.cli.output import Block, Line, Result, Table, fold
from memchat.core.protocols import Purpose
from memchat.storage.results import TokenTotal
from memchat.text.plurals import pluralize

LONGEST_BAR = 30
"""Maximum length of a bar, in characters."""
BESIDE_BAR = 26
"""Columns taken by the name, the number and the gaps."""
LATEST_MONTHS = 24
"""Months that are shown on the screen; --json has all."""
_PURPOSES = {Purpose.CHAT: "chatting", Purpose.LEARN: "learning"}

OfAgent = Annotated[str | None, completion.agent_option(help="Only memories and conversations with this agent.")]


def stats(*, user: User = None, agent: OfAgent = None, as_json: Json = False) -> Result:
    """Count memories by category and month, and the tokens spent and saved.

    The month is the one from which a memory is true or, by default, in which it was created.
    """
    with open_app(user) as app:
        name, store = app.settings.user, app.store
        rows = store.memories.tally(build_filter(app, agent, all_sessions=True))
        sessions = [one for one in store.conversations.sessions(name) if agent in {None, one.agent}]
        waiting = len(store.work.pending(name))
        spent = store.usage.totals(name, agent)
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
        "tokens": _tokens_json(spent),
    }
    latest = dict(sorted(by_month.items())[-LATEST_MONTHS:])
    memories = pluralize(data["memories"], "memory", "memories")
    conversations = pluralize(data["conversations"], "conversation", "conversations")
    messages = pluralize(data["messages"], "message", "messages")
    shown: list[Block] = [
        Line(f"{memories}, {conversations}, {messages}", "bold"),
        *_chart("CATEGORY", dict(by_category.most_common())),
        *_chart("MONTH", latest),
        *_tokens_table(spent),
    ]
    pending = pluralize(waiting, "exchange or added memory is", "exchanges or added memories are")
    notes = [f"{pending} pending; see memchat status."] if waiting else []
    if any(total.estimated for total in spent.values()):
        notes.append("Some answers came without the number of their tokens; those are estimated.")
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


def _tokens_json(spent: Mapping[Purpose, TokenTotal]) -> dict[str, Any]:
    """Return the sums for `--json`, with zeros for what there is none of."""
    nothing = TokenTotal("", 0, 0, 0, 0, 0)
    totals = {purpose: spent.get(purpose, nothing) for purpose in Purpose}
    return {
        "since": min((total.since for total in spent.values()), default=None),
        **{
            purpose: {
                "calls": total.calls,
                "estimated_calls": total.estimated,
                "prompt": total.prompt_tokens,
                "completion": total.completion_tokens,
            }
            for purpose, total in totals.items()
        },
        "saved": sum(total.saved_tokens for total in totals.values()),
    }


def _tokens_table(spent: Mapping[Purpose, TokenTotal]) -> list[Block]:
    """Return the tokens spent on each purpose, and those saved; nothing before the first call."""
    if not spent:
        return []
    saved = sum(total.saved_tokens for total in spent.values())
    if not sys.stdout.isatty():
        plain = [
            (_PURPOSES[purpose], str(total.prompt_tokens), str(total.completion_tokens))
            for purpose, total in spent.items()
        ]
        return [Table(("TOKENS", "PROMPTS", "ANSWERS"), [*plain, ("saved", str(saved), "")])]
    rows = [("TOKENS", "IN PROMPTS", "IN ANSWERS")]
    for purpose, total in spent.items():
        about = "about " if total.estimated else ""
        rows.append((_PURPOSES[purpose], f"{about}{total.prompt_tokens:,}", f"{about}{total.completion_tokens:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *lines = (f"{name:<{widths[0]}}  {sent:>{widths[1]}}  {got:>{widths[2]}}" for name, sent, got in rows)
    verdict = f"Since {min(total.since for total in spent.values())}, memory has " + (
        f"taken about {-saved:,} more tokens than sending the whole history would have."
        if saved < 0
        else f"saved about {saved:,} tokens against sending the whole history."
    )
    width = shutil.get_terminal_size().columns
    return [Line(""), Line(head, "dim"), *map(Line, lines), *map(Line, fold(verdict, width))]
