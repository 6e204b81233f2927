"""Copy text to the clipboard, with a desktop program or with the terminal itself."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping

from memchat.terminal import is_dumb

_TIMEOUT_S = 3.0


def copy_text(text: str, write: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> str:
    """Copy `text` and describe how. `write` prints to the terminal, which accepts OSC 52 even over ssh."""
    size = f"{len(text):,} characters"
    candidates: list[list[str]] = []
    if sys.platform == "darwin":
        candidates.append(["pbcopy"])
    if environ.get("WAYLAND_DISPLAY"):
        candidates.append(["wl-copy"])
    if environ.get("DISPLAY"):
        candidates += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    if environ.get("WSL_DISTRO_NAME"):
        candidates.append(["clip.exe"])
    for command in candidates:
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return f"Copied {size} ({command[0]})."
    if is_dumb(environ):
        return "No clipboard is available: no clipboard program was found, and this terminal has no clipboard."
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    write(f"\x1b]52;c;{encoded}\x07")
    return f"Sent {size} to the terminal's clipboard. If it stays empty, the terminal does not allow this."
