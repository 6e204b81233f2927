"""Describe in the OpenAPI document what requests must meet beyond their types, so that clients know before they ask."""

from typing import Any

from memchat.core.conditions import ANY
from memchat.mem0.arguments import ENTITY_IDS

Schema = dict[str, Any]

NOT_BLANK: Schema = {"pattern": r"\S"}
PLAIN: Schema = {"type": ["string", "number", "boolean"]}
METADATA: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
"""Pairs of plain values; those without a value are left out."""
DAY: Schema = {"type": "string", "format": "date"}
_TEXT: Schema = {"type": "string"}
_LIST: Schema = {"type": "array", "items": PLAIN}
_OPERATORS: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("eq", "ne"), PLAIN),
        **dict.fromkeys(("gt", "gte", "lt", "lte"), PLAIN),
        **dict.fromkeys(("in", "nin"), _LIST),
        **dict.fromkeys(("contains", "icontains"), _TEXT),
    },
    "additionalProperties": False,
    "minProperties": 1,
}
_CONDITIONS: Schema = {"type": "object", "additionalProperties": {"anyOf": [PLAIN, _OPERATORS]}}
_PARTS: Schema = {"anyOf": [{"type": "array", "items": _CONDITIONS, "minItems": 1}, _CONDITIONS]}
_QUERY_ID: Schema = {"type": ["string", "number", "boolean"], "minLength": 1, **NOT_BLANK}
"""In a query everything is text."""
_ONE: Schema = {"not": {"const": ANY}}
"""A read is of one owner; mem0's "*" for all of them is refused."""
_ID: Schema = {"anyOf": [{"type": "string", "minLength": 1, **NOT_BLANK, **_ONE}, {"type": "integer"}]}
_EQUALS: Schema = {"type": "object", "properties": {"eq": _ID}, "required": ["eq"], "additionalProperties": False}
_NAMED: Schema = {"anyOf": [*_ID["anyOf"], _EQUALS]}
_NAMED_OR_NOT: Schema = {"anyOf": [*_NAMED["anyOf"], {"type": "null"}]}
FILTERS: Schema = {
    **_CONDITIONS,
    "properties": {
        **dict.fromkeys(("AND", "OR", "NOT"), _PARTS),
        **dict.fromkeys(ENTITY_IDS, _NAMED_OR_NOT),
    },
}
"""Conditions by the name of a field, joined by AND, OR and NOT, which may stand within each other.

An id names the owner; a null does not.
"""


def given_one_of(*names: str) -> Schema:
    """Require that at least one of these is given and not null."""
    return {"anyOf": [_given(name, {"not": {"type": "null"}}) for name in names]}


def changed(*names: str) -> Schema:
    """Require one of `names` with another value than null, or `expiration_date`, where null removes the expiry."""
    return {"anyOf": [*given_one_of(*names)["anyOf"], {"required": ["expiration_date"]}]}


def someone() -> Schema:
    """Require an id of a user, an agent or a run."""
    return given_one_of(*ENTITY_IDS)


def someone_or_filters() -> Schema:
    """Require an id, by itself, in the filters or in both; ids that contradict each other are a conflict."""
    one_owner = dict.fromkeys(ENTITY_IDS, _ONE)
    by_id = [_given(name, {"not": {"enum": [None, ANY]}}) for name in ENTITY_IDS]
    in_filters = _given("filters", {"type": "object", "anyOf": [_given(name, _NAMED) for name in ENTITY_IDS]})
    return {"anyOf": [{**one, "properties": one_owner | one["properties"]} for one in (*by_id, in_filters)]}


def _given(name: str, schema: Schema) -> Schema:
    return {"required": [name], "properties": {name: schema}}


def merge_ids(document: Schema) -> None:
    """Document that requests with ids in the query need one of them, by merging them into one object parameter."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            parameters = operation.get("parameters", [])
            ids = [one for one in parameters if one["name"] in ENTITY_IDS]
            if len(ids) == len(ENTITY_IDS):
                fields: Schema = dict.fromkeys(ENTITY_IDS, _QUERY_ID)
                # Under the hosted service's paths what is not known is left out.
                unknown: Any = PLAIN if path.startswith("/v") else False
                schema: Schema = {"type": "object", "properties": fields, "minProperties": 1}
                schema["additionalProperties"] = unknown
                merged = {"name": "ids", "in": "query", "required": True, "style": "form", "explode": True}
                others = [one for one in parameters if one not in ids]
                operation["parameters"] = [merged | {"schema": schema}, *others]
