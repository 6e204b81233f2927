"""The scale of an embedding model's cosines, measured on a few fixed pairs.

One model gives unrelated texts a cosine of 0, another one .8. Floors and weights are those of the built-in embedder, so
the cosines of others are brought to its scale: where unrelated texts lie on average, and the line between these and
the related ones, come to lie where they lie there.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from memchat.core.types import CosineScale

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

PAIRS = (
    ("Where do I live?", "User lives in Porto."),
    ("Which food am I allergic to?", "User is allergic to peanuts."),
    ("What is my dog called?", "User has a dog named Rex."),
    ("Has my parcel come yet?", "User's order 512 has not arrived."),
    ("Which programming language do I use?", "User programs in Rust."),
    ("What does my sister collect?", "User's sister Ana collects stamps."),
    ("How do I get to work?", "User rides a bicycle to work."),
    ("Which instrument am I learning?", "User is learning to play the guitar."),
    ("How much rent do I pay?", "User's rent is 900 euros a month."),
    ("What was wrong with my knee?", "User has a torn ligament in the left knee."),
    ("What kind of novels do I like?", "User likes detective stories."),
    ("Who is my boss?", "User's manager is called Ms Weber."),
    ("When is my exam?", "User sits a chemistry exam on 12 June."),
    ("What do I plant in my garden?", "User grows tomatoes and beans."),
    ("Which computer do I have?", "User has an old ThinkPad."),
    ("How old are my children?", "User has two sons, aged 5 and 9."),
)
"""A request and the fact that answers it. Every other fact has nothing to do with it."""
BUILTIN = CosineScale(unrelated=0.031, dividing=0.277)
"""The similarities of the built-in embedder for these pairs."""
FARTHEST = -0.25
"""Minimum nearness as in the built-in embedder, so that the words of a request are never outweighed."""
_TAIL = 0.95
"""The line is drawn between this quantile of the unrelated and the average of the related."""
_LEAST_SPAN = 0.02
"""A model in which these lie no farther apart cannot tell them from one another; its cosines are left alone."""


class ScaleRecords(Protocol):
    """Stores the measured scales of embedders, by fingerprint."""

    def cosine_scale(self, fingerprint: str) -> CosineScale | None: ...
    def keep_cosine_scale(self, fingerprint: str, scale: CosineScale) -> None: ...


def measure(embed: "Callable[[Sequence[str]], Vectors]") -> CosineScale:
    """Measure the scale of the model behind `embed`, in one call."""
    rows = embed([text for pair in zip(*PAIRS, strict=True) for text in pair])
    return scale_of(rows[: len(PAIRS)] @ rows[len(PAIRS) :].T)


def scale_of(similarities: "Vectors") -> CosineScale:
    """Return the scale by the similarities of each request in `PAIRS` (rows) and each fact, else `BUILTIN`."""
    import numpy as np

    unrelated = similarities[~np.eye(len(PAIRS), dtype=bool)]
    related, tail = float(np.diag(similarities).mean()), float(np.quantile(unrelated, _TAIL))
    found = CosineScale(float(unrelated.mean()), (tail + related) / 2)
    return found if related > tail and found.dividing - found.unrelated > _LEAST_SPAN else BUILTIN


def calibrate(cosines: "Vectors", scale: CosineScale) -> "Vectors":
    """Convert `cosines` of a model with `scale` to the scale of the built-in embedder."""
    import numpy as np

    if scale == BUILTIN:
        return cosines
    stretch = (BUILTIN.dividing - BUILTIN.unrelated) / (scale.dividing - scale.unrelated)
    moved: Vectors = np.clip(BUILTIN.unrelated + (cosines - scale.unrelated) * stretch, FARTHEST, 1.0)
    return moved.astype(np.float32)
