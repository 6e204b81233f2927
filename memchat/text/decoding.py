"""Text from outside: files, pipes and attachments in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

Other encodings cannot be told apart reliably, and a wrong guess would be remembered as garbage: they are refused.
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
    """The text in `data`, without a byte order mark. Raises UsageError, which calls it `name`, for what is no text."""
    encoding = marked_encoding(data) or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text.", hint=_HINT) from None
    if "\0" in text:
        raise UsageError(f"{name} is not UTF-8 text: it contains NUL bytes.", hint=_HINT)
    return text


def whole_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines as they come, in UTF-8, without a byte order mark; those of UTF-16 and UTF-32 once all are there."""
    waiting = iter(lines)
    first = next(waiting, b"")
    encoding = marked_encoding(first)
    if encoding is not None and encoding != "utf-8-sig":
        text = decode_text(b"".join((first, *waiting)), "Standard input")
        waiting = (line.encode() for line in text.splitlines(keepends=True))
        first = next(waiting, b"")
    if first:
        yield first.removeprefix(codecs.BOM_UTF8)
    yield from waiting


def marked_encoding(data: bytes) -> str | None:
    """The encoding that the byte order mark of `data` names."""
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
