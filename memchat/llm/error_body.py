"""Find the message in the body of an error, whose form differs between servers."""

import html
import json
import re
from collections.abc import Mapping, Sequence

_SAID_UNDER = ("message", "error", "detail", "details", "errors", "msg", "error_message", "error_description", "reason")
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"<[^>]*>")


def error_text(body: object) -> str:
    """Return the reason in an error's body, JSON or not: one line, empty if there is none."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        return _of_text(body.strip().removeprefix("\ufeff"))
    return " ".join(_of_value(body).split())


def _of_text(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        pass
    else:
        return " ".join(_of_value(value).split())
    if re.match(r"<(?:!doctype|html|head|body)\b", text, re.IGNORECASE):
        title = _TITLE.search(text)
        text = html.unescape(_MARKUP.sub(" ", title.group(2) if title else text))
    return " ".join(text.split())


def _of_value(value: object) -> str:
    if isinstance(value, str):
        # Gateways pass on another server's error as JSON within a string.
        return _of_text(value) if value.lstrip()[:1] in {"{", "["} else value
    if isinstance(value, Mapping):
        # OpenRouter keeps what the provider behind it said here.
        metadata = value.get("metadata")
        if isinstance(metadata, Mapping) and (raw := _of_value(metadata.get("raw"))):
            return raw
        said = next((text for name in _SAID_UNDER if (text := _of_value(value.get(name)))), "")
        place = value.get("loc") or value.get("param")
        if not isinstance(place, str | Sequence) or not said:
            return said or str(value.get("title") or value.get("code") or value.get("type") or "")
        named = place if isinstance(place, str) else ".".join(str(part) for part in place if part != "body")
        return said if named.lower() in said.lower() else f"{named}: {said}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "; ".join(filter(None, map(_of_value, value)))
    return ""
