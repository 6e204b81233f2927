"""Facts as JSON: mem0's and memchat's get_all, mem0's platform, OpenMemory, Open WebUI's memories, lists of texts."""

from collections.abc import Mapping

from memchat.importers.facts import TEXT, add_fact
from memchat.importers.found import Found, Reading, SourceText, parse_json
from memchat.importers.lines import add_lines

NAME = "memories"


def recognises(source: SourceText) -> bool:
    if any(isinstance(entry, str) for entry in source.entries[:20]):
        return True
    return source.value is not None or bool(source.first)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    if source.value is None:
        # Lines that are JSON objects or plain text.
        for number, line in enumerate(source.lines, 1):
            place = source.place("line", number)
            if not line.strip():
                continue
            if not line.lstrip().startswith("{"):
                add_lines(found, [line], place, reading)
            elif (entry := parse_json(line)) is None:
                found.skip(place, "is not valid JSON")
            else:
                _add(found, entry, place, reading)
        return found
    for place, entry in source.objects(found):
        _add(found, entry, place, reading)
    return found


def _add(found: Found, entry: object, place: str, reading: Reading) -> None:
    if isinstance(entry, str):
        entry = {"text": entry}
    if not isinstance(entry, Mapping):
        found.skip(place, "is not a memory")
    elif entry.get("state") == "deleted":
        found.skip(place, "is marked as deleted")
    elif isinstance(entry.get("data"), Mapping) and not any(entry.get(name) for name in TEXT):
        add_fact(found, {**entry, **entry["data"]}, place, reading)
    else:
        add_fact(found, entry, place, reading)
