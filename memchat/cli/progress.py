"""Progress bars on a terminal's standard error."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from memchat.core.protocols import Progress, no_progress
from memchat.terminal import is_dumb


@contextmanager
def progress_bar(what: str, steps: int | None = None) -> Generator[Progress]:
    """Show a progress bar until the end. Without a terminal, or with fewer than two `steps`, show nothing."""
    if is_dumb() or not sys.stderr.isatty() or (steps is not None and steps < 2):
        yield no_progress
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn(what), bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=steps)
        yield lambda done, total: bar.update(task, completed=done, total=total)
