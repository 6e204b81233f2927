"""Ask a model for the facts of one exchange: the request with `extraction_prompt.txt`, and the values of its answer.

The inputs are one JSON object in the user message, so that text of a conversation cannot pose as instructions, and any
model behind `LanguageModel` can parse them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from string import Template
from typing import Any

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import CATEGORIES, MAX_CUES, Memory, Role, Scope

MAX_ANSWER_TOKENS = 2_000
"""Maximum length of an answer, in tokens: about fifteen facts with their cues."""
REPAIR_TEMPERATURE = 0.4
ASSISTANT_CHARACTERS = 1_200
EARLIER_CHARACTERS = 400

INSTRUCTIONS = Template(Path(__file__).with_name("extraction_prompt.txt").read_text(encoding="utf-8").strip())

AGENT_SCOPE = ' Or "agent" for knowledge about the service itself that all its users share.'

MAX_LISTED = 30
"""Maximum number of facts, and of numbers, in one answer, if the server enforces the schema."""
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
    """The input of extraction. `user` is the user's own words; `known` are memories, numbered from 1."""

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
    """A fact from a model's answer, not yet checked against the user's words."""

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
    """A known memory, by number, and the user's words about it."""

    number: int
    quote: str
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """A model's answer. `parse_errors` names the parts that could not be parsed; nothing is guessed in their place."""

    facts: tuple[Fact, ...] = ()
    confirmed: tuple[MemoryReference, ...] = ()
    ended: tuple[MemoryReference, ...] = ()
    outdated: tuple[int, ...] = ()
    forget: tuple[MemoryReference, ...] = ()
    parse_errors: tuple[str, ...] = field(default=(), compare=False)


def request(exchange: Exchange) -> ModelRequest:
    """Return the request that learns from `exchange`: temperature 0, JSON by schema."""
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
    """Return the same request with the unusable answer and its errors.

    The temperature is higher, since at 0 a model repeats itself to the letter.
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
    """Return a request for only those facts that the user's words do not support."""
    complaint = {
        "asked_again": "The other facts are kept. Those in `not_kept` are not: their quote is not in `user`, or their "
        "text says what User did not say. Give only these again in `facts`, the quote copied exactly from `user`, the "
        "text in User's own words, and every other list empty. Leave out what User did not say.",
        "not_kept": [fact.text for fact in lost[:10]],
    }
    inputs = PromptMessage(Role.USER, _inputs(exchange, complaint))
    return replace(asked, messages=[asked.messages[0], inputs], temperature=REPAIR_TEMPERATURE)


def _inputs(exchange: Exchange, more: Mapping[str, Any] | None = None) -> str:
    known = []
    for number, memory in enumerate(exchange.known, 1):
        entry: dict[str, Any] = {"n": number, "text": memory.text}
        entry["since"] = (memory.valid_from or memory.created_at.date()).isoformat()
        if memory.valid_to is not None:
            entry["until"] = memory.valid_to.isoformat()
        if memory.scope is not Scope.USER:
            entry["scope"] = memory.scope.value
        known.append(entry)
    inputs = {
        "today": f"{exchange.today.isoformat()} ({exchange.today:%A})",
        "known": known,
        "earlier": [f"{role}: {_cut(text, EARLIER_CHARACTERS)}" for role, text in exchange.earlier],
        "user": exchange.user,
        "assistant": _cut(exchange.assistant, ASSISTANT_CHARACTERS),
        **(more or {}),
    }
    return json.dumps(inputs, ensure_ascii=False, indent=0)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + " […]"
