"""Ask for confirmation before an action that cannot be undone."""

import sys
from collections.abc import Iterable

from memchat.cli.output import Block, show
from memchat.errors import UsageError


def confirm(what: Iterable[Block], question: str) -> bool:
    """Show `what`, ask `question`, and return whether the user typed y or yes. Raises UsageError without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{question} There is no terminal to ask on.",
            hint="Use --yes to go ahead without asking, or --dry-run to see what would be deleted.",
        )
    show(what, sys.stderr)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
