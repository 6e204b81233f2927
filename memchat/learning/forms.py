"""In which form a model is asked what an exchange teaches: the full one, or the compact one for small models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memchat.config import ExtractionForm

if TYPE_CHECKING:
    from memchat.storage.protocols import FormOutcomes

SMALL = 4.0
"""In billions of parameters: below, a model copies the full form rather than fills it."""


@dataclass(frozen=True, slots=True)
class FormChoice:
    """`compact` or not, and why, for a person."""

    compact: bool
    reason: str


@dataclass(frozen=True, slots=True)
class FormPolicy:
    """Chooses the form of requests. `parameters` returns a model's size in billions by its name, or None."""

    setting: ExtractionForm = ExtractionForm.AUTO
    parameters: Callable[[str], float | None] = lambda model: None

    def choose(self, model: str, outcomes: "FormOutcomes") -> FormChoice:
        """Choose by the setting, else by how the model's answers turned out, else by its size."""
        if self.setting is not ExtractionForm.AUTO:
            return FormChoice(self.setting is ExtractionForm.COMPACT, "chosen by setting")
        if outcomes.prefers_compact(model):
            return FormChoice(compact=True, reason="its answers in the full form could not be used")
        size = self.parameters(model)
        if size is not None and size < SMALL:
            return FormChoice(compact=True, reason=f"a small model of {size:g} billion parameters")
        return FormChoice(compact=False, reason="the usual form")
