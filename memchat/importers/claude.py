"""Claude's data export: conversations.json, and memories.json with Claude's notes about the user."""

from collections.abc import Mapping
from typing import Any

from memchat.importers.found import Dialogue, Found, Reading, SourceText, in_order, messages_of, moment, words
from memchat.importers.lines import add_lines

NAME = "Claude"


def recognises(source: SourceText) -> bool:
    return isinstance(source.first.get("chat_messages"), list) or "conversations_memory" in source.first


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if isinstance(entry, Mapping) and "conversations_memory" in entry:
            projects = entry.get("project_memories")
            for note in [entry["conversations_memory"], *(projects.values() if isinstance(projects, Mapping) else ())]:
                add_lines(found, words(note).splitlines(), place, reading)
        elif isinstance(entry, Mapping) and isinstance(entry.get("chat_messages"), list):
            listed: list[Any] = []
            for message in entry["chat_messages"]:
                content = message.get("content") if isinstance(message, Mapping) else None
                parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
                texts = [words(part.get("text")) for part in parts if part.get("type") == "text"]
                text = "\n".join(filter(None, texts))
                listed.append({**message, "text": text} if text else message)
            began = moment(entry.get("created_at")) or reading.now
            messages = messages_of(listed, began, role="sender", name="uuid", at="created_at")
            name = words(entry.get("uuid")) or place
            found.dialogues.append(Dialogue(name, words(entry.get("name")), in_order(messages)))
        else:
            found.skip(place, "is not a conversation")
    return found
