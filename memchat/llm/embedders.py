"""The embedder of the settings, for stored texts and, with shorter timeouts, for requests."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from memchat.config import Settings
from memchat.core.protocols import Embedder, RequestEmbedder
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.llm.calibration import ScaleRecords
from memchat.llm.options import ModelOptions

if TYPE_CHECKING:
    from memchat.llm.builtin_embedder import BuiltinEmbedder
    from memchat.llm.litellm_embedder import LiteLLMEmbedder
    from memchat.llm.retry import RetryNotice


class EmbedderRecords(ScaleRecords, Protocol):
    """The store's records of the embedders whose vectors it has."""

    def dimension_of(self, model: str) -> int | None: ...


class EmbedderProvider:
    """Parts are made when first asked for, and no embedder is asked anything before it has something to embed.

    `access` says how to reach a model of LiteLLM's. `on_notice` hears once why memories are recalled by words alone.
    `records` knows the dimension of the vectors that a model has in the store, and the scale of their cosines.
    """

    def __init__(
        self,
        settings: Settings,
        access: ModelOptions,
        on_retry: "Callable[[RetryNotice], None] | None",
        on_notice: Callable[[str], None],
        records: EmbedderRecords,
    ) -> None:
        self._settings = settings
        self._access = access
        self._on_retry = on_retry
        self._on_notice = on_notice
        self._records = records

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the vectors in use, without its dimension while that is unknown."""
        return self._litellm.fingerprint if self._settings.embedding_model else FINGERPRINT

    @cached_property
    def embedder(self) -> Embedder:
        """For what is kept."""
        if self._settings.embedding_model:
            return self._litellm
        return self.builtin

    @cached_property
    def query_embedder(self) -> RequestEmbedder:
        """For requests, which are answered by words alone when a model of LiteLLM's fails."""
        if not self._settings.embedding_model:
            return self.patient_query_embedder
        from memchat.llm.litellm_embedder import QueryEmbedder

        return QueryEmbedder(self._litellm, self._on_notice)

    @cached_property
    def patient_query_embedder(self) -> RequestEmbedder:
        """For requests that wait until a model of LiteLLM's answers."""
        if self._settings.embedding_model:
            return self._litellm
        from memchat.llm.builtin_embedder import BuiltinRequestEmbedder

        return BuiltinRequestEmbedder(self.builtin)

    def load(self) -> None:
        """Load all that a request needs, by comparing one with itself."""
        request = ["what is this"]
        vectors = self.query_embedder.embed(request)
        self.query_embedder.similarities(vectors, [vectors], request)

    def fresh_embedder(self) -> Embedder:
        """Return a new embedder that does not know the dimension of the stored vectors."""
        return self._new_litellm(None) if self._settings.embedding_model else self.embedder

    def measure_scale(self) -> None:
        """Measure the scale of the model's cosines again; the built-in embedder needs no measurement."""
        if self._settings.embedding_model:
            self._new_litellm(None).measure_scale()

    @cached_property
    def builtin(self) -> "BuiltinEmbedder":
        """The embedder inside the package; its model is loaded on first use."""
        from memchat.llm.builtin_embedder import BuiltinEmbedder

        return BuiltinEmbedder()

    @cached_property
    def _litellm(self) -> "LiteLLMEmbedder":
        return self._new_litellm(self._records.dimension_of(self._settings.embedding_model or ""))

    def _new_litellm(self, dimension: int | None) -> "LiteLLMEmbedder":
        from memchat.llm.litellm_embedder import LiteLLMEmbedder

        settings, access = self._settings, self._access
        return LiteLLMEmbedder(
            settings.embedding_model or "",
            dimension=access.dimension or dimension,
            api_key=access.api_key,
            api_base=access.api_base,
            timeout_s=settings.timeout_s,
            retries=settings.retries,
            on_retry=self._on_retry,
            scales=self._records,
        )
