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
    unwrap,
    values_in,
    without_thinking,
)
from memchat.text.sanitize import one_line

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
    confirmed: dict[int, str] = {}
    for item in _as_list(value.get("confirmed")):
        quote = item.get("quote") if isinstance(item, dict) else None
        # A bare number counts if the message repeats the memory itself.
        for number in _numbers(item):
            confirmed.setdefault(number, quote.strip() if isinstance(quote, str) else "")
    return Extraction(
        tuple(facts)[:MAX_FACTS],
        tuple(MemoryReference(number, quote) for number, quote in confirmed.items()),
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
    for item in map(unwrap, values_in(reply)):
        is_list_of_facts = isinstance(item, list) and any(isinstance(one, dict | str) for one in item)
        value = {"facts": item} if is_list_of_facts else item
        if value is BROKEN:
            broken = True
        elif isinstance(value, dict) and "quote" in value and any(isinstance(value.get(k), str) for k in _TEXT_KEYS):
            facts.append(value)
        elif isinstance(value, dict) and any(
            # An object after a broken one may be a part of it, unless it lists something.
            isinstance(value[key], list) if broken else True
            for key in value.keys() & _KEYS
        ):
            answer, facts, broken = value, [], False
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
    text, quote = one_line(text), item.get("quote")
    if not text or len(text) > MAX_TEXT:
        raise ValueError("a fact has no usable text")
    if not isinstance(quote, str) or not quote.strip():
        raise ValueError("a fact has no quote")
    scope = item.get("scope")
    cues = (one_line(cue)[:80] for cue in _as_list(item.get("cues")) if isinstance(cue, str))
    valid_from, valid_to = _day(item.get("valid_from")), _day(item.get("valid_to"))
    if valid_from and valid_to and valid_to < valid_from:
        valid_from = valid_to = None
    return Fact(
        text,
        quote.strip(),
        category=one_line(str(item.get("category") or "other")).lower(),
        scope=Scope(scope) if scope in list(Scope) else Scope.USER,
        cues=tuple(dict.fromkeys(filter(None, cues)))[:MAX_CUES],
        valid_from=valid_from,
        valid_to=valid_to,
        standing=_is_true(item.get("standing")),
        replaces=_numbers(item.get("replaces")),
        mistaken=_is_true(item.get("mistaken")),
    )


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _as_list(value: object) -> list[Any]:
    """Return `value` as a list: models write a single object or number without one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _numbers(value: object) -> tuple[int, ...]:
    numbers = []
    for item in _as_list(value):
        number = item.get("n") if isinstance(item, dict) else item
        if isinstance(number, str) and number.strip().isdecimal():
            number = small_integer(number.strip())
        elif isinstance(number, float) and number.is_integer():
            number = int(number)
        if isinstance(number, int) and not isinstance(number, bool):
            numbers.append(number)
    return tuple(dict.fromkeys(numbers))


def _mentions(value: object, faults: list[str]) -> tuple[MemoryReference, ...]:
    mentions = []
    for item in _as_list(value):
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
