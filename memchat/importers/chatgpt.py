"""ChatGPT's data export: conversations.json, with a tree of messages per conversation; the last branch is imported."""

from collections.abc import Mapping
from typing import Any

from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, in_order, moment, role_of, words

NAME = "ChatGPT"
_SPEECH = "audio_transcription"


def recognises(source: SourceText) -> bool:
    return isinstance(source.first.get("mapping"), Mapping)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if isinstance(entry, Mapping) and isinstance(entry.get("mapping"), Mapping):
            name = words(entry.get("conversation_id")) or words(entry.get("id")) or place
            messages = _branch(entry, moment(entry.get("create_time")) or reading.now)
            found.dialogues.append(Dialogue(name, words(entry.get("title")), in_order(messages)))
        else:
            found.skip(place, "is not a conversation")
    return found


def _branch(entry: Mapping[str, Any], began: Any) -> list[Said]:
    """Return the messages from the root to the current node, without those that an edit replaced."""
    nodes, at = entry["mapping"], entry.get("current_node")
    if not isinstance(at, str) or at not in nodes:
        at = max(nodes, key=lambda name: _time_of(nodes[name]), default=None)
    messages: list[Said] = []
    seen = set()
    while isinstance(at, str) and at in nodes and at not in seen:
        seen.add(at)
        node = nodes[at] if isinstance(nodes[at], Mapping) else {}
        if (said := _said(at, node.get("message"), began)) is not None:
            messages.append(said)
        at = node.get("parent")
    return messages[::-1]


def _time_of(node: Any) -> float:
    message = node.get("message") if isinstance(node, Mapping) else None
    at = message.get("create_time") if isinstance(message, Mapping) else None
    return float(at) if isinstance(at, int | float) else 0.0


def _said(name: str, message: Any, began: Any) -> Said | None:
    if not isinstance(message, Mapping):
        return None
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
