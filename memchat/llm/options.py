"""How a model is reached and asked where that is not left to the environment."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What goes with one model's name; None leaves it to the environment or to the model. Kept in memory only."""

    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    dimension: int | None = None
    """Of an embedding model's vectors."""
