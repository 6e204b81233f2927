"""A text in the person's own editor."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from memchat.errors import MemchatError, UsageError

_USUAL = ("nano", "vi", "notepad")


def edit_text(text: str) -> str:
    """What the person made of `text` in VISUAL or EDITOR. The file they see is theirs alone and gone afterwards."""
    command = _command()
    with TemporaryDirectory(prefix="memchat-") as folder:
        file = Path(folder) / "memory.txt"
        file.write_text(text + "\n", encoding="utf-8")
        try:
            code = subprocess.run([*command, str(file)], check=False).returncode
        except OSError as error:
            raise UsageError(f"The editor {command[0]!r} cannot be run: {error.strerror}.", hint=_OTHERWISE) from error
        if code:
            raise MemchatError(f"The editor ended with {code}. Nothing was changed.")
        return file.read_text(encoding="utf-8", errors="replace").strip()


_OTHERWISE = "Set EDITOR, or give the new text after the id."


def _command() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if chosen:
        return shlex.split(chosen)
    found = next((editor for editor in _USUAL if shutil.which(editor)), None)
    if found is None:
        raise UsageError("There is no editor.", hint=_OTHERWISE)
    return [found]
