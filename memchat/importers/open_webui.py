"""Open WebUI's chat export: a list of chats, each with its messages as a list or as a tree."""

from collections.abc import Mapping

from memchat.importers.found import (
    Dialogue,
    Found,
    Reading,
    SourceText,
    branch_to,
    in_order,
    messages_of,
    moment,
    words,
)

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
        # Only the branch that was shown last is read; older exports have a plain list.
        history = chat.get("history")
        history = history if isinstance(history, Mapping) else {}
        nodes, listed = history.get("messages"), chat.get("messages")
        if isinstance(nodes, Mapping) and nodes:
            listed = list(branch_to(history.get("currentId"), nodes, "parentId").values())
        messages = messages_of(listed if isinstance(listed, list) else [], began, text="content", at="timestamp")
        title = words(entry.get("title")) or words(chat.get("title"))
        found.dialogues.append(Dialogue(words(entry.get("id")) or place, title, in_order(messages)))
    return found
