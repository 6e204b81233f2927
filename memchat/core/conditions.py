"""Conditions on memories, as in mem0's filters: operators over metadata, categories and times; AND, OR and NOT.

`parse_condition` makes one from the dictionaries that mem0's users write. The operators are eq, ne, in, nin, gt, gte,
lt, lte, contains, icontains, and `*` for "has any value". A missing field equals no value, so `ne`, `nin` and NOT are
true of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from memchat.core.types import MetadataValue, is_plain
from memchat.errors import UsageError

ANY = "*"
OPERATORS = ("eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "icontains", ANY)
DEEPEST = 20
"""Maximum nesting of AND, OR and NOT."""
TIMES = ("created_at", "updated_at", "expiration_date", "valid_from", "valid_to")

Fields = Mapping[str, Sequence[MetadataValue]]
"""The values of a memory's fields by name; a field that it does not have is missing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with one value, or with several for `in` and `nin`."""

    field: str
    operator: str
    values: tuple[MetadataValue, ...]


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by AND, or with `any` by OR; `negated` inverts the result."""

    parts: tuple["Condition", ...]
    any: bool = False
    negated: bool = False


Condition = Comparison | Junction


# Reading.


def parse_condition(filters: Mapping[str, Any], depth: int = 0) -> Junction:
    """Parse `filters`. Raises UsageError that names what cannot be used."""
    if not isinstance(filters, Mapping):
        raise UsageError('filters must be a dictionary like {"order_id": 4821}.')
    if depth > DEEPEST:
        raise UsageError(f"filters may have {DEEPEST} levels at most.")
    parts: list[Condition] = []
    for name, value in filters.items():
        if name in {"AND", "OR", "NOT"}:
            listed = [value] if isinstance(value, Mapping) else value
            if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
                example = f'As in: {{"{name}": [{{"order_id": 4821}}]}}'
                raise UsageError(f"{name} must be a list of conditions.", hint=example)
            joined = tuple(parse_condition(part, depth + 1) for part in listed)
            parts.append(Junction(joined, any=name != "AND", negated=name == "NOT"))
        elif name == "metadata" and isinstance(value, Mapping):
            parts.append(parse_condition(value, depth + 1))
        elif isinstance(value, Mapping):
            if not value:
                raise UsageError(f"{name} is compared with nothing.", hint=f"Operators are {', '.join(OPERATORS)}.")
            parts += [comparison(str(name), str(operator), operand) for operator, operand in value.items()]
        elif value == ANY:
            parts.append(comparison(str(name), ANY, True))
        else:
            parts.append(comparison(str(name), "in" if isinstance(value, list | tuple | set) else "eq", value))
    return Junction(tuple(parts))


def comparison(name: str, operator: str, operand: Any) -> Condition:
    """Make a comparison. Raises UsageError for an unknown operator, or a value that does not fit the operator."""
    if operator not in OPERATORS:
        raise UsageError(f"There is no filter operator {operator!r}.", hint=f"Operators are {', '.join(OPERATORS)}.")
    listed = operator in {"in", "nin"}
    if listed and (isinstance(operand, str) or not isinstance(operand, Sequence | set)):
        raise UsageError(f"{name}: {operator} wants a list.")
    values = tuple(operand) if listed else (operand,)
    for value in values:
        if not is_plain(value):
            given = value if isinstance(value, float) else type(value).__name__
            raise UsageError(f"{name} must be text, a number or a truth value, not {given}.")
    if name in {"category", "categories"} and operator != ANY and not all(isinstance(value, str) for value in values):
        raise UsageError(f"{name} must be a category, or a list of categories.")
    if operator in {"contains", "icontains"} and not isinstance(values[0], str):
        raise UsageError(f"{name}: {operator} wants text.")
    if name in TIMES and operator != ANY:
        for value in values:
            if _moment(value) is None:
                raise UsageError(f"{name} is compared with a day or a time such as 2026-12-31, not {value!r}.")
    return Comparison(name, operator, values)


# As JSON, in which a condition travels to where it is checked.


def to_json(condition: Condition) -> list[Any]:
    if isinstance(condition, Comparison):
        return [condition.field, condition.operator, list(condition.values)]
    return [[to_json(part) for part in condition.parts], condition.any, condition.negated]


def from_json(value: Any) -> Condition:
    first, second, third = value
    if isinstance(first, str):
        return Comparison(first, second, tuple(third))
    return Junction(tuple(map(from_json, first)), second, third)


# Checking.


def holds(condition: Condition, fields: Fields) -> bool:
    """Return whether `condition` is true of a memory with these fields."""
    if isinstance(condition, Junction):
        test = any if condition.any else all
        return test(holds(part, fields) for part in condition.parts) is not condition.negated
    values = fields.get(condition.field, ())
    if condition.operator == ANY:
        return bool(values)
    if condition.operator in {"ne", "nin"}:
        return not any(same(one, other) for one in values for other in condition.values)
    check = _CHECKS[condition.operator]
    return any(check(one, other) for one in values for other in condition.values)


def same(one: object, other: object) -> bool:
    """Return whether two values are equal as numbers, times or text: values from a command line are always text."""
    if _is_number(one) and _is_number(other):
        return one == other
    if _as_text(one) == _as_text(other):
        return True
    moments = _moments(one, other)
    return moments is not None and moments[0] == moments[1]


def _compare_ordered(one: object, other: object, compare: Callable[[Any, Any], bool]) -> bool:
    """Compare as numbers, as times (a day alone stands for all of it), or as text; False for values without order."""
    first, second = _number(one), _number(other)
    if first is not None and second is not None:
        return compare(first, second)
    if (moments := _moments(one, other)) is not None:
        return compare(*moments)
    if isinstance(one, str) and isinstance(other, str):
        return compare(one, other)
    return False


_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": same,
    "in": same,
    "gt": lambda one, other: _compare_ordered(one, other, lambda a, b: a > b),
    "gte": lambda one, other: _compare_ordered(one, other, lambda a, b: a >= b),
    "lt": lambda one, other: _compare_ordered(one, other, lambda a, b: a < b),
    "lte": lambda one, other: _compare_ordered(one, other, lambda a, b: a <= b),
    "contains": lambda one, other: other in _as_text(one),
    "icontains": lambda one, other: other.casefold() in _as_text(one).casefold(),
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) < 10:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _moments(one: object, other: object) -> tuple[datetime, datetime] | tuple[date, date] | None:
    first, second = _moment(one), _moment(other)
    if first is None or second is None:
        return None
    if len(str(one)) == 10 or len(str(other)) == 10:
        return first.date(), second.date()
    return first, second
