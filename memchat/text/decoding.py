"""Decode text from outside: files, pipes and attachments in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

Other encodings cannot be told apart reliably, and a wrong guess would be remembered as garbage, so they are rejected.
Settings files may also be UTF-16 without a mark, as some editors and shells write them.
"""

import codecs
from collections.abc import Iterable, Iterator

from memchat.errors import UsageError

# The mark of UTF-16 is the beginning of that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HINT = "Save it as UTF-8 first; iconv -f latin1 -t utf-8 FILE does that for Latin-1."


def decode_text(data: bytes, name: str) -> str:
    """Decode `data`, without its byte order mark. Raises UsageError, which calls it `name`, if it is not text."""
    encoding = _marked_encoding(data) or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text.", hint=_HINT) from None
    if "\0" in text:
        raise UsageError(f"{name} is not UTF-8 text: it contains NUL bytes.", hint=_HINT)
    return text


def decode_settings(raw: bytes) -> str:
    """Decode a settings file in UTF-8 or UTF-16, with or without a mark. Raises UnicodeDecodeError for any other."""
    encoding = _marked_encoding(raw)
    if encoding is None:
        # Every other byte of plain text in UTF-16 is zero, which text in UTF-8 never holds.
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be" if raw[:1] == b"\0" else "utf-8"
    return raw.decode(encoding)


def whole_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield `lines` in UTF-8 without a byte order mark: UTF-8 as it arrives, UTF-16 and UTF-32 after the last line."""
    waiting = iter(lines)
    first = next(waiting, b"")
    encoding = _marked_encoding(first)
    if encoding is not None and encoding != "utf-8-sig":
        text = decode_text(b"".join((first, *waiting)), "Standard input")
        waiting = (line.encode() for line in text.splitlines(keepends=True))
        first = next(waiting, b"")
    if first:
        yield first.removeprefix(codecs.BOM_UTF8)
    yield from waiting


def _marked_encoding(data: bytes) -> str | None:
    """Return the encoding that the byte order mark of `data` names, if there is one."""
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
