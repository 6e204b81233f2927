"""Settings files in the encodings that editors and shells write."""

from memchat.text.decoding import marked_encoding


def decode_settings(raw: bytes) -> str:
    """Decode a settings file in UTF-8 or UTF-16, with or without its mark. Raises UnicodeDecodeError for any other.

    Other text from outside needs a mark: a wrong guess there would be remembered.
    """
    encoding = marked_encoding(raw)
    if encoding is None:
        # Every other byte of plain text in UTF-16 is zero, which text in UTF-8 never holds.
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be" if raw[:1] == b"\0" else "utf-8"
    return raw.decode(encoding)
