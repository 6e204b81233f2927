"""Long lists through the pager of the person, as git shows them."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain, islice

from memchat.signals import signal_handlers
from memchat.terminal import is_dumb

PLAIN = "cat"
"""The pager that stands for none."""
LESS = {"LESS": "FRX", "LV": "-c"}
"""Default options of the usual pagers: keep colours, and leave the text on the screen."""


def print_paged(lines: Iterable[str]) -> None:
    """Print `lines` on the terminal of standard output, through a pager if they do not fit its screen.

    The environment names the pager, by default less.
    """
    remaining = iter(lines)
    first = list(islice(remaining, shutil.get_terminal_size().lines - 1))
    beyond = list(islice(remaining, 1))
    pager: subprocess.Popen[str] | None = None
    if beyond and sys.stdin.isatty() and not is_dumb():
        # A pager that cannot be started is no reason to print nothing.
        with suppress(OSError, ValueError):
            words = shlex.split(os.environ.get("PAGER", "less"))
            if words and words != [PLAIN]:
                env, encoding = {**LESS, **os.environ}, sys.stdout.encoding
                pager = subprocess.Popen(words, stdin=subprocess.PIPE, env=env, encoding=encoding, errors="replace")
    every = (f"{line}\n" for line in chain(first, beyond, remaining))
    if pager is None:
        sys.stdout.writelines(every)
        return
    assert pager.stdin is not None
    # Ctrl-C is for the pager, which stays until it is left; what it does not read is not wanted.
    with signal_handlers({signal.SIGINT: lambda number, frame: None}):
        with suppress(BrokenPipeError), pager.stdin as pipe:
            pipe.writelines(every)
        pager.wait()
