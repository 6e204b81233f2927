"""ChatGPT's data export: conversations.json, with a tree of messages per conversation; the last branch is imported."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from memchat.importers.found import (
    Dialogue,
    Found,
    Reading,
    Said,
    SourceText,
    branch_to,
    in_order,
    moment,
    role_of,
    words,
)

NAME = "ChatGPT"
_SPEECH = "audio_transcription"


def recognises(source: SourceText) -> bool:
    return isinstance(source.first.get("mapping"), Mapping)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if isinstance(entry, Mapping) and isinstance(entry.get("mapping"), Mapping):
            name = words(entry.get("conversation_id")) or words(entry.get("id")) or place
            nodes, shown, began = entry["mapping"], entry.get("current_node"), moment(entry.get("create_time"))
            if not isinstance(shown, str) or shown not in nodes:
                times = {
                    node: at if isinstance(at := _message(one).get("create_time"), int | float) else 0.0
                    for node, one in nodes.items()
                }
                shown = max(times, key=times.__getitem__, default=None)
            # An edit begins a new branch; only the one that was shown last is read.
            branch = branch_to(shown, nodes, "parent").items()
            messages = [said for node, one in branch if (said := _said(node, one, began or reading.now)) is not None]
            found.dialogues.append(Dialogue(name, words(entry.get("title")), in_order(messages)))
        else:
            found.skip(place, "is not a conversation")
    return found


def _message(node: Any) -> Mapping[str, Any]:
    """Return the message of a node; empty if it has none, as the root."""
    message = node.get("message") if isinstance(node, Mapping) else None
    return message if isinstance(message, Mapping) else {}


def _said(name: str, node: Any, began: datetime) -> Said | None:
    message = _message(node)
    author, content, about = (message.get(part) or {} for part in ("author", "content", "metadata"))
    if not all(isinstance(part, Mapping) for part in (author, content, about)):
        return None
    role = role_of(author.get("role"))
    shown = content.get("content_type") in {"text", "multimodal_text"}
    if role is None or not shown or about.get("is_visually_hidden_from_conversation"):
        return None
    given = content.get("parts")
    parts = given if isinstance(given, list) else []
    speech = [
        part.get("text") if isinstance(part, Mapping) and part.get("content_type") == _SPEECH else part
        for part in parts
    ]
    text = "\n".join(filter(None, map(words, speech))).strip()
    return Said(name, role, text, moment(message.get("create_time")) or began) if text else None
