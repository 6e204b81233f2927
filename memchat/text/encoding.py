"""Text files in the encodings that editors and shells write."""

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode_text(raw: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16, with or without its mark. Raises UnicodeDecodeError for any other."""
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    if encoding is None:
        # Every other byte of plain text in UTF-16 is zero, which text in UTF-8 never holds.
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be" if raw[:1] == b"\0" else "utf-8"
    return raw.decode(encoding)
