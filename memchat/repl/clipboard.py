"""Text into the clipboard: by a program where there is a desktop, else by the terminal itself."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

_TIMEOUT_S = 3.0


def copy_text(text: str, write: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> str:
    """Copy `text`, and say how. `write` prints to the terminal, which takes OSC 52 over ssh, too."""
    what = f"{len(text):,} characters"
    for command in _programs(environ):
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return f"Copied {what} ({command[0]})."
    if environ.get("TERM", "dumb") == "dumb":
        return "There is no clipboard here: no program for it, and a terminal that has none."
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    write(f"\x1b]52;c;{encoded}\x07")
    return f"Sent {what} to the terminal's clipboard. If it is empty, the terminal does not allow that."


def _programs(environ: Mapping[str, str]) -> Iterator[list[str]]:
    """The programs that fit the desktop, where there is one and they are installed."""
    candidates: list[list[str]] = []
    if sys.platform == "darwin":
        candidates.append(["pbcopy"])
    if environ.get("WAYLAND_DISPLAY"):
        candidates.append(["wl-copy"])
    if environ.get("DISPLAY"):
        candidates += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    if environ.get("WSL_DISTRO_NAME"):
        candidates.append(["clip.exe"])
    return (command for command in candidates if shutil.which(command[0]))
