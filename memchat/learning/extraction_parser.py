"""Parse a model's answer tolerantly: fences, single objects, surrounding text, almost-JSON."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from memchat.core.types import MAX_CUES, MAX_TEXT, Scope
from memchat.errors import BadReply
from memchat.learning.extraction import Extraction, Fact, MemoryReference
from memchat.learning.lenient_json import (
    BROKEN,
    as_strict_json,
    small_integer,
    unwrapped,
    values_in,
    without_thinking,
)
from memchat.text.sanitize import strip_control_chars

MAX_FACTS = 200


def parse(reply: str) -> Extraction:
    """Parse a model's answer: fenced, wrapped, in prose, a single object, a list, one object per line, or cut off.

    Keeps its complete parts, and names the rest in `parse_errors`. Raises BadReply when it contains no answer.
    """
    value, whole = _read_answer(without_thinking(reply))
    faults = [] if whole else ["the JSON is cut off or broken"]
    if not (value.keys() & _KEYS):
        if value:
            raise BadReply("The extraction model answered with other keys than were asked for.")
        return Extraction(parse_errors=tuple(faults))
    facts: dict[Fact, None] = {}
    for item in _items(value):
        try:
            facts[_fact(item, faults)] = None
        except ValueError as error:
            faults.append(str(error))
    if len(facts) > MAX_FACTS:
        faults.append(f"there are more than {MAX_FACTS} facts")
    return Extraction(
        tuple(facts)[:MAX_FACTS],
        _confirmed(value.get("confirmed")),
        _mentions(value.get("ended"), faults),
        _numbers(value.get("outdated")),
        _mentions(value.get("forget"), faults),
        tuple(faults),
    )


_FACT_KEYS = ("facts", "memories", "memory", "results", "new_facts")


_KEYS = {*_FACT_KEYS, "confirmed", "ended", "outdated", "forget"}


_TEXT_KEYS = ("text", "fact", "memory", "content")


def _read_answer(reply: str) -> tuple[dict[str, Any], bool]:
    """Return the answer in `reply` and whether it is complete; if not, parse it again as almost-JSON."""
    try:
        value, whole = _answer_in(reply)
        failure = None
    except BadReply as error:
        value, whole, failure = {}, False, error
    if not whole and (rewritten := as_strict_json(reply)) != reply:
        with suppress(BadReply):
            again, whole = _answer_in(rewritten)
            if whole or failure:
                return again, whole
    if failure is not None:
        raise failure
    return value, whole


def _answer_in(reply: str) -> tuple[dict[str, Any], bool]:
    """Return the last answer in `reply` and whether it is complete; of a broken one, its complete facts."""
    answer: dict[str, Any] | None = None
    facts: list[Any] = []
    broken = False
    for value in map(unwrapped, values_in(reply)):
        if value is BROKEN:
            broken = True
        elif isinstance(value, dict) and "quote" in value and any(isinstance(value.get(k), str) for k in _TEXT_KEYS):
            facts.append(value)
        elif found := _as_answer(value, strictly=broken):
            answer, facts, broken = found, [], False
        elif value == {} or (value == [] and reply.strip("` \njson") == "[]"):
            answer = answer or {}
        elif answer is None and isinstance(value, dict) and not broken:
            answer = value
    if facts:
        return {**(answer or {}), "facts": [*_items(answer or {}), *facts]}, not broken
    if answer is None:
        told = "JSON that cannot be read" if broken or any(f'"{key}"' in reply for key in _KEYS) else "no JSON"
        raise BadReply(f"The extraction model answered with {told}.")
    return answer, not broken


def _as_answer(value: object, *, strictly: bool) -> dict[str, Any] | None:
    """Return `value` if it is an answer; with `strictly`, one of its keys must hold a list."""
    if isinstance(value, list):
        return {"facts": value} if any(isinstance(item, dict | str) for item in value) else None
    if not isinstance(value, dict) or not value.keys() & _KEYS:
        return None
    return value if not strictly or any(isinstance(value.get(key), list) for key in _KEYS) else None


def _items(value: Mapping[str, Any]) -> list[Any]:
    for key in _FACT_KEYS:
        found = value.get(key)
        if isinstance(found, dict | str):
            found = [found]
        if isinstance(found, list) and found:
            return found
    return []


def _fact(item: object, faults: list[str]) -> Fact:
    if isinstance(item, str):
        faults.append("a fact has no quote")
        # A whole sentence may still be the person's own words; a lone word says nothing by itself.
        item = {"text": item, "quote": item if len(item.split()) > 1 or not item.isascii() else None}
    if not isinstance(item, dict):
        raise ValueError(f"a fact is {type(item).__name__}, not an object")
    text = next((t for k in _TEXT_KEYS if isinstance(t := item.get(k), str)), "")
    text, quote = _one_line(text), item.get("quote")
    if not text or len(text) > MAX_TEXT:
        raise ValueError("a fact has no usable text")
    if not isinstance(quote, str) or not quote.strip():
        raise ValueError("a fact has no quote")
    scope = item.get("scope")
    valid_from, valid_to = _day(item.get("valid_from")), _day(item.get("valid_to"))
    if valid_from and valid_to and valid_to < valid_from:
        valid_from = valid_to = None
    return Fact(
        text,
        quote.strip(),
        category=_one_line(str(item.get("category") or "other")).lower(),
        scope=Scope(scope) if scope in list(Scope) else Scope.USER,
        cues=_cues(item.get("cues")),
        valid_from=valid_from,
        valid_to=valid_to,
        standing=_is_true(item.get("standing")),
        replaces=_numbers(item.get("replaces")),
        mistaken=_is_true(item.get("mistaken")),
    )


def _one_line(text: str) -> str:
    return " ".join(strip_control_chars(text).split())


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _cues(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    cues = (_one_line(cue)[:80] for cue in given if isinstance(cue, str))
    return tuple(dict.fromkeys(cue for cue in cues if cue))[:MAX_CUES]


def _numbers(value: object) -> tuple[int, ...]:
    given = value if isinstance(value, list) else [value]
    numbers = []
    for item in given:
        number = item.get("n") if isinstance(item, dict) else item
        if isinstance(number, str) and number.strip().isdecimal():
            number = small_integer(number.strip())
        elif isinstance(number, float) and number.is_integer():
            number = int(number)
        if isinstance(number, int) and not isinstance(number, bool):
            numbers.append(number)
    return tuple(dict.fromkeys(numbers))


def _confirmed(value: object) -> tuple[MemoryReference, ...]:
    """Parse confirmed memories with their quotes. A bare number counts if the message repeats the memory itself."""
    quotes: dict[int, str] = {}
    for item in value if isinstance(value, list) else [value]:
        said = item.get("quote") if isinstance(item, dict) else None
        for number in _numbers(item):
            quotes.setdefault(number, said.strip() if isinstance(said, str) else "")
    return tuple(MemoryReference(number, quote) for number, quote in quotes.items())


def _mentions(value: object, faults: list[str]) -> tuple[MemoryReference, ...]:
    mentions = []
    given = value if isinstance(value, list) else [] if value is None else [value]
    for item in given:
        number = _numbers(item)
        said = item if isinstance(item, dict) else {}
        quote = said.get("quote")
        if number and isinstance(quote, str) and quote.strip():
            mentions.append(MemoryReference(number[0], quote.strip(), _day(said.get("valid_to"))))
        else:
            faults.append("an ended or forgotten memory comes without its number or quote")
    return tuple(dict.fromkeys(mentions))


_DAY_FORM = re.compile(r"\s*(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?:[T\s].*)?", re.ASCII | re.DOTALL)


def _day(value: object) -> date | None:
    """Parse a date as models write it: `2026-06-03`, also with a time, or only `2026-06` or `2026`."""
    match = _DAY_FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None
