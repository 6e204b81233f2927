"""Options of a model that override the environment."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options of one model; None leaves a value to the environment or to the model. Kept in memory only."""

    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    dimension: int | None = None
    """The dimension of an embedding model's vectors."""
