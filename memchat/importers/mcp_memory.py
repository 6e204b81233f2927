"""The MCP memory server's knowledge graph: entities with observations and relations between them, one a line."""

from collections.abc import Mapping

from memchat.importers.facts import add_fact
from memchat.importers.found import Found, Reading, SourceText, words

NAME = "MCP memory server"


def recognises(source: SourceText) -> bool:
    return words(source.first.get("type")) in {"entity", "relation"} and not {"text", "memory"} & source.first.keys()


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    for place, entry in source.objects(found):
        if not isinstance(entry, Mapping) or words(entry.get("type")) not in {"entity", "relation"}:
            found.skip(place, "is neither an entity nor a relation")
            continue
        for text in _relation(entry) if entry["type"] == "relation" else _observations(entry):
            add_fact(found, {"text": text}, place, reading)
    return found


def _observations(entry: Mapping[str, object]) -> list[str]:
    """What was observed, with the name in front where the words do not have it; else what the entity is."""
    name, kind = words(entry.get("name")), words(entry.get("entityType"))
    observed = entry.get("observations")
    texts = [words(one) for one in observed if words(one)] if isinstance(observed, list) else []
    if not texts:
        return [f"{name}: {kind}"] if name and kind else []
    return [text if name.lower().replace("_", " ") in text.lower() else f"{name}: {text}" for text in texts]


def _relation(entry: Mapping[str, object]) -> list[str]:
    parts = [words(entry.get(name)) for name in ("from", "relationType", "to")]
    return [f"{parts[0]} {parts[1].replace('_', ' ')} {parts[2]}"] if all(parts) else []
