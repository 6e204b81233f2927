"""A streamed Markdown answer on a terminal: memchat's renderer beside rich.Live, which draws it again and again.

    python -m tests.benchmarks.markdown_stream [--runs 5]

The answer has 200 lines and about 8,000 characters: prose, lists, code, tables, quotes. It comes in pieces of four
characters, as from a model that writes fifty of them a second, to a terminal of 80 columns by 24 lines. rich.Live draws
four times a second, as it does unless told otherwise. Counted are the bytes that reach the
terminal and the sequences in them that move the cursor up or erase; CPU is the median of the runs, and how many times
memchat's it is.
"""

import argparse
import re
import time
from collections.abc import Callable
from io import StringIO
from statistics import median

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from memchat.repl.markdown.renderer import StreamingMarkdown
from tests.benchmarks.measure import conditions
from tests.benchmarks.tables import table

COLUMNS, LINES = 80, 24
PIECE = 4
PIECES_A_SECOND = 50
DRAWN_A_SECOND = 4
MOVES_UP = re.compile(r"\x1b\[\d*[AF]")
ERASES = re.compile(r"\x1b\[\d*[JKX]")

_SECTION = """\
## Part {number}: what to pack

A plan with *some emphasis*, `inline code` and [a link](https://example.org/{number}), which is long enough to be
wrapped on a screen of eighty columns, once in the first line of the source and once more in the second,
as paragraphs of answers are wherever a model takes the trouble to explain what it recommends, and why.

1. Warm clothes
   - a wool pullover, which should be long enough to keep your back warm while you bend over the anchor
   - gloves, **thin** ones, so that you can still hold a rope
2. Food and drinks for {number} days, and for one day more than you think you will be out there

> A quote that says something wise, or at least something that sounds wise late in the evening,
> over two lines.

```python
def greet(name: str) -> str:
    if not name:
        raise ValueError("no name")
    return f"Hello, {{name}}, {number} times!"
```

| port | country | depth |
| --- | --- | --- |
| Visby | Sweden, in the middle of the Baltic | 5.5 metres at the guest harbour |

"""


def answer() -> str:
    """The same 200 lines at every call."""
    lines = "".join(_SECTION.format(number=number) for number in range(1, 10)).splitlines()
    return "\n".join(lines[:200]) + "\n"


def terminal() -> tuple[Console, StringIO]:
    screen = StringIO()
    return Console(file=screen, force_terminal=True, color_system="256", width=COLUMNS, height=LINES), screen


def by_memchat(pieces: list[str]) -> str:
    console, screen = terminal()
    reply = StreamingMarkdown(console)
    for piece in pieces:
        reply.feed(piece)
    reply.close()
    return screen.getvalue()


def by_live(pieces: list[str], every: int) -> str:
    """Drawn after every so many pieces, and once at the end."""
    console, screen = terminal()
    text = ""
    with Live(Markdown(""), console=console, auto_refresh=False, vertical_overflow="visible") as live:
        for number, piece in enumerate(pieces, 1):
            text += piece
            if number % every == 0:
                live.update(Markdown(text), refresh=True)
        live.update(Markdown(text), refresh=True)
    return screen.getvalue()


def row(name: str, render: Callable[[list[str]], str], pieces: list[str], runs: int) -> tuple[str, str, float]:
    """The name, what was written, and the seconds of CPU."""
    used = []
    for _ in range(runs):
        began = time.process_time()
        written = render(pieces)
        used.append(time.process_time() - began)
    return name, written, median(used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    text = answer()
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    by_memchat(pieces[:50])
    by_live(pieces[:50], 10)
    rows = [
        row("memchat", by_memchat, pieces, runs),
        row("rich.Live", lambda pieces: by_live(pieces, PIECES_A_SECOND // DRAWN_A_SECOND), pieces, runs),
    ]
    print(f"{len(text):,} characters, {text.count(chr(10))} lines, {len(pieces):,} pieces; {conditions()}\n")
    _, first, own_s = rows[0]
    cells = [
        (
            name,
            f"{len(written.encode()):,}",
            f"{len(written.encode()) / len(first.encode()):.1f}",
            str(len(MOVES_UP.findall(written))),
            str(len(ERASES.findall(written))),
            f"{cpu_s:.3f}",
            f"{cpu_s / own_s:.1f}",
        )
        for name, written, cpu_s in rows
    ]
    print(table(("", "bytes", "times", "cursor up", "erase", "CPU, s", "times"), cells))


if __name__ == "__main__":
    main()
