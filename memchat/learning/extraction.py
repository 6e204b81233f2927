"""What one exchange teaches: the request to a model, and a tolerant reading of its answer.

The inputs travel as one JSON object in the user message, so that nothing said in a conversation can pose as part of the
instructions, and any model behind `LanguageModel` can read them without guessing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from string import Template
from typing import Any

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import CATEGORIES, MAX_CUES, MAX_TEXT, Memory, Role, Scope
from memchat.errors import BadReply
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
MAX_ANSWER_TOKENS = 2_000
"""What a model may write about one exchange: some fifteen facts with their cues."""
REPAIR_TEMPERATURE = 0.4
ASSISTANT_CHARACTERS = 1_200
EARLIER_CHARACTERS = 400

INSTRUCTIONS = Template(Path(__file__).with_name("extraction_prompt.txt").read_text(encoding="utf-8").strip())

AGENT_SCOPE = ' Or "agent" for knowledge about the service itself that all its users share.'

MAX_LISTED = 30
"""Of facts and numbers in one answer, where the server holds the model to the schema."""
_CUES = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_CUES}
_NUMBERS = {"type": "array", "items": {"type": "integer"}, "maxItems": MAX_LISTED}
_DAY = {"type": ["string", "null"]}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "maxItems": MAX_LISTED}


SCHEMA: Mapping[str, Any] = _object(
    facts=_list(
        _object(
            text={"type": "string"},
            quote={"type": "string"},
            category={"type": "string"},
            scope={"type": "string", "enum": list(Scope)},
            cues=_CUES,
            valid_from=_DAY,
            valid_to=_DAY,
            standing={"type": "boolean"},
            replaces=_NUMBERS,
            mistaken={"type": "boolean"},
        )
    ),
    confirmed=_list(_object(n={"type": "integer"}, quote={"type": "string"})),
    ended=_list(_object(n={"type": "integer"}, quote={"type": "string"}, valid_to=_DAY)),
    outdated=_NUMBERS,
    forget=_list(_object(n={"type": "integer"}, quote={"type": "string"})),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What extraction sees. `user` is the person's own words; `known` the memories under numbers from 1."""

    today: date
    user: str
    assistant: str = ""
    earlier: Sequence[tuple[Role, str]] = ()
    known: Sequence[Memory] = ()
    instructions: str | None = None
    categories: Sequence[str] = CATEGORIES
    learns_agent: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as a model gave it, in form but not yet checked against what was said."""

    text: str
    quote: str
    category: str = "other"
    scope: Scope = Scope.USER
    cues: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    standing: bool = False
    replaces: tuple[int, ...] = ()
    mistaken: bool = False


@dataclass(frozen=True, slots=True)
class MemoryReference:
    """A known memory, by number, and the words that say what becomes of it."""

    number: int
    quote: str
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """A model's answer. `faults` says what in it could not be read; nothing was guessed in their place."""

    facts: tuple[Fact, ...] = ()
    confirmed: tuple[MemoryReference, ...] = ()
    ended: tuple[MemoryReference, ...] = ()
    outdated: tuple[int, ...] = ()
    forget: tuple[MemoryReference, ...] = ()
    parse_errors: tuple[str, ...] = field(default=(), compare=False)


def request(exchange: Exchange) -> ModelRequest:
    """The one call that learns from `exchange`: temperature 0, JSON by schema."""
    system = INSTRUCTIONS.substitute(
        categories=", ".join(exchange.categories),
        agent_scope=AGENT_SCOPE if exchange.learns_agent else "",
        cues=MAX_CUES,
    )
    if exchange.instructions:
        system += f"\n\nThe operator's own instructions on what to keep: {exchange.instructions.strip()}"
    return ModelRequest(
        [PromptMessage(Role.SYSTEM, system), PromptMessage(Role.USER, _inputs(exchange))],
        temperature=0.0,
        max_tokens=MAX_ANSWER_TOKENS,
        schema=SCHEMA,
    )


def retry_request(asked: ModelRequest, reply: str, faults: Sequence[str]) -> ModelRequest:
    """The same request once more, with the answer that could not be used and what is wrong with it.

    It is asked a little more freely: at temperature 0 a model repeats itself to the letter.
    """
    complaint = (
        f"That answer cannot be used: {'; '.join(faults[:5])}. Give the whole answer again as one JSON object with the "
        f"keys {', '.join(SCHEMA['required'])}, every fact with the exact words of `user` as its quote, nothing else."
    )
    messages = [
        *asked.messages,
        PromptMessage(Role.ASSISTANT, reply[:4_000] or "(nothing)"),
        PromptMessage(Role.USER, complaint),
    ]
    return replace(asked, messages=messages, temperature=REPAIR_TEMPERATURE)


def unsupported_request(asked: ModelRequest, exchange: Exchange, lost: Sequence[Fact]) -> ModelRequest:
    """Ask once more for the facts that the person's words do not bear, and for nothing else."""
    complaint = {
        "asked_again": "The other facts are kept. Those in `not_kept` are not: their quote is not in `user`, or their "
        "text says what User did not say. Give only these again in `facts`, the quote copied exactly from `user`, the "
        "text in User's own words, and every other list empty. Leave out what User did not say.",
        "not_kept": [fact.text for fact in lost[:10]],
    }
    inputs = PromptMessage(Role.USER, _inputs(exchange, complaint))
    return replace(asked, messages=[asked.messages[0], inputs], temperature=REPAIR_TEMPERATURE)


def _inputs(exchange: Exchange, more: Mapping[str, Any] | None = None) -> str:
    inputs = {
        "today": f"{exchange.today.isoformat()} ({exchange.today:%A})",
        "known": [_known(number, memory) for number, memory in enumerate(exchange.known, 1)],
        "earlier": [f"{role}: {_cut(text, EARLIER_CHARACTERS)}" for role, text in exchange.earlier],
        "user": exchange.user,
        "assistant": _cut(exchange.assistant, ASSISTANT_CHARACTERS),
        **(more or {}),
    }
    return json.dumps(inputs, ensure_ascii=False, indent=0)


def _known(number: int, memory: Memory) -> dict[str, Any]:
    entry: dict[str, Any] = {"n": number, "text": memory.text}
    entry["since"] = (memory.valid_from or memory.created_at.date()).isoformat()
    if memory.valid_to is not None:
        entry["until"] = memory.valid_to.isoformat()
    if memory.scope is not Scope.USER:
        entry["scope"] = memory.scope.value
    return entry


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + " […]"


# Reading the answer.


def parse(reply: str) -> Extraction:
    """Read a model's answer: fenced, wrapped, in prose, a single object, a list, one object a line, or cut off.

    What is whole in it is taken, the rest named in `parse_errors`. Raises BadReply when it holds no answer at all.
    """
    value, whole = _read_answer(without_thinking(reply))
    faults = [] if whole else ["the JSON is cut off or broken"]
    if not (value.keys() & _KEYS):
        if value:
            raise BadReply("The extraction model answered with other keys than were asked for.")
        return Extraction(parse_errors=tuple(faults))
    return Extraction(
        _facts(value, faults),
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
    """The answer in `reply` and whether it is whole; read once more as nearly JSON where it is not."""
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
    """The last answer in `reply` and whether it is whole; of a broken one, the facts in it that are whole."""
    answer: dict[str, Any] | None = None
    facts: list[Any] = []
    broken = False
    for value in map(unwrapped, values_in(reply)):
        if value is BROKEN:
            broken = True
        elif _is_fact(value):
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


def _is_fact(value: object) -> bool:
    return isinstance(value, dict) and "quote" in value and any(isinstance(value.get(k), str) for k in _TEXT_KEYS)


def _as_answer(value: object, *, strictly: bool) -> dict[str, Any] | None:
    """`value` as an answer, if it is one. `strictly`, one of the keys must hold a list."""
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


def _facts(value: Mapping[str, Any], faults: list[str]) -> tuple[Fact, ...]:
    facts: dict[Fact, None] = {}
    for item in _items(value):
        try:
            facts[_fact(item, faults)] = None
        except ValueError as error:
            faults.append(str(error))
    if len(facts) > MAX_FACTS:
        faults.append(f"there are more than {MAX_FACTS} facts")
    return tuple(facts)[:MAX_FACTS]


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
    """What is said again, with its quotes. A bare number holds where the message repeats the memory itself."""
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
    """A date as models write them: `2026-06-03`, with a time behind it, or only `2026-06` and `2026`."""
    match = _DAY_FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None
