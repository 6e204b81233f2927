"""Open WebUI's chat export: a list of chats, each with its messages as a list or as a tree."""

from collections.abc import Mapping
from typing import Any

from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, in_order, moment, role_of, words

NAME = "Open WebUI"


def recognises(source: SourceText) -> bool:
    chat = source.first.get("chat")
    return isinstance(chat, Mapping) and ("messages" in chat or "history" in chat)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        chat = entry.get("chat") if isinstance(entry, Mapping) else None
        if not isinstance(chat, Mapping):
            found.skip(place, "is not a chat")
            continue
        began = moment(entry.get("created_at")) or moment(chat.get("timestamp")) or reading.now
        messages = [said for number, one in enumerate(_branch(chat)) if (said := _said(number, one, began))]
        title = words(entry.get("title")) or words(chat.get("title"))
        found.dialogues.append(Dialogue(words(entry.get("id")) or place, title, in_order(messages)))
    return found


def _branch(chat: Mapping[str, Any]) -> list[Any]:
    """Return the messages of the branch that was shown last."""
    history = chat.get("history")
    history = history if isinstance(history, Mapping) else {}
    nodes = history.get("messages")
    if not isinstance(nodes, Mapping) or not nodes:
        messages = chat.get("messages")
        return messages if isinstance(messages, list) else []
    at, branch, seen = history.get("currentId"), [], set()
    while isinstance(at, str) and at in nodes and at not in seen:
        seen.add(at)
        branch.append(nodes[at])
        at = nodes[at].get("parentId") if isinstance(nodes[at], Mapping) else None
    return branch[::-1]


def _said(number: int, message: Any, began: Any) -> Said | None:
    if not isinstance(message, Mapping) or (role := role_of(message.get("role"))) is None:
        return None
    text = words(message.get("content"))
    at = moment(message.get("timestamp")) or began
    return Said(words(message.get("id")) or str(number), role, text, at) if text else None
