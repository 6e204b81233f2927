"""memchat's own `memories export`: one memory with owner and history per line, or all in one array."""

from collections.abc import Mapping

from memchat.errors import UsageError
from memchat.importers.facts import add_fact
from memchat.importers.found import Found, Reading, SourceText
from memchat.storage.serialization import parse_record

NAME = "memchat memories"


def recognises(source: SourceText) -> bool:
    return "owner" in source.first and "created_at" in source.first and "text" in source.first


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if not isinstance(entry, Mapping):
            found.skip(place, "is not a memory")
        elif "owner" not in entry:
            add_fact(found, entry, place, reading)
        else:
            try:
                found.facts.append(parse_record(entry))
            except UsageError as error:
                found.skip(place, error.message)
    return found
