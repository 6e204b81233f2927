"""The length of text in bytes, and about how many tokens that is."""

BYTES_A_TOKEN = 4
"""Bytes per token of English text; about the same in other languages."""


def size(text: str) -> int:
    """Return the length of `text` in bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))
