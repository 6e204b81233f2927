"""Dialogues as they are used for training: a list of messages a line, or a message a line; ShareGPT's names too."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, in_order, moment, role_of, words

NAME = "chat messages"


def recognises(source: SourceText) -> bool:
    return _messages(source.first) is not None or ("role" in source.first and "content" in source.first)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    single: list[Any] = []
    for place, entry in source.objects(found):
        messages = _messages(entry) if isinstance(entry, Mapping) else entry if isinstance(entry, list) else None
        if messages is not None:
            about = entry if isinstance(entry, Mapping) else {}
            _add(found, messages, about, reading)
        elif isinstance(entry, Mapping) and "role" in entry:
            single.append(entry)
        else:
            found.skip(place, "is no conversation")
    if single:
        _add(found, single, {}, reading)
    return found


def _messages(entry: Mapping[str, Any]) -> list[Any] | None:
    for name in ("messages", "conversations", "conversation"):
        messages = entry.get(name)
        if isinstance(messages, list) and messages and isinstance(messages[0], Mapping):
            return messages
    return None


def _add(found: Found, messages: list[Any], about: Mapping[str, Any], reading: Reading) -> None:
    began = moment(about.get("created_at")) or moment(about.get("timestamp")) or reading.now
    said = []
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            continue
        role = role_of(message.get("role") or message.get("from"))
        text = _text(message)
        if role is not None and text:
            at = moment(message.get("created_at")) or moment(message.get("timestamp")) or began
            said.append(Said(str(number), role, text, at))
    name = words(about.get("id")) or _digest(messages)
    found.dialogues.append(Dialogue(name, words(about.get("title")), in_order(said)))


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        return "\n".join(filter(None, (words(part.get("text")) for part in content if isinstance(part, Mapping))))
    return words(content)


def _digest(messages: list[Any]) -> str:
    """A name for a dialogue that has none: the same words are the same dialogue."""
    return hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:32]
