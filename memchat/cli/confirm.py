"""A question before something that cannot be undone."""

import sys
from collections.abc import Iterable

from memchat.cli.output import Block, show
from memchat.errors import UsageError


def confirm(what: Iterable[Block], question: str) -> bool:
    """Show `what` and ask; only a yes is one. Raises UsageError where there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{question} There is no terminal to ask on.",
            hint="--yes does it without asking; --dry-run says what would go.",
        )
    show(what, sys.stderr)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
