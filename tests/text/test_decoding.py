"""What comes in as bytes is decoded, or refused."""

import pytest

from memchat.errors import UsageError
from memchat.text.decoding import decode_text, whole_lines

TEXT = "Ich heiße Jörg\n私は🎉です\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_every_form_of_unicode(encoding: str) -> None:
    """The byte order mark says which, and is no part of the text."""
    assert decode_text(TEXT.encode(encoding), "It") == TEXT


@pytest.mark.parametrize("order", ["utf-16-be", "utf-32-be"])
def test_the_mark_tells_the_order_of_bytes(order: str) -> None:
    """Big-endian files are rarer, and as good."""
    assert decode_text(f"\ufeff{TEXT}".encode(order), "It") == TEXT


@pytest.mark.parametrize(
    "data",
    [
        "Jörg".encode("latin-1"),
        "漢字".encode("shift_jis"),
        "Привет".encode("cp1251"),
        "no mark".encode("utf-16-le"),
        b"\xff\xfea",
        b"\xef\xbb\xbf\xff",
        b"a\0b",
    ],
)
def test_what_is_no_unicode_text_is_refused(data: bytes) -> None:
    """By the name it goes by, with a way on."""
    with pytest.raises(UsageError, match=r"notes\.txt is not UTF-8") as raised:
        decode_text(data, "notes.txt")
    assert "UTF-8" in (raised.value.hint or "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_come_out_as_utf_8(encoding: str) -> None:
    """Also where a line's end is two bytes."""
    data = TEXT.encode(encoding)
    assert b"".join(whole_lines(data.splitlines(keepends=True))).decode() == TEXT


def test_lines_come_as_they_are_typed() -> None:
    """The first one does not wait for the second."""

    def typed() -> "list[bytes]":
        raise AssertionError("the second line was asked for")

    lines = whole_lines(part if isinstance(part, bytes) else b"".join(part()) for part in (b"one\n", typed))
    assert next(lines) == b"one\n"


def test_no_lines_give_none() -> None:
    """An empty pipe is no error."""
    assert list(whole_lines([])) == []
