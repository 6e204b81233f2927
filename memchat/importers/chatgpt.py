"""ChatGPT's data export: conversations.json, each conversation a tree of messages of which the last branch counts."""

from collections.abc import Mapping
from typing import Any

from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, in_order, moment, role_of, words

NAME = "ChatGPT"


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
            found.skip(place, "is no conversation")
    return found


def _branch(entry: Mapping[str, Any], began: Any) -> list[Said]:
    """The messages from the root to the current node, without those that were replaced by an edit."""
    nodes, at = entry["mapping"], entry.get("current_node")
    if at not in nodes:
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
    parts = content.get("parts")
    texts = [_text(part) for part in parts] if isinstance(parts, list) else []
    text = "\n".join(filter(None, texts)).strip()
    return Said(name, role, text, moment(message.get("create_time")) or began) if text else None


def _text(part: object) -> str:
    """The words of a part: text, or what was understood of speech."""
    if isinstance(part, Mapping):
        return words(part.get("text")) if part.get("content_type") == "audio_transcription" else ""
    return words(part)
