"""Edit a text in the user's own editor."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from memchat.errors import MemchatError, UsageError

_FALLBACKS = ("nano", "vi", "notepad")
_HINT = "Set EDITOR, or give the new text after the id."


def edit_text(text: str) -> str:
    """Open `text` in VISUAL or EDITOR and return the edited text. Raises MemchatError.

    The temporary file is readable only by the user and deleted afterwards.
    """
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    command = shlex.split(chosen) if chosen else [editor for editor in _FALLBACKS if shutil.which(editor)][:1]
    if not command:
        raise UsageError("No editor was found.", hint=_HINT)
    with TemporaryDirectory(prefix="memchat-") as folder:
        file = Path(folder) / "memory.txt"
        file.write_text(text + "\n", encoding="utf-8")
        try:
            code = subprocess.run([*command, str(file)], check=False).returncode
        except OSError as error:
            raise UsageError(f"The editor {command[0]!r} cannot be run: {error.strerror}.", hint=_HINT) from error
        if code:
            raise MemchatError(f"The editor exited with an error ({code}). Nothing was changed.")
        return file.read_text(encoding="utf-8", errors="replace").strip()
