"""Embed with any model that LiteLLM can reach."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from memchat.core.types import CosineScale
from memchat.errors import BadReply, ModelError
from memchat.llm.calibration import ScaleRecords, calibrate, measure
from memchat.llm.endpoint import Endpoint
from memchat.llm.litellm_setup import litellm
from memchat.llm.provider_apis import resolve_endpoint
from memchat.llm.provider_errors import translate_errors
from memchat.llm.retry import RetryNotice, RetryPolicy
from memchat.text import embedding
from memchat.text.normalize import fix_surrogates

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

# The smallest limit among the providers (Cohere's).
_BATCH_TEXTS = 96


COOLDOWN_S = 60.0
"""Time for which requests fail at once after the embedder has failed, in seconds."""


class LiteLLMEmbedder:
    """Implements `core.protocols.Embedder` and, with patience, `RequestEmbedder`.

    Without a `dimension` it is learned from the first answer; reading it before that costs a call. Raises ModelError at
    an answer of another dimension.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        *,
        dimension: int | None = None,
        api_key: str | None = None,
        api_base: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 3,
        on_retry: Callable[[RetryNotice], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        scales: ScaleRecords | None = None,
    ) -> None:
        self._endpoint = Endpoint(name, api_key, api_base, timeout_s, embeds=True)
        self._retry = RetryPolicy(retries, on_retry, sleep)
        self._dimension = dimension
        self._lock = threading.Lock()
        self._scales = scales
        self._scale: CosineScale | None = None

    @property
    def fingerprint(self) -> str:
        return embedding.fingerprint(self._endpoint.model, self._dimension)

    @property
    def dimension(self) -> int:
        if self._dimension is None:
            self._embed_batch(["dimension"], self._retry)
        assert self._dimension is not None
        return self._dimension

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors, one row per text, in the order given."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        batches = (texts[start : start + _BATCH_TEXTS] for start in range(0, len(texts), _BATCH_TEXTS))
        return np.concatenate([self._embed_batch(batch, self._retry) for batch in batches])

    def embed_request(self, texts: Sequence[str]) -> "Vectors":
        """Embed a few texts that the user waits for; raise a failure at once."""
        rows = self._embed_batch(texts, RetryPolicy(retries=0))
        self.scale(RetryPolicy(retries=0))
        return rows

    def similarities(self, requests: "Vectors", memories: "Sequence[Vectors]", texts: Sequence[str]) -> "list[Vectors]":
        """Return cosines on the built-in scale, shape `(requests, vectors of the memory)` for each memory."""
        scale = self.scale(self._retry)
        return [calibrate(requests @ rows.T, scale) for rows in memories]

    def across_languages(self, requests: "Vectors") -> None:
        """Return None: how a model treats languages is not known."""

    def scale(self, retry: RetryPolicy) -> CosineScale:
        """Return the scale of the model's cosines, as stored or else measured now, which costs one call."""
        if self._scale is None and self._scales is not None and self._dimension is not None:
            self._scale = self._scales.cosine_scale(self.fingerprint)
        return self._scale or self.measure_scale(retry)

    def measure_scale(self, retry: RetryPolicy | None = None) -> CosineScale:
        """Measure the scale and store it."""
        scale = measure(lambda texts: self._embed_batch(texts, retry or self._retry))
        if self._scales is not None:
            self._scales.keep_cosine_scale(self.fingerprint, scale)
        self._scale = scale
        return scale

    def _embed_batch(self, texts: Sequence[str], retry: RetryPolicy) -> "Vectors":
        rows = retry.run(lambda: self._embedded_once(texts))
        found = rows.shape[1]
        with self._lock:
            if self._dimension is None:
                self._dimension = found
            expected = self._dimension
        if found != expected:
            raise ModelError(
                f"{self._endpoint.model} answered with {found} dimensions where {expected} were expected.",
                hint="Set the embedding model that wrote this store, or run `memchat reindex`.",
            )
        return rows

    def _embedded_once(self, texts: Sequence[str]) -> "Vectors":
        import numpy as np

        endpoint = self._endpoint
        with translate_errors(endpoint):
            server = resolve_endpoint(endpoint, os.environ)
            answer = litellm().embedding(
                model=endpoint.model,
                # Providers refuse an empty string.
                input=[fix_surrogates(text) or " " for text in texts],
                api_key=server.api_key,
                api_base=server.api_base,
                timeout=endpoint.timeout_s,
                max_retries=0,
                encoding_format="float",
                drop_params=True,
            )
            vectors = [item["embedding"] for item in sorted(answer.data, key=lambda item: int(item["index"]))]
        if len(vectors) == len(texts) and len(set(map(len, vectors))) == 1:
            rows = np.asarray(vectors, dtype=np.float32)
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            if np.isfinite(rows).all() and lengths.all():
                unit: Vectors = rows / lengths
                return unit
        raise BadReply(f"{endpoint.model} did not return one vector per text.", hint="Check MEMCHAT_EMBEDDING_MODEL.")


class QueryEmbedder:
    """Implements `core.protocols.RequestEmbedder` for requests that words alone can answer when `embedder` fails.

    After a failure it raises the same error at once for COOLDOWN_S. `on_notice` hears of the first failure only.
    """

    def __init__(
        self,
        embedder: LiteLLMEmbedder,
        on_notice: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._on_notice = on_notice
        self._clock = clock
        self._failure: ModelError | None = None
        self._failed_at = 0.0

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return unit vectors, one row per text, in the order given."""
        if self._failure is not None and self._clock() - self._failed_at < COOLDOWN_S:
            raise ModelError(self._failure.message, hint=self._failure.hint)
        try:
            return self._embedder.embed_request(texts)
        except ModelError as error:
            if self._failure is None:
                reason = error.message.rstrip(".")
                self._on_notice(f"Memories are found by words alone for now: {reason} (MEMCHAT_EMBEDDING_MODEL).")
            self._failure, self._failed_at = error, self._clock()
            raise

    def similarities(self, requests: "Vectors", memories: "Sequence[Vectors]", texts: Sequence[str]) -> "list[Vectors]":
        """Return the cosines, shape `(requests, vectors of the memory)` for each memory."""
        return self._embedder.similarities(requests, memories, texts)

    def across_languages(self, requests: "Vectors") -> None:
        """Return None."""
