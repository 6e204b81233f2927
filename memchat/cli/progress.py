"""Progress bars on a terminal's standard error."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with how many steps are done, and of how many."""


@contextmanager
def progress_bar(what: str, steps: int | None = None) -> Generator[Progress]:
    """A bar on a terminal, gone at the end; nothing anywhere else, and nothing for fewer than two known `steps`."""
    if not sys.stderr.isatty() or (steps is not None and steps < 2):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=steps)
        yield lambda done, total: bar.update(task, completed=done, total=total)
