"""The knowledge graph of the MCP memory server: one entity with observations, or one relation, per line."""

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
        if entry["type"] == "relation":
            source_name, relation, target = (words(entry.get(name)) for name in ("from", "relationType", "to"))
            complete = source_name and relation and target
            texts = [f"{source_name} {relation.replace('_', ' ')} {target}"] if complete else []
        else:
            name, kind = words(entry.get("name")), words(entry.get("entityType"))
            observed = entry.get("observations")
            texts = [words(one) for one in observed if words(one)] if isinstance(observed, list) else []
            # An observation is understood only with its entity's name; of an entity without any, its type is told.
            if texts:
                known = name.lower().replace("_", " ")
                texts = [text if known in text.lower() else f"{name}: {text}" for text in texts]
            elif name and kind:
                texts = [f"{name}: {kind}"]
        for text in texts:
            add_fact(found, {"text": text}, place, reading)
    return found
