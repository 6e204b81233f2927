"""memchat's own `sessions export`: one conversation with all its messages per line."""

from collections.abc import Mapping
from typing import Any

from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, moment, role_of, words

NAME = "memchat sessions"


def recognises(source: SourceText) -> bool:
    messages = source.first.get("messages")
    return "started_at" in source.first and isinstance(messages, list)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if isinstance(entry, Mapping) and isinstance(entry.get("messages"), list) and words(entry.get("id")):
            found.dialogues.append(_dialogue(entry, reading))
        else:
            found.skip(place, "is not a conversation")
    return found


def _dialogue(entry: Mapping[str, Any], reading: Reading) -> Dialogue:
    messages = []
    for number, message in enumerate(entry["messages"]):
        role = role_of(message.get("role")) if isinstance(message, Mapping) else None
        if role is not None and (text := words(message.get("text"))):
            at = moment(message.get("created_at")) or moment(entry.get("started_at")) or reading.now
            messages.append(Said(words(message.get("id")) or str(number), role, text, at))
    agent = words(entry.get("agent")) or None
    title, began = words(entry.get("title")), moment(entry.get("started_at"))
    return Dialogue(words(entry["id"]), title, tuple(messages), agent, entry.get("private") is True, began)
