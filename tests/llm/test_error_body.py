"""The reason in an error's body, in the forms that servers have."""

import json

import pytest

from memchat.llm.error_body import error_text

FORMS: list[tuple[object, str]] = [
    ({"error": "no such luck"}, "no such luck"),
    ({"error": {"message": "no such luck", "code": 400}}, "no such luck"),
    ({"error": {"message": "no such luck", "param": "top_p"}}, "top_p: no such luck"),
    ({"error": {"message": "top_p has no such luck", "param": "top_p"}}, "top_p has no such luck"),
    ({"detail": "no such luck"}, "no such luck"),
    ({"detail": [{"loc": ["body", "stream"], "msg": "Extra inputs", "type": "x"}]}, "stream: Extra inputs"),
    ({"message": "no such luck", "type": "x"}, "no such luck"),
    ({"error": "Bad Request", "message": "no such luck"}, "no such luck"),
    ({"errors": ["no such", {"message": "luck"}]}, "no such; luck"),
    ([{"error": {"message": "no such luck"}}], "no such luck"),
    ({"error": {"message": json.dumps({"error": {"message": "no such luck"}})}}, "no such luck"),
    ({"error": {"message": "Provider returned error", "metadata": {"raw": "no such luck"}}}, "no such luck"),
    ({"object": "error", "message": "no such\nluck"}, "no such luck"),
    ({"title": "no such luck", "status": 400}, "no such luck"),
    ({"error": {"type": "overloaded"}}, "overloaded"),
    ({}, ""),
    (None, ""),
]


@pytest.mark.parametrize(("value", "reason"), FORMS)
def test_the_reason_is_found_in_json(value: object, reason: str) -> None:
    """As a value, and as the bytes of a response."""
    assert error_text(value) == reason
    assert error_text(json.dumps(value).encode()) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"upstream  is\n down", "upstream is down"),
        (
            b"<!DOCTYPE html><title>502 Bad &amp; Gateway</title><body>x</body>",
            "502 Bad & Gateway",
        ),
        (b"<html><body><p>Only a <b>page</b></p></body></html>", "Only a page"),
        (b'\xef\xbb\xbf{"error": "marked"}', "marked"),
        (b"", ""),
        ("ключ отклонён".encode("cp1251"), "\ufffd" * 4 + " " + "\ufffd" * 8),
    ],
)
def test_the_reason_is_found_in_text_and_pages(body: bytes, reason: str) -> None:
    """A page of HTML by its title; bytes that are no text are no traceback."""
    assert error_text(body) == reason
