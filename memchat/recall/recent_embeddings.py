"""An embedder that remembers the last few texts, for facts and excerpts are searched with the same request."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memchat.core.protocols import RequestEmbedder
from memchat.text.embedding import load_numpy

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

KEPT = 16


class RecentEmbeddings:
    """Implements `core.protocols.RequestEmbedder` over `embedder`. For one thread."""

    def __init__(self, embedder: RequestEmbedder) -> None:
        self._embedder = embedder
        self._rows: OrderedDict[str, Vectors] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors in the order of `texts`; only texts not seen lately are embedded."""
        load_numpy()
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if new or not texts:
            rows = self._embedder.embed(new)
            if not texts:
                return rows
            self._rows.update(zip(new, rows, strict=True))
        found: Vectors = np.stack([self._rows[text] for text in texts])
        while len(self._rows) > KEPT:
            self._rows.popitem(last=False)
        return found

    def similarities(self, requests: "Vectors", memories: "Sequence[Vectors]", texts: Sequence[str]) -> "list[Vectors]":
        """Return the embedder's similarities."""
        return self._embedder.similarities(requests, memories, texts)

    def across_languages(self, requests: "Vectors") -> "Vectors | None":
        """Return the embedder's vectors that search across languages."""
        return self._embedder.across_languages(requests)
