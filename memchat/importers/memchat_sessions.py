"""memchat's own `sessions export`: one conversation with all its messages per line."""

from collections.abc import Mapping

from memchat.importers.found import Dialogue, Found, Reading, SourceText, messages_of, moment, words

NAME = "memchat sessions"


def recognises(source: SourceText) -> bool:
    messages = source.first.get("messages")
    return "started_at" in source.first and isinstance(messages, list)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if isinstance(entry, Mapping) and isinstance(entry.get("messages"), list) and words(entry.get("id")):
            began = moment(entry.get("started_at"))
            messages = tuple(messages_of(entry["messages"], began or reading.now, at="created_at"))
            title, agent = words(entry.get("title")), words(entry.get("agent")) or None
            private = entry.get("private") is True
            found.dialogues.append(Dialogue(words(entry["id"]), title, messages, agent, private, began))
        else:
            found.skip(place, "is not a conversation")
    return found
