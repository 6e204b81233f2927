"""Chat messages as in training data: a list of messages per line, or one message per line; also ShareGPT."""

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
            found.skip(place, "is not a conversation")
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
        content = message.get("content", message.get("value"))
        parts = content if isinstance(content, list) else [{"text": content}]
        text = "\n".join(filter(None, (words(part.get("text")) for part in parts if isinstance(part, Mapping))))
        if role is not None and text:
            at = moment(message.get("created_at")) or moment(message.get("timestamp")) or began
            said.append(Said(str(number), role, text, at))
    # Without an id, the same messages are the same dialogue.
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:32]
    found.dialogues.append(Dialogue(words(about.get("id")) or digest, words(about.get("title")), in_order(said)))
