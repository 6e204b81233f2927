"""Write counts with their nouns: "1 memory", "2 memories"."""


def pluralize(count: int, one: str, many: str) -> str:
    """Return `count` with the noun in its form for that count."""
    return f"{count} {one if count == 1 else many}"
