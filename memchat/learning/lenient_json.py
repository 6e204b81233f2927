"""Parse JSON as models write it: in prose, in fences, wrapped, in Python's spelling, with surplus commas."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_MAX_BROKEN = 500
"""Maximum number of brackets tried that open no JSON; a reply with more is noise."""
_MAX_WRAPPINGS = 4

BROKEN = object()


def values_in(reply: str) -> Iterator[Any]:
    """Yield every outermost JSON object or list in `reply`, and BROKEN for a bracket that opens none.

    After a broken one only objects are looked for, since a list there may be part of it, such as the cues of a fact.
    """
    failures, at, opening = 0, 0, _OPENING
    while failures < _MAX_BROKEN and (start := opening.search(reply, at)):
        try:
            value, at = _DECODER.raw_decode(reply, start.start())
        except (ValueError, RecursionError):
            value, at, opening = BROKEN, start.end(), _OBJECT
            failures += 1
        yield value


_OBJECT = re.compile(r"\{(?=\s*+(?:[\"'}/]|$))")
_OPENING = re.compile(rf"{_OBJECT.pattern}|\[(?=\s*+(?:[\"{{\[\]\d]|$))")
"""A bracket of prose ("[see above]", "{name}") opens nothing."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; for a key given twice, join lists, and replace different values by None."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        former = found.get(key, value)
        joined = [*former, *value] if isinstance(former, list) and isinstance(value, list) else None
        found[key] = value if key not in found or former == value else joined
    return found


def small_integer(digits: str) -> int | None:
    return int(digits) if len(digits) < 10 else None


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=small_integer, strict=False)


_THINKING = re.compile(r"(?is)<(think|thinking|thought|reasoning)>.*?(?:</\1\s*>|\Z(?<=>))")


def without_thinking(reply: str) -> str:
    """Remove the model's reasoning from `reply`, before its answer or after it."""
    opened = _THINKING.sub("", reply)
    # The opening tag may have been part of the prompt.
    before, tag, after = opened.rpartition("</think>")
    return after if tag and "{" in after else before or opened


_WRAPPERS = (
    "response",
    "answer",
    "result",
    "output",
    "reply",
    "data",
    "json",
    "extraction",
    "function",
    "arguments",
    "parameters",
    "input",
    "tool_calls",
)


def unwrap(value: Any) -> Any:
    """Unwrap an answer in {"response": ...}, a tool call or a string of JSON; return other values unchanged."""
    for _ in range(_MAX_WRAPPINGS):
        inner = value
        if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], dict):
            inner = inner[0]
        if isinstance(inner, dict):
            inner = next((inner[key] for key in _WRAPPERS if isinstance(inner.get(key), dict | str | list)), inner)
        if isinstance(inner, str):
            inner = _decode(inner)
        wrapped = isinstance(value, dict) and not value.keys() - {*_WRAPPERS, "name", "type", "id", "index"}
        called = isinstance(value, list) and isinstance(inner, dict) and inner is not value[0]
        if not (wrapped or called) or not (isinstance(inner, dict) or (isinstance(inner, list) and inner)):
            return value
        value = inner
    return value


def _decode(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return _DECODER.decode(text)
    with suppress(ValueError, RecursionError):
        return _DECODER.decode(as_strict_json(text))
    return None


_PYTHON = {"True": "true", "False": "false", "None": "null"}
_SPELLING = re.compile(r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'|,(?=\s*+[}\]])|\b(?:True|False|None)\b', re.DOTALL)


def as_strict_json(reply: str) -> str:
    """Rewrite Python's quotes, words and surplus commas in `reply` as JSON.

    Decodes a string of JSON. Completes nothing: an answer that is cut off stays so.
    """
    if reply.strip().startswith('"'):
        with suppress(ValueError, RecursionError):
            decoded = json.loads(reply.strip(), strict=False)
            return decoded if isinstance(decoded, str) else reply
    start = _OPENING.search(reply)
    if start is None:
        return reply
    return reply[: start.start()] + _SPELLING.sub(_respell, reply[start.start() :])


def _respell(match: re.Match[str]) -> str:
    token = match[0]
    if token.startswith("'"):
        # Within JSON's quotes an apostrophe needs no backslash, and a quotation mark does.
        inner = re.sub(
            r"\\(.)|(\")",
            lambda m: "'" if m[1] == "'" else f"\\{m[1] or m[2]}",
            token[1:-1],
            flags=re.DOTALL,
        )
        return f'"{inner}"'
    return "" if token == "," else _PYTHON.get(token, token)
