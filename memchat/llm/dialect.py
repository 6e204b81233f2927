"""Learn which parameters a server accepts. Many refuse some of OpenAI's; the call is then repeated without them."""

import json
import re
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

from memchat.private_files import write_private

_KEPT_DAYS = 14
"""Days after which a refusal is forgotten, since the server may have been updated."""


class Structure(IntEnum):
    """Degrees to which a server enforces a schema."""

    NONE = 0
    OBJECT = 1
    """Any JSON object."""
    SCHEMA = 2
    STRICT = 3
    """OpenAI's strict mode, if the schema allows it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parameters to send. `length` is the name of the token limit, None to send none."""

    temperature: bool = True
    stream: bool = True
    stream_options: bool = True
    length: str | None = "max_tokens"
    structure: Structure = Structure.STRICT


_NAMED = {
    "stream_options": re.compile(r"stream_options|include_usage"),
    "response_format": re.compile(
        r"response_?\s?format|json_?\s?schema|json_?\s?object|structured[_ ]outputs?|\bgrammar|\bguided_|"
        r"\bstrict\b|(?:unmarshal|field|property|parameter)\b.{0,40}\bformat\b"
    ),
    "temperature": re.compile(r"\btemperature\b"),
    "max_tokens": re.compile(r"\bmax_(?:completion_|new_|output_)?tokens\b|\bnum_predict\b"),
    "stream": re.compile(
        r"\bstream(?:ing|ed)?\b.{0,40}\b(?:not|un)\s?(?:supported|available|allowed|enabled|implemented|permitted)|"
        r"(?:not|n't) support.{0,20}\bstream"
    ),
}
_ABOUT_STRICT = r"\bstrict\b|invalid schema|invalid json schema"
_ABOUT_TYPE = r"json_?\s?schema|format\W{0,3}\s*(?:of )?type|\btype\b"
"""A server that refuses one type of format may know the other; one that refuses the parameter knows neither."""


def refused_parameter(complaint: str) -> str | None:
    """Return the parameter that `complaint`, in lower case, names; None if it names none that can be left out."""
    return next((name for name, words in _NAMED.items() if words.search(complaint)), None)


def without_refused(dialect: Dialect, complaint: str, sent: Collection[str]) -> Dialect | None:
    """Return `dialect` without the parameters of `sent` that `complaint` names; None if nothing can be left out.

    A complaint that names none is taken to be about the schema, the parameter that servers most often lack.
    """
    named = [name for name, words in _NAMED.items() if words.search(complaint) and name in sent]
    if not named and refused_parameter(complaint) is None and "response_format" in sent:
        return replace(dialect, structure=Structure.NONE)
    if not named:
        return None
    match named[0]:
        case "response_format":
            if dialect.structure is Structure.STRICT and re.search(_ABOUT_STRICT, complaint):
                return replace(dialect, structure=Structure.SCHEMA)
            refuses_type = dialect.structure > Structure.OBJECT and re.search(_ABOUT_TYPE, complaint)
            return replace(dialect, structure=Structure.OBJECT if refuses_type else Structure.NONE)
        case "max_tokens":
            other = "max_completion_tokens" if dialect.length == "max_tokens" else "max_tokens"
            suggested = re.search(rf"(?:use|try|instead|did you mean)\W.{{0,20}}\b{other}\b", complaint)
            return replace(dialect, length=other if suggested else None)
        case "temperature":
            return replace(dialect, temperature=False)
        case "stream_options":
            return replace(dialect, stream_options=False)
        case _:
            return replace(dialect, stream=False)


class DialectMemory:
    """The known dialects by model and address: in this process, and with a `file` in later ones too."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Dialect] = {}
        self._read = file is None

    def get(self, key: str, usual: Dialect) -> Dialect:
        """Return the learned dialect of a server, else `usual`."""
        with self._lock:
            if not self._read:
                self._read = True
                self._known = {name: _dialect(entry) for name, entry in self._load().items()} | self._known
            return self._known.get(key, usual)

    def learn(self, key: str, dialect: Dialect, *, lasting: bool) -> None:
        """Remember `dialect`, if `lasting` in the file too. A read-only file is no error."""
        with self._lock:
            self._known[key] = dialect
            if not lasting or self._file is None:
                return
            entry = {**asdict(dialect), "day": date.today().isoformat()}
            text = json.dumps({**self._load(), key: entry}, indent=1)
            with suppress(OSError):
                write_private(self._file, text)

    def _load(self) -> dict[str, dict[str, Any]]:
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8")) if self._file else {}
            oldest = (date.today() - timedelta(days=_KEPT_DAYS)).isoformat()
            return {key: entry for key, entry in entries.items() if oldest <= entry["day"] and _dialect(entry)}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def _dialect(entry: dict[str, Any]) -> Dialect:
    values = {name: value for name, value in entry.items() if name != "day"}
    return Dialect(**{**values, "structure": Structure(values["structure"])})
