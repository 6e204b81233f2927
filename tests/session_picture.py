"""Draw `docs/session.svg`: `python -m tests.session_picture > docs/session.svg`.

The picture is the screen of the real program on a pseudo-terminal, in an empty home and without a model: what the
README's first command gives. Nothing in it is written by hand but what the person types.
"""

import html
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pexpect
import pyte

COLUMNS, LINES = 84, 34
PATIENCE_S = 60.0
TYPED = (
    "I'm vegetarian and I live in Berlin.",
    "Can you suggest a restaurant near me for tonight?",
    "I just moved to Amsterdam.",
    "/memories",
)
CHARACTER_WIDTH, LINE_HEIGHT, MARGIN = 8.43, 19, 14
FONTS = "ui-monospace, Menlo, Consolas, monospace"
BACKGROUND, FOREGROUND = "#16181d", "#d8dbe2"
COLOURS = {
    "black": "#4a4f5a",
    "red": "#f07178",
    "green": "#a5d18b",
    "brown": "#e6c07b",
    "blue": "#7aa2f7",
    "magenta": "#c792ea",
    "cyan": "#7fd4d9",
    "white": FOREGROUND,
}


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        print(svg(play(Path(home))))


def play(home: Path) -> pyte.Screen:
    """Type the messages into `memchat chat --user alice` and return the screen."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment = {
        **kept,
        "MEMCHAT_HOME": str(home),
        "MEMCHAT_MODEL": "offline",
        "OLLAMA_API_BASE": "http://127.0.0.1:9",
        "TERM": "xterm-256color",
        "COLORTERM": "",
    }
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    command = ["-m", "memchat", "chat", "--user", "alice"]
    child = pexpect.spawn(sys.executable, command, env=environment, dimensions=(LINES, COLUMNS))
    screen.write_process_input = child.send
    try:
        for typed in TYPED:
            _settle(child, stream)
            child.send(typed + "\r")
        _settle(child, stream)
    finally:
        child.close(force=True)
    return screen


def _settle(child: "pexpect.spawn[bytes]", stream: pyte.ByteStream) -> None:
    """Read until nothing has been printed for a while."""
    end = time.monotonic() + PATIENCE_S
    quiet_since = time.monotonic()
    while time.monotonic() < end and time.monotonic() - quiet_since < 2.5:
        try:
            stream.feed(child.read_nonblocking(65_536, timeout=0.1))
            quiet_since = time.monotonic()
        except pexpect.TIMEOUT:
            continue


def svg(screen: pyte.Screen) -> str:
    """Return the screen as a picture that needs no font or script from elsewhere."""
    rows = [row for row in range(screen.lines) if screen.display[row].strip()]
    last = max(rows, default=0)
    width = round(COLUMNS * CHARACTER_WIDTH + 2 * MARGIN)
    height = (last + 1) * LINE_HEIGHT + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="A chat">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="{FONTS}" font-size="14" fill="{FOREGROUND}" xml:space="preserve">',
    ]
    lines += [line for row in range(last + 1) if (line := _row(screen, row))]
    return "\n".join([*lines, "</g>", "</svg>"])


def _row(screen: pyte.Screen, row: int) -> str:
    """One line of text, a span for each run of characters of one style."""
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    while cells and not cells[-1].data.strip():
        cells.pop()
    spans: list[tuple[str, str]] = []
    for cell in cells:
        style = _style(cell)
        if spans and spans[-1][0] == style:
            spans[-1] = (style, spans[-1][1] + cell.data)
        else:
            spans.append((style, cell.data))
    y = MARGIN + (row + 0.75) * LINE_HEIGHT
    body = "".join(f"<tspan{style}>{html.escape(text)}</tspan>" for style, text in spans)
    return f'<text x="{MARGIN}" y="{y:g}">{body}</text>' if body else ""


def _style(cell: pyte.screens.Char) -> str:
    colour = COLOURS.get(cell.fg) or (f"#{cell.fg}" if re.fullmatch(r"[0-9a-f]{6}", cell.fg) else "")
    return (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if cell.bold else "")


if __name__ == "__main__":
    main()
